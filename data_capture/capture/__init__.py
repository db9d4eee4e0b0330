"""What is captured: kinds, fields, and how the values of pages are understood."""

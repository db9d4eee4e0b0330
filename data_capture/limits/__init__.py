"""What a caller may use of the service: rates, bytes, and the disk."""

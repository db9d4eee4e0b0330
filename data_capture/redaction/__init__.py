"""What must never be stored: passwords, keys, card numbers and their like are masked."""

"""Accounts: sign-up, log-in, passwords, and the mails that confirm an address."""

"""Limits of what a caller may use: rates, bytes, new users, mails, and the disk.

rates.py          counts requests, captures, logins and mails; more get 429
windows.py        the bounded memory of the counters
known_callers.py  the callers that have logged in to an account before
callers.py        which addresses count as one caller, and the fair share of each
disk_space.py     the space that must remain on the database's disk
"""

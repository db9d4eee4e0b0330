"""Helpers for raw SQL, shared by the rooms that read and write the database."""

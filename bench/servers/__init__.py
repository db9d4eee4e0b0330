"""The servers for comparison; each takes a port and a database."""

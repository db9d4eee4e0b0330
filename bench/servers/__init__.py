"""The servers that the capture service is compared with; each takes a port and a database."""

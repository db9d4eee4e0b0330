"""The servers that the capture service is measured against; each takes a port and a database."""

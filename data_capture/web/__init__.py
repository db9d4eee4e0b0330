"""HTTP: the capture operation, its adapters, and what requests and responses look like."""

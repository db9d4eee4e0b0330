"""What the capture service, the signup service and the startup manager share; one module a concern."""

__version__ = "0.1.0"

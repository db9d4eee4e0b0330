"""The startup manager: it starts both services, watches them and stops them."""

from data_capture.supervisor.manager import main

__all__ = ["main"]

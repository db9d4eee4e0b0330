"""Serve the Flask apps with granian: one worker process for each service."""

from data_capture.server.server import serve

__all__ = ["serve"]

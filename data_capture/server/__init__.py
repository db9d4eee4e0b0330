"""Serve the Flask apps with granian: one worker process for each service.

server            `serve`: ports, database, granian, and the end of the service
buffering         the RSGI adapter between granian and a Flask app
headers           request headers as granian has them
wsgi              running the app and sending its response
body_buffer       receiving request bodies
body_limits       the limits of bodies
large_dashboards  processing large dashboards one at a time
connections       closing connections that keep others out
parent_watch      the end of a process whose parent or database is gone
ports             whether a port is free, and reserving it
logging           the console and the log file
"""

from data_capture.server.server import serve

__all__ = ["serve"]

"""The description of the API as an OpenAPI 3.1 document, and its page.

document              the document, and the routes /openapi.json and /docs
operations            one line for each endpoint
schemas               all schemas by name
capture_schemas       those of captures, generated from their fields
user_data_schemas     those of statistics, exports and erasures
account_schemas       those of sign-ups and log-ins
schema_parts          what schemas are composed of
page                  the document as HTML
"""

from data_capture.openapi.document import build_document, init_app, list_routes

__all__ = ["build_document", "init_app", "list_routes"]

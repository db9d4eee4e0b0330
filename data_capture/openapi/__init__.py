"""The description of the API as an OpenAPI 3.1 document, and the page that shows it."""

from data_capture.openapi.document import document_of, init_app, routes_of

__all__ = ["document_of", "init_app", "routes_of"]

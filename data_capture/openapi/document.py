"""Build the OpenAPI 3.1 document of a service from its routes.

every route of the app                ──┐
operations, one line for each endpoint ─┼─→  /openapi.json  ──→  /docs
kinds, one line for each field        ──┘
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import Flask, Response, jsonify

from data_capture import __version__
from data_capture.openapi.operations import JSON, OPERATIONS, Operation
from data_capture.openapi.page import POLICY, render_page
from data_capture.openapi.schema_parts import Json, ref
from data_capture.openapi.schemas import all_schemas
from data_capture.problems import MEDIA_TYPE

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

_ERRORS = {
    400: "The request cannot be read: the Host is missing, or the body is not a JSON object.",
    401: "The credential is missing or invalid.",
    403: "The page's origin is not allowed, or the caller may not do this.",
    404: "There is nothing at this address.",
    405: "The address does not accept this method. The header Allow names the methods it accepts.",
    409: "The address already has an account.",
    410: "The capture predates the user's erasure. For a mailed link: it was used, or is too old.",
    413: "The body is too large.",
    415: "The content type is not JSON.",
    421: "The service does not have this host name.",
    422: "The content is invalid; `errors` names the fields.",
    429: "The caller is over a rate limit. Send the request again after `Retry-After` seconds.",
    503: "The database cannot store it now. Send the request again after `Retry-After` seconds.",
}
_RETRY_STATUSES = (429, 503)


def init_app(app: Flask, title: str) -> None:
    """Add the routes /openapi.json and /docs to `app`, after all its other routes."""

    @cache
    def document() -> Json:
        return build_document(app, title)

    @cache
    def page() -> str:
        return render_page(document())

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document())

    @app.get("/docs")
    def docs() -> Response:
        response = Response(page(), mimetype="text/html")
        response.headers["Content-Security-Policy"] = POLICY
        return response


def build_document(app: Flask, title: str) -> Json:
    """Return the OpenAPI 3.1 document of all routes of `app`.

    Raises:
        KeyError: a route has no line in `OPERATIONS`.
    """
    paths: dict[str, Json] = {}
    for method, path in list_routes(app):
        operation = _describe_operation(method, path, OPERATIONS[f"{method} {path}"])
        paths.setdefault(path, {})[method.lower()] = operation
    schemas = all_schemas()
    used = set(_find_used_names(paths, schemas))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": __version__,
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "Every error is application/problem+json (RFC 9457). A request that "
            "gets an error has changed nothing.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name in used},
            "securitySchemes": {
                "adminToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`python3 -m data_capture admin-token` shows it.",
                }
            },
        },
    }


def list_routes(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield the method and the path of every route.

    Parameters are in braces: `("GET", "/api/data-capture/stats/{email}")`.
    """
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, _PARAMETER.sub(r"{\1}", rule.rule)


def _describe_operation(method: str, path: str, operation: Operation) -> Json:
    """Return the OpenAPI object of an operation."""
    described: Json = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": operation.summary,
        "responses": _describe_responses(operation),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.parameters:
        described["parameters"] = [
            _describe_parameter(path, name, schema) for name, schema in operation.parameters.items()
        ]
    if operation.body is not None:
        content: Json = {"schema": operation.body, "example": operation.example}
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    if operation.requires_admin_token:
        described["security"] = [{"adminToken": []}]
    elif operation.accepts_admin_token:
        described["security"] = [{}, {"adminToken": []}]
    return described


def _describe_responses(operation: Operation) -> Json:
    responses: Json = {}
    for status, (description, schemas) in operation.responses.items():
        content = {media_type: {"schema": schema} for media_type, schema in schemas.items()}
        responses[str(status)] = {"description": description, "content": content}
    errors = {*operation.errors, *([401] if operation.requires_admin_token else [])}
    for status in sorted(errors):
        responses[str(status)] = _describe_error(status)
    return responses


def _describe_parameter(path: str, name: str, schema: Json) -> Json:
    is_in_path = f"{{{name}}}" in path
    return {
        "name": name,
        "in": "path" if is_in_path else "query",
        "required": is_in_path,
        "schema": schema,
    }


def _describe_error(status: int) -> Json:
    error: Json = {
        "description": _ERRORS[status],
        "content": {MEDIA_TYPE: {"schema": ref("Problem")}},
    }
    if status in _RETRY_STATUSES:
        error["headers"] = {
            "Retry-After": {
                "description": "In seconds.",
                "schema": {"type": "string", "pattern": "^[0-9]+$"},
            }
        }
    if status == 401:
        error["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return error


def _find_used_names(value: Any, schemas: dict[str, Json]) -> Iterator[str]:
    """Yield the names of the schemas that `value` refers to, directly or indirectly."""
    if isinstance(value, dict):
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name:
            yield name
            yield from _find_used_names(schemas[name], schemas)
        for member in value.values():
            yield from _find_used_names(member, schemas)
    elif isinstance(value, list):
        for item in value:
            yield from _find_used_names(item, schemas)

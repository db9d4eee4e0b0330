"""The description of a service's API as an OpenAPI 3.1 document, made of its routes and of the table in `captures`.

every route of the app     ──┐
operations.py, a line a call ─┼─→  /openapi.json  ──→  /docs
captures.py, a line a field ──┘
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import Flask, Response, jsonify

from data_capture import __version__
from data_capture.openapi.operations import JSON, OPERATIONS, Operation
from data_capture.openapi.page import POLICY, page_of
from data_capture.openapi.schemas import Json, all_schemas, ref
from data_capture.problems import MEDIA_TYPE

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

_REFUSALS = {
    400: "The request can't be read: no usable Host, or a body that is not a JSON object.",
    401: "There is no credential, or not a valid one.",
    403: "A page of an origin that is not allowed, or a caller who may not do this.",
    404: "There is nothing at this address.",
    405: "The address takes other methods: those that the header Allow names.",
    409: "The email address has an account.",
    410: "It is of the time before its person was erased, or a link that was used or is too old; it is not taken any more.",
    413: "The body is too large.",
    415: "The content type is not one that holds JSON.",
    421: "The service is not called by this name.",
    422: "Understood, but it can't be used; `errors` names the fields.",
    429: "Too much was sent; send it again after the seconds that Retry-After says.",
    503: "The database can't take this now; send it again after the seconds that Retry-After says.",
}
_WAITING = (429, 503)


def init_app(app: Flask, title: str) -> None:
    """Gives `app`, whose other routes are there, the addresses /openapi.json and /docs."""

    @cache
    def document() -> Json:
        return document_of(app, title)

    @cache
    def page() -> str:
        return page_of(document())

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document())

    @app.get("/docs")
    def docs() -> Response:
        response = Response(page(), mimetype="text/html")
        response.headers["Content-Security-Policy"] = POLICY
        return response


def document_of(app: Flask, title: str) -> Json:
    """The OpenAPI 3.1 document of all routes of `app`.

    Raises:
        KeyError: a route has no line in `OPERATIONS`.
    """
    paths: dict[str, Json] = {}
    for method, path in routes_of(app):
        paths.setdefault(path, {})[method.lower()] = _operation(
            method, path, OPERATIONS[f"{method} {path}"]
        )
    schemas = all_schemas()
    used = set(_names_in(paths, schemas))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": __version__,
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "Every error is application/problem+json (RFC 9457); a refused request has changed nothing.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name in used},
            "securitySchemes": {
                "adminToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "From `python3 -m data_capture admin-token`.",
                }
            },
        },
    }


def routes_of(app: Flask) -> Iterator[tuple[str, str]]:
    """Method and path of every call, parameters in braces: `("GET", "/api/data-capture/stats/{email}")`."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, _PARAMETER.sub(r"{\1}", rule.rule)


def _operation(method: str, path: str, operation: Operation) -> Json:
    answers: Json = {}
    for status, (description, contents) in operation.answers.items():
        content = {media_type: {"schema": schema} for media_type, schema in contents.items()}
        answers[str(status)] = {"description": description, "content": content}
    refusals = (*operation.refusals, 401) if operation.needs_admin else operation.refusals
    for status in sorted({*refusals}):
        answers[str(status)] = _refusal(status)
    described: Json = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": operation.summary,
        "responses": answers,
    }
    if operation.description:
        described["description"] = operation.description
    if operation.parameters:
        described["parameters"] = [
            _parameter(path, name, schema) for name, schema in operation.parameters.items()
        ]
    if operation.body is not None:
        described_body: Json = {"schema": operation.body, "example": operation.example}
        described["requestBody"] = {"required": True, "content": {JSON: described_body}}
    if operation.needs_admin:
        described["security"] = [{"adminToken": []}]
    elif operation.takes_admin:
        described["security"] = [{}, {"adminToken": []}]
    return described


def _parameter(path: str, name: str, schema: Json) -> Json:
    is_in_path = f"{{{name}}}" in path
    return {
        "name": name,
        "in": "path" if is_in_path else "query",
        "required": is_in_path,
        "schema": schema,
    }


def _refusal(status: int) -> Json:
    refusal: Json = {
        "description": _REFUSALS[status],
        "content": {MEDIA_TYPE: {"schema": ref("Problem")}},
    }
    if status in _WAITING:
        refusal["headers"] = {
            "Retry-After": {
                "description": "In seconds.",
                "schema": {"type": "string", "pattern": "^[0-9]+$"},
            }
        }
    if status == 401:
        refusal["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return refusal


def _names_in(described: Any, schemas: dict[str, Json]) -> Iterator[str]:
    """The schemas that are referred to, directly or by one another."""
    if isinstance(described, dict):
        name = str(described.get("$ref", "")).rpartition("/")[2]
        if name:
            yield name
            yield from _names_in(schemas[name], schemas)
        for member in described.values():
            yield from _names_in(member, schemas)
    elif isinstance(described, list):
        for member in described:
            yield from _names_in(member, schemas)

"""The page at /docs: the OpenAPI document as plain HTML, for use offline.

It has no script and loads nothing. A packaged viewer of OpenAPI documents would be a megabyte of
script, and would need a policy that lets it run. Readers only look up which endpoints there are,
and what they accept and return.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; }
body {
  font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
}
h2 {
  margin-top: 2.5rem; border-top: 1px solid #8885; padding-top: 1rem; font-size: 1.15rem;
  overflow-wrap: anywhere;
}
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td {
  text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
  border-bottom: 1px solid #8883;
}
td { overflow-wrap: anywhere; }
td:first-child { overflow-wrap: normal; }
pre { white-space: pre-wrap; }
code { font-family: ui-monospace, monospace; }
nav li { list-style: none; }
nav ul { padding: 0; }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page."""

_Operation = tuple[str, str, dict[str, Any]]
"""Method, path and OpenAPI object."""


def render_page(document: dict[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    title = escape(document["info"]["title"])
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>',
        f"<h1>{title}</h1><p>{escape(document['info']['description'])} ",
        'The same for programs: <a href="/openapi.json">openapi.json</a>.</p><nav><ul>',
        *map(_render_link, operations),
        "</ul></nav>",
        *(line for operation in operations for line in _render_operation(*operation)),
        "<h1>Requests and responses</h1>",
    ]
    for name, schema in document["components"]["schemas"].items():
        parts += [
            f'<h2 id="{name}">{name}</h2>',
            _render_paragraph(schema.get("description")),
            *_render_members(schema),
        ]
    return "\n".join([*parts, "</body></html>"])


def _render_link(operation: _Operation) -> str:
    method, path, described = operation
    label = f"<code>{method} {escape(path)}</code>"
    return f'<li><a href="#{described["operationId"]}">{label}</a></li>'


def _render_operation(method: str, path: str, described: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{described["operationId"]}"><code>{method} {escape(path)}</code></h2>'
    yield _render_paragraph(described["summary"])
    yield _render_paragraph(described.get("description"))
    if "security" in described:
        verb = "May need" if {} in described["security"] else "Needs"
        yield f"<p>{verb} the admin token: <code>Authorization: Bearer …</code></p>"
    for parameter in described.get("parameters", ()):
        name, place = escape(parameter["name"]), parameter["in"]
        yield f"<p><code>{name}</code>, in the {place}: {_render_type(parameter['schema'])}</p>"
    for media_type, content in described.get("requestBody", {}).get("content", {}).items():
        example = json.dumps(content["example"], indent=2)
        body = f"<code>{escape(media_type)}</code>: {_render_type(content['schema'])}"
        yield f"<p>Accepts {body}, for example</p><pre>{escape(example)}</pre>"
    yield "<table><tr><th>status</th><th>meaning</th><th>content</th></tr>"
    for status, response in described["responses"].items():
        contents = "<br>".join(
            f"<code>{escape(media_type)}</code> {_render_type(content['schema'])}"
            for media_type, content in response["content"].items()
        )
        meaning = _render_prose(response["description"])
        yield f"<tr><td>{status}</td><td>{meaning}</td><td>{contents}</td></tr>"
    yield "</table>"


def _render_members(schema: dict[str, Any]) -> Iterator[str]:
    alternatives = dict(
        properties for one in schema.get("anyOf", ()) for properties in one["properties"].items()
    )
    members = {**alternatives, **schema.get("properties", {})}
    if not members:
        yield f"<p>{_render_type(schema)}</p>"
        return
    required = schema.get("required", ())
    yield "<table><tr><th>member</th><th>content</th></tr>"
    for name, member in members.items():
        note = ""
        if name in required:
            note = " (required)"
        elif name in alternatives:
            note = " (or another)"
        content = ": ".join(
            filter(None, (_render_type(member), _render_prose(member.get("description", ""))))
        )
        yield f"<tr><td><code>{escape(name)}</code>{note}</td><td>{content}</td></tr>"
    yield "</table>"


def _render_type(schema: dict[str, Any]) -> str:
    """Return the type of a schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{name}">{name}</a>'
    if "const" in schema:
        return f"always {escape(str(schema['const']).lower())}"
    if "enum" in schema:
        return f"one of {escape(', '.join(map(str, schema['enum'])))}"
    types = schema.get("type", "")
    return escape(" or ".join(types) if isinstance(types, list) else types)


def _render_paragraph(text: str | None) -> str:
    return f"<p>{_render_prose(text)}</p>" if text else ""


def _render_prose(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))

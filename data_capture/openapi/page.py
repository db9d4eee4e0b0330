"""The page at /docs: the OpenAPI document as plain HTML, with nothing to load and no script, so that it works without a network.

A packaged reader of such documents is a megabyte of script and needs a policy that lets it run; what people look up here is
which call there is, what it takes and what it answers, and that is a list.
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
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid #8885; padding-top: 1rem; font-size: 1.15rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8883; }
td { overflow-wrap: anywhere; }
td:first-child { overflow-wrap: normal; }
pre { white-space: pre-wrap; }
code { font-family: ui-monospace, monospace; }
nav li { list-style: none; }
nav ul { padding: 0; }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy that the page is served with."""


def page_of(document: dict[str, Any]) -> str:
    """The page that shows an OpenAPI document."""
    title = escape(document["info"]["title"])
    calls = [
        (method.upper(), path, call)
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    ]
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>',
        f"<h1>{title}</h1><p>{escape(document['info']['description'])} ",
        'The same for programs: <a href="/openapi.json">openapi.json</a>.</p><nav><ul>',
        *(
            f'<li><a href="#{call["operationId"]}"><code>{method} {escape(path)}</code></a></li>'
            for method, path, call in calls
        ),
        "</ul></nav>",
    ]
    for method, path, call in calls:
        parts += _call(method, path, call)
    parts += ["<h1>What is sent and answered</h1>"]
    for name, schema in document["components"]["schemas"].items():
        parts += [
            f'<h2 id="{name}">{name}</h2>',
            _paragraph(schema.get("description")),
            *_members(schema),
        ]
    return "\n".join([*parts, "</body></html>"])


def _call(method: str, path: str, call: dict[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{call["operationId"]}"><code>{method} {escape(path)}</code></h2>'
    yield _paragraph(call["summary"])
    yield _paragraph(call.get("description"))
    if "security" in call:
        verb = "May need" if {} in call["security"] else "Needs"
        yield f"<p>{verb} the admin token: <code>Authorization: Bearer …</code></p>"
    for parameter in call.get("parameters", ()):
        yield f"<p><code>{escape(parameter['name'])}</code>, in the {parameter['in']}: {_kind(parameter['schema'])}</p>"
    for media_type, content in call.get("requestBody", {}).get("content", {}).items():
        example = json.dumps(content["example"], indent=2)
        yield f"<p>Takes <code>{escape(media_type)}</code>: {_kind(content['schema'])}, such as</p><pre>{escape(example)}</pre>"
    yield "<table><tr><th>status</th><th>when</th><th>what</th></tr>"
    for status, answer in call["responses"].items():
        contents = "<br>".join(
            f"<code>{escape(media_type)}</code> {_kind(content['schema'])}"
            for media_type, content in answer["content"].items()
        )
        yield f"<tr><td>{status}</td><td>{_prose(answer['description'])}</td><td>{contents}</td></tr>"
    yield "</table>"


def _members(schema: dict[str, Any]) -> Iterator[str]:
    alternatives = dict(
        properties for one in schema.get("anyOf", ()) for properties in one["properties"].items()
    )
    members = {**alternatives, **schema.get("properties", {})}
    if not members:
        yield f"<p>{_kind(schema)}</p>"
        return
    yield "<table><tr><th>member</th><th>what</th></tr>"
    for name, member in members.items():
        needed = (
            " (needed)"
            if name in schema.get("required", ())
            else " (or another)"
            if name in alternatives
            else ""
        )
        words = ": ".join(filter(None, (_kind(member), _prose(member.get("description", "")))))
        yield f"<tr><td><code>{escape(name)}</code>{needed}</td><td>{words}</td></tr>"
    yield "</table>"


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{name}">{name}</a>'
    if "const" in schema:
        return f"always {escape(str(schema['const']).lower())}"
    if "enum" in schema:
        return f"one of {escape(', '.join(map(str, schema['enum'])))}"
    kind = schema.get("type", "")
    return escape(" or ".join(kind) if isinstance(kind, list) else kind)


def _paragraph(text: str | None) -> str:
    return f"<p>{_prose(text)}</p>" if text else ""


def _prose(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))

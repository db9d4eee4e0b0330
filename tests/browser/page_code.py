"""JavaScript that a page runs to save data."""

from __future__ import annotations

import json
from typing import Any

PAYMENT = {
    "plan_name": "Pro",
    "transaction_id": "T-1",
    "final_price": 49,
    "items": [{"a": 1}, [2]],
    "note": "n",
}

# Submits the form of a page without leaving it.
SUBMIT_JS = """document.querySelector('form').dispatchEvent(
  new Event('submit', {bubbles: true, cancelable: true})
)"""


def fetch_js(url: str, body: Any, method: str = "POST") -> str:
    headers = "{'Content-Type': 'application/json'}"
    text = json.dumps(json.dumps(body))
    return f"fetch('{url}', {{method: '{method}', headers: {headers}, body: {text}}})"


def xhr_js(url: str, body: Any) -> str:
    send = f"xhr.open('POST', '{url}'); xhr.send({json.dumps(json.dumps(body))})"
    return f"(() => {{ const xhr = new XMLHttpRequest(); {send} }})()"


def set_item_js(area: str, key: str, value: Any) -> str:
    return f"{area}.setItem('{key}', {json.dumps(json.dumps(value))})"

"""Pages with a form, what the browser posts for it, and what was captured of it."""

from __future__ import annotations

from email import message_from_string
from typing import Any
from urllib.parse import parse_qsl

from tests.engines.browser import Tab, eventually
from tests.engines.servers import SavedRequest
from tests.engines.visit import Visit

POSTED = "/api/posted"  # where the forms post; no rule matches it

# Members of a capture that no field gave it.
_ADDED = {"type", "capture_id", "capture_timestamp", "user_email", "user_name", "user_id"}

# The shop's response fills the frame, so the page stays.
_FORM = (
    "<iframe name=frame></iframe>"
    f"<form id=payment-form method=post action={POSTED} target=frame ATTRIBUTES>FIELDS</form>"
)


def form(fields: str, attributes: str = "") -> str:
    """Return a payment form that posts to the shop, and leaves its page open.

    Of two attributes of the same name the first one counts, so `attributes` add to those of the
    form and replace none.
    """
    return _FORM.replace("ATTRIBUTES", attributes).replace("FIELDS", fields)


def open_form(visit: Visit, body: str, head: str = "") -> Tab:
    """Open a page with this body, the tag and a user who is signed in."""
    tab = visit.open(visit.tag() + head, body)
    visit.sign_in(tab)
    return tab


def wait_until_posted(visit: Visit) -> SavedRequest:
    """Return the only request that a form has sent."""
    (request,) = eventually(lambda: visit.shop.saved_at(POSTED), "the browser has sent the form")
    return request


def posted_fields(request: SavedRequest) -> dict[str, Any]:
    """Return the fields of a form's request; a file is its name, a repeated name has a list.

    Line ends are LF, because browsers write CRLF only while they encode the fields.
    """
    content_type = request.headers["Content-Type"]
    if content_type.startswith("multipart/"):
        message = message_from_string(f"Content-Type: {content_type}\n\n{request.text}")
        pairs = [_name_and_value(part) for part in message.get_payload()]
    else:
        pairs = parse_qsl(request.text, keep_blank_values=True)
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return {name: values if values[1:] else values[0] for name, values in fields.items()}


def _name_and_value(part: Any) -> tuple[str, str]:
    name = part.get_param("name", header="Content-Disposition")
    file = part.get_param("filename", header="Content-Disposition")
    return name, part.get_payload() if file is None else file


def captured_fields(visit: Visit, tab: Tab) -> dict[str, Any]:
    """Return the fields of the only capture, which belongs to the visit's user."""
    (capture,) = visit.captured(tab)
    assert capture["user_email"] == visit.user
    return {name: value for name, value in capture.items() if name not in _ADDED}

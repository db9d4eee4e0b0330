"""Read requests: decode a body as JSON, and parse the captures in it."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Request
from werkzeug.http import parse_options_header

from data_capture.capture.kinds import KINDS
from data_capture.capture.parse import Caller, Capture, parse_capture
from data_capture.images import min_bytes_without_files
from data_capture.json_codec import (
    MAX_BYTES,
    MAX_BYTES_OF_A_BATCH,
    MAX_BYTES_OF_A_DASHBOARD,
    MAX_BYTES_WITH_SCREENSHOT,
    JsonObject,
    count_file_characters,
    count_text_characters,
    decode_json_object,
)
from data_capture.json_limits import MAX_VALUES, max_values_in
from data_capture.problems import NOT_JSON, NOT_JSON_TYPE, TOO_LARGE, UNUSABLE, FieldError, Problem
from data_capture.scanning import pause
from data_capture.store.sqlite.captures import RecordCapture

BATCH = "batch"
DASHBOARD = "dashboard"
_MAX_BYTES_BY_KIND = {BATCH: MAX_BYTES_OF_A_BATCH, DASHBOARD: MAX_BYTES_OF_A_DASHBOARD}
MAX_CAPTURES_IN_A_BATCH = 100

# Browsers send text/plain across origins without a preflight; a page that closes depends on that.
CAPTURE_MEDIA_TYPES = ("application/json", "text/plain")
JSON_MEDIA_TYPES = ("application/json",)


class CaptureRequest(NamedTuple):
    """The captures of one request, in their order."""

    members: tuple[Capture | Problem, ...]
    """A Problem is in the place of each invalid capture."""
    is_batch: bool

    @property
    def captures(self) -> list[Capture]:
        """The valid captures."""
        return [member for member in self.members if isinstance(member, Capture)]

    @property
    def jobs(self) -> list[RecordCapture]:
        """The write jobs for `Store.write_together`."""
        return [RecordCapture(capture) for capture in self.captures]

    @property
    def size_bytes(self) -> int:
        """Estimate the memory that the request holds while it waits for its commit."""
        return sum(map(_size_bytes, self.captures))


def max_body_bytes(kind_name: str) -> int:
    """Return the size limit of a body, pictures included, for a kind or for BATCH."""
    if kind_name == "questionnaire":
        return MAX_BYTES_WITH_SCREENSHOT
    return max_bytes_without_pictures(kind_name)


def max_bytes_without_pictures(kind_name: str) -> int:
    """Return the size limit of a body without its pictures, for a kind or for BATCH."""
    return _MAX_BYTES_BY_KIND.get(kind_name, MAX_BYTES)


def is_large_dashboard(kind_name: str, size_bytes: int) -> bool:
    """Tell whether decoding a body may take much memory, because it has many values."""
    return kind_name == DASHBOARD and size_bytes > MAX_BYTES


def check_head(
    content_type: str | None,
    content_encoding: str | None,
    content_length: int | None,
    media_types: tuple[str, ...],
    max_bytes: int,
) -> None:
    """Check the headers that describe a body, before it is read.

    Args:
        content_type: the header.
        content_encoding: the header.
        content_length: in bytes; None for a chunked body.
        media_types: the accepted ones; `application/…+json` is always accepted.
        max_bytes: the size limit.

    Raises:
        Problem: 413 over the limit, 415 another media type or a compressed body.
    """
    media_type = parse_options_header(content_type)[0].lower()
    is_json = media_type.startswith("application/") and media_type.endswith("+json")
    if media_type not in media_types and not is_json:
        detail = "Send a JSON object with the header 'Content-Type: application/json'."
        raise Problem(NOT_JSON_TYPE, detail)
    if (content_encoding or "identity").lower() != "identity":
        raise Problem(NOT_JSON_TYPE, "Compressed bodies are not accepted. Send plain JSON.")
    if content_length is not None:
        check_size(content_length, max_bytes)


def check_size(size_bytes: int, max_bytes: int) -> None:
    """Check the size of a body.

    Raises:
        Problem: 413 over the limit.
    """
    if size_bytes > max_bytes:
        limit = f"the {max_bytes:,} bytes that this address accepts"
        raise Problem(TOO_LARGE, f"The body is larger than {limit}.")


def decode_capture(kind_name: str, body: bytes) -> JsonObject:
    """Decode a body for a kind or for BATCH as a JSON object.

    Raises:
        Problem: 400 not a JSON object, 413 over a limit of the kind.
    """
    max_values = max_values_in(len(body)) if kind_name == DASHBOARD else MAX_VALUES
    return decode_body(body, max_bytes_without_pictures(kind_name), max_values)


def decode_body(body: bytes, max_bytes: int, max_values: int = MAX_VALUES) -> JsonObject:
    """Decode a body as a JSON object.

    Args:
        body: the bytes.
        max_bytes: the size limit without the pictures in it.
        max_values: the limit of its values.

    Raises:
        Problem: 400 not a JSON object, 413 over the limit.
    """
    may_be_too_large = len(body) > max_bytes
    # The lower bound first, because it needs no decoding.
    if may_be_too_large and min_bytes_without_files(body) > max_bytes:
        raise _body_too_large_problem(max_bytes)
    payload = decode_json_object(body, max_values)
    if may_be_too_large and len(body) - count_file_characters(payload) > max_bytes:
        raise _body_too_large_problem(max_bytes)
    return payload


def read_body(request: Request, max_bytes: int) -> bytes:
    """Read the body of a Flask request.

    Raises:
        RequestEntityTooLarge: a chunked body exceeds the limit; reading stops there.
    """
    request.max_content_length = max_bytes
    return request.get_data(cache=False)


def read_json_object(request: Request, max_bytes: int = MAX_BYTES) -> JsonObject:
    """Read the body of a Flask request as a JSON object.

    Raises:
        Problem: 400 not a JSON object, 413 over the limit, 415 another media type.
    """
    encoding = request.headers.get("Content-Encoding")
    check_head(request.content_type, encoding, request.content_length, JSON_MEDIA_TYPES, max_bytes)
    return decode_body(read_body(request, max_bytes), MAX_BYTES)


def parse_request(
    kind_name: str,
    payload: JsonObject,
    caller: Caller,
    placeholder_emails: tuple[str, ...],
    *,
    is_large: bool = False,
) -> CaptureRequest:
    """Parse the captures of one request.

    Args:
        kind_name: one of KINDS, or BATCH.
        payload: one capture, or a batch: `{"captures": [{"type": "payment", …}, …]}`.
        caller: the sender.
        placeholder_emails: addresses that belong to no user.
        is_large: whether a member of a batch may exceed the limit for one capture.

    Raises:
        Problem: 422, a single capture is invalid, or the batch is not a list of captures.
    """
    if kind_name == BATCH:
        parse = _parse_large_member if is_large else _parse_member
        members = (parse(member, caller, placeholder_emails) for member in _check_batch(payload))
        return CaptureRequest(tuple(members), is_batch=True)
    capture = parse_capture(KINDS[kind_name], payload, caller, placeholder_emails)
    return CaptureRequest((capture,), is_batch=False)


def _size_bytes(capture: Capture) -> int:
    if capture.kind.picture is None:  # the snapshot repeats the columns' values
        return 2 * len(capture.snapshot)
    texts = [value for value in capture.values if isinstance(value, str)]
    return len(capture.snapshot) + sum(map(len, texts))


def _check_batch(payload: JsonObject) -> list[Any]:
    """Return the members of a batch, unparsed.

    Raises:
        Problem: 422, the batch is not a list of captures, is empty, or has too many.
    """
    captures = payload.get("captures")
    if not isinstance(captures, list) or not captures:
        message = "must be a list of captures, each an object with its type"
    elif len(captures) > MAX_CAPTURES_IN_A_BATCH:
        message = (
            f"holds more than {MAX_CAPTURES_IN_A_BATCH} captures; send them in several batches"
        )
    else:
        return captures
    raise Problem(
        UNUSABLE, f"The member captures {message}.", errors=[FieldError("captures", message)]
    )


def _parse_member(
    member: Any, caller: Caller, placeholder_emails: tuple[str, ...]
) -> Capture | Problem:
    """Parse one member of a batch.

    Returns:
        The capture, or the Problem that it would cause as a single capture.
    """
    if not isinstance(member, dict):
        return Problem(NOT_JSON, "This member of captures is not an object.")
    kind = KINDS.get(member["type"]) if isinstance(member.get("type"), str) else None
    if kind is None:
        message = f"must be one of {', '.join(KINDS)}"
        return Problem(UNUSABLE, f"The type {message}.", errors=[FieldError("type", message)])
    payload = member.copy()  # unchanged, because parsing may start again in a thread
    del payload["type"]
    try:
        capture = parse_capture(kind, payload, caller, placeholder_emails)
    except Problem as problem:
        return problem
    return _capture_too_large_problem() if len(capture.snapshot) > MAX_BYTES else capture


def _parse_large_member(
    member: Any, caller: Caller, placeholder_emails: tuple[str, ...]
) -> Capture | Problem:
    """Parse one member of a large batch, after a pause that lets other threads run."""
    pause()
    if count_text_characters(member) > MAX_BYTES:
        return _capture_too_large_problem()
    return _parse_member(member, caller, placeholder_emails)


def _capture_too_large_problem() -> Problem:
    detail = f"This capture is larger than {MAX_BYTES:,} bytes without the pictures in it."
    return Problem(TOO_LARGE, detail)


def _body_too_large_problem(max_bytes: int) -> Problem:
    detail = f"The body is larger than {max_bytes:,} bytes without the pictures in it."
    return Problem(TOO_LARGE, detail)

"""From the members of a payload to the values of its kind's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from data_capture.capture.conversion import ColumnValue, ConversionError, Unconvertible
from data_capture.capture.converters import is_absent
from data_capture.capture.envelopes import View, locate
from data_capture.capture.field_lookup import FieldLookup, FieldPath, KeyLayout
from data_capture.capture.kinds import Field, Kind
from data_capture.capture.payments.facts import PaymentFacts, find_facts
from data_capture.capture.payments.unmapped import warn_of_unmapped_payment
from data_capture.capture.pictures import describe_pictures
from data_capture.capture.says_nothing import says_nothing
from data_capture.capture.typed_values import plain_value
from data_capture.capture.user_fields import NO_USER, FoundEmail, find_email, prefer_object
from data_capture.json_codec import JsonObject
from data_capture.problems import FieldError, Problem

_KINDS_OF_FORMS = ("payment", "questionnaire")  # whose payloads are about one person
_STORED_AS_NULL = "so it was stored as NULL"


class ParsedColumns(NamedTuple):
    """The columns' values of a payload, and what else its members say.

    Attributes:
        user: whose payload it is.
        values: one value for each of the kind's fields.
        facts: of a payment; None for the other kinds.
        warnings: one for each field that was not understood, in the page's spelling.
        payload: the payload, with descriptions in place of pictures.
        defaulted: the indexes of values that are defaults.
    """

    user: FoundEmail
    values: list[ColumnValue]
    facts: PaymentFacts | None
    warnings: list[FieldError]
    payload: JsonObject
    defaulted: tuple[int, ...] = ()


def parse_columns(
    kind: Kind,
    payload: JsonObject,
    view: View,
    layout: KeyLayout,
    placeholder_emails: tuple[str, ...],
    *,
    is_partial: bool,
    needs_user: bool = True,
) -> ParsedColumns:
    """Find and convert the fields of a payload.

    Args:
        kind: of the capture.
        payload: as it came, secrets masked.
        view: the payload without its envelopes.
        layout: of the view's members.
        placeholder_emails: addresses that belong to no user.
        is_partial: whether columns that are not sent keep their stored values.
        needs_user: whether a payload without an address is unusable; else its user is `NO_USER`.

    Raises:
        Problem: 422, there is no usable email address.
    """
    user, lookup, layout = _find_user(
        kind, view.members, layout, placeholder_emails, needs_user=needs_user
    )
    defaults = (None,) * len(kind.defaults) if is_partial else kind.defaults
    values, warnings = _convert_fields(kind, lookup, layout, user, defaults)
    facts = None
    if kind.facts_table is not None:
        find_sent = partial(_find_sent, lookup, layout.field_paths, kind.field_indexes)
        facts, fact_warnings = find_facts(values, kind.field_indexes, find_sent)
        unmapped = warn_of_unmapped_payment(
            view.members, values, kind.field_indexes, find_sent, kind.known_names
        )
        warnings += fact_warnings if unmapped is None else [unmapped, *fact_warnings]
        del values[len(kind.fields) :]
    if warnings:
        warnings = [_complete_warning(one, view, is_partial=is_partial) for one in warnings]
    if kind.picture is not None:
        picture_index = kind.field_indexes[kind.picture.picture.column]
        sent = [*lookup.find_all(layout.field_paths.get(picture_index, ()))]
        payload = describe_pictures(payload, sent, kind, kind.picture, values)
    defaulted = tuple(
        index
        for index in (() if is_partial else kind.default_indexes)
        if lookup.find_first(layout.field_paths.get(index, ())) is None
    )
    return ParsedColumns(user, values, facts, warnings, payload, defaulted)


def _convert_fields(
    kind: Kind,
    lookup: FieldLookup,
    layout: KeyLayout,
    user: FoundEmail,
    defaults: Sequence[ColumnValue],
) -> tuple[list[ColumnValue], list[FieldError]]:
    """Convert all fields; return their values, and warnings about those that can't be read."""
    values = [*defaults]
    warnings: list[FieldError] = []
    name_index = kind.field_indexes.get("user_name") if user.object_path else None
    fields, members = kind.parsed_fields, lookup.payload
    for index, key, paths in layout.fields:
        # Most fields are members with one name. If `convert_field` looked them up, parsing a
        # payment would take 5 % longer.
        if key is not None:
            sent = members[key]
            if is_absent(sent):
                continue
            try:
                value = fields[index].converter(sent)
            except ConversionError as error:
                values[index] = _convert_plain_value(fields[index], sent)
                if values[index] is None:
                    warnings.append(_warn_of_unread("", key, error))
            else:
                values[index] = defaults[index] if value is None else value
            continue
        if index == name_index:
            paths = prefer_object(paths, user.object_path)
        values[index], warning = convert_field(fields[index], lookup, paths, defaults[index])
        if warning is not None:
            warnings.append(warning)
    return values, warnings


def convert_field(
    kind_field: Field,
    lookup: FieldLookup,
    paths: tuple[FieldPath, ...],
    default: ColumnValue = None,
) -> tuple[ColumnValue, FieldError | None]:
    """Return the first value that can be converted.

    If none can, return None and a warning about the first. Without any value, return the default.
    The others are not tried after a value that decides alone.
    """
    warning: FieldError | None = None
    for path in paths:
        found = lookup.find(path)
        if found is None:
            continue
        key, sent = found
        try:
            value = kind_field.converter(sent)
        except ConversionError as error:
            value = _convert_plain_value(kind_field, sent)
            if value is not None:
                return value, None
            warning = warning or _warn_of_unread(path[0], key, error)
            decides = kind_field.first_value_decides and not says_nothing(sent)
            if decides or isinstance(sent, Unconvertible):
                break
        else:
            if value is not None:
                return value, None
    return (default if warning is None else None), warning


def _warn_of_unread(object_path: str, key: str, error: ConversionError) -> FieldError:
    return FieldError(f"{object_path}.{key}".lstrip("."), f"{error}, {_STORED_AS_NULL}")


def _convert_plain_value(kind_field: Field, sent: Any) -> ColumnValue:
    """Convert the value in an object of its own; None if there is none, or none that fits."""
    inner = plain_value(sent)
    if is_absent(inner):
        return None
    with suppress(ConversionError):
        return kind_field.converter(inner)
    return None


def _find_user(
    kind: Kind,
    members: JsonObject,
    layout: KeyLayout,
    placeholder_emails: tuple[str, ...],
    *,
    needs_user: bool,
) -> tuple[FoundEmail, FieldLookup, KeyLayout]:
    """Return the user, and where the fields are in the normalised members."""
    lookups = [(FieldLookup(members), layout)]
    if layout.may_be_reshaped:
        normalised = kind.normalise(members)
        if normalised is not members:
            lookups.append((FieldLookup(normalised), kind.layouts.get(normalised)))
    # A payment provider's object can have the address deep inside: that is tried last.
    for number, (lookup, its_layout) in enumerate(lookups, 1):
        try:
            searches = kind.name in _KINDS_OF_FORMS
            user = find_email(lookup, its_layout, placeholder_emails, searches_payload=searches)
        except Problem:
            if number < len(lookups):
                continue
            if needs_user:
                raise
            user = NO_USER
        break
    return user, *lookups[-1]


def _find_sent(
    lookup: FieldLookup,
    paths: Mapping[int, tuple[FieldPath, ...]],
    indexes: Mapping[str, int],
    column: str,
) -> tuple[str, Any] | None:
    """Return the name and value that a page sent for a field; None if it sent none."""
    return lookup.find_first(paths.get(indexes[column], ()))


def _complete_warning(warning: FieldError, view: View, *, is_partial: bool) -> FieldError:
    """Say where in the payload the field is, and what is stored instead of its value."""
    message = warning.message
    if is_partial:
        message = message.replace(_STORED_AS_NULL, "so the stored value stays")
    return FieldError(locate(warning.field, view.places), message)

"""The types that all converters share: column values, converters, and conversion errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

ColumnValue = str | int | None


class ConversionError(ValueError):
    """A value does not have the field's type. The text completes "The field …" for the caller."""


class Unconvertible:
    """A value that normalising could not bring into the usual shape; every converter rejects it.

    Args:
        reason: completes "The field …".
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Converter(Protocol):
    """Convert a JSON value that is not absent into a column's value, or raise ConversionError."""

    description: str
    """What the column takes, as one sentence for the API description."""

    def __call__(self, value: Any, /) -> ColumnValue:
        """Convert a value."""


def described_as(description: str) -> Callable[[Callable[[Any], ColumnValue]], Converter]:
    """Decorate a converter with its sentence for the API description."""

    def decorate(function: Callable[[Any], ColumnValue]) -> Converter:
        converter = cast("Converter", function)
        converter.description = description
        return converter

    return decorate

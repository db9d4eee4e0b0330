"""Describe the pictures of a payload, which its snapshot has instead of them."""

from __future__ import annotations

from typing import Any

from data_capture.capture.conversion import ColumnValue
from data_capture.capture.kinds import Kind, PictureColumns
from data_capture.images import describe_picture, is_file, replace_texts
from data_capture.json_codec import JsonObject


def describe_pictures(
    payload: JsonObject,
    sent_pictures: list[Any],
    kind: Kind,
    columns: PictureColumns,
    values: list[ColumnValue],
) -> JsonObject:
    """Replace pictures and files in the payload by descriptions.

    Also sets the columns of the picture's media type and size in `values`.
    """
    stored = values[kind.field_indexes[columns.picture.column]]
    descriptions: dict[str, JsonObject] = {}
    for sent in sent_pictures:
        if isinstance(sent, str) and (
            sent == stored or (stored is None and (is_file(sent) or sent.startswith("data:")))
        ):
            descriptions[sent] = describe_picture(sent)
    if isinstance(stored, str):
        values[kind.field_indexes[columns.media_type]] = descriptions[stored]["type"]
        size_index = kind.field_indexes[columns.size_bytes]
        if values[size_index] is None:
            values[size_index] = descriptions[stored]["size"]
    if not descriptions:
        return payload
    return {key: replace_texts(member, descriptions) for key, member in payload.items()}

"""Plain elements at full speed.

Scope: the common case only: elements that are what the standard says, in ascending order, of defined length, within
the data. Whatever needs a closer look is left to ``walker.py``, which would pass these elements in the same way.
"""

from collections.abc import Container
from typing import NamedTuple

from dicom_pipeline.dicom.dictionary import LENGTH_BYTES_16, LENGTH_BYTES_32, vr_length_bytes
from dicom_pipeline.dicom.element_header import (
    LONG_HEADER_BYTES,
    SHORT_HEADER_BYTES,
    UNDEFINED_LENGTH,
    ElementHeader,
)
from dicom_pipeline.dicom.frames import State
from dicom_pipeline.dicom.source import Source

MAX_SKIMMED = 1024
"""Elements passed at once, so that limits are looked at from time to time."""


class Skimmed(NamedTuple):
    """What was passed.

    Attributes:
        headers: Of the wanted elements, in their order.
        last_position: Where the header of the last element is, None if none was passed.
        tag_before_last: The tag before that.
    """

    headers: list[ElementHeader]
    last_position: int | None
    tag_before_last: int


def skim(source: Source, state: State, highest: int, wanted: Container[int]) -> Skimmed:
    """Move the state over plain elements whose tags are at most ``highest``."""
    encoding = state.frame.encoding
    with_vr, without_vr = encoding.with_vr.unpack_from, encoding.without_vr.unpack_from
    long_length, sizes, explicit = encoding.long_length.unpack_from, vr_length_bytes(), encoding.explicit
    position, tag = state.position, state.last_tag
    headers: list[ElementHeader] = []
    last_position, tag_before_last = None, tag
    for _ in range(MAX_SKIMMED):
        raw = source.peek(position)
        if len(raw) < LONG_HEADER_BYTES:
            break
        group, number, vr, length = with_vr(raw)
        size = sizes.get(vr)
        next_tag = group << 16 | number
        if not tag < next_tag <= highest or (size is None) is explicit:
            break
        offset = position + SHORT_HEADER_BYTES
        if size == LENGTH_BYTES_32:
            (length,), offset = long_length(raw, 8), position + LONG_HEADER_BYTES
        elif size != LENGTH_BYTES_16:
            length, vr = without_vr(raw)[2], b""
        if length == UNDEFINED_LENGTH or not source.reaches(offset + length):
            break
        if next_tag in wanted:
            headers.append(ElementHeader(next_tag, vr, length, offset))
        last_position, tag_before_last, tag, position = position, tag, next_tag, offset + length
    state.position, state.last_tag = position, tag
    return Skimmed(headers, last_position, tag_before_last)

"""The straight way over an ordinary file, in pure Python: the same walk as the compiled one, element by element.

Scope: one file at a time, through a window on its bytes. A walk ends at the pixel data, at the end of the data set, or
in ``Doubt``: there ``walker.py`` would have to think. ``pure.py`` takes it for what cannot be done for many files at
once.
"""

from struct import Struct
from typing import NamedTuple

from dicom_pipeline.dicom.dictionary import (
    LENGTH_BYTES_32,
    dictionary_vr,
    is_group_length,
    is_private_creator,
    vr_length_bytes,
)
from dicom_pipeline.dicom.element_header import (
    GROUP_LENGTH_BYTES,
    ITEM,
    ITEM_DELIMITER,
    ITEM_GROUP,
    LONG_HEADER_BYTES,
    SEQUENCE_DELIMITER,
    SHORT_HEADER_BYTES,
    TAG_BYTES,
    UNDEFINED_LENGTH,
)
from dicom_pipeline.dicom.encoding import TRANSFER_SYNTAX_UID
from dicom_pipeline.dicom.forks import PIXEL_DATA_TAGS
from dicom_pipeline.dicom.scanner.grammar import Layout, grammar
from dicom_pipeline.dicom.scanner.noted import SLOTS
from dicom_pipeline.dicom.scanner.window import HEADERS, WORDS, Doubt, Header, Window, read_header

_REPEATING_GROUPS = frozenset({0x20, 0x28, *range(0x5000, 0x5100), *range(0x6000, 0x6100), *range(0x7F00, 0x8000)})
"""Groups with repeating elements (PS3.6): many chance tags are known there."""
_DEPTH = 64
_LONGEST_UID = 64
_FIRST_PIXEL_TAG = 0x7FE0_0000
_ANY_TAG = 1 << 32
_UN = int.from_bytes(b"UN", "big")
_SQ = int.from_bytes(b"SQ", "big")
_UID_BYTES = frozenset(b"0123456789.")
_SLOT_OF = {tag: slot for slot, tag in enumerate(SLOTS) if tag != TRANSFER_SYNTAX_UID}
_ITEMS = {False: Struct("<HHL"), True: Struct(">HHL")}


class Value(NamedTuple):
    """A wanted value: its slot, its VR as ``Noted.vrs`` has it, its bytes, and where in the file they begin."""

    slot: int
    vr: int
    data: bytes
    offset: int


def declared_layout(transfer_syntax: bytes) -> Layout:
    """Return the layout that a transfer syntax means (PS3.5 A); raises ``Doubt`` if the value is no proper UID."""
    uid = transfer_syntax.rstrip(b" \0")
    if not 0 < len(uid) <= _LONGEST_UID or not _UID_BYTES.issuperset(uid):
        raise Doubt
    return grammar().syntaxes.get(uid, Layout.EXPLICIT_LITTLE)


def begins(window: Window, position: int, layout: Layout) -> bool:
    """Tell whether a known element leads to a second one here, or to the end; less than ``encoding.begins`` takes."""
    first = read_header(window, position, layout)
    if first is None or first.length == UNDEFINED_LENGTH or not _fits(window, first):
        return False
    if not (first.length == GROUP_LENGTH_BYTES if is_group_length(first.tag) else dictionary_vr(first.tag)):
        return False
    position = first.value + first.length
    if position == window.size:
        return window.whole
    second = read_header(window, position, layout)
    if second is None or second.tag <= first.tag:
        return False
    if is_group_length(second.tag) and second.length != GROUP_LENGTH_BYTES:
        return False
    return second.length == UNDEFINED_LENGTH or _fits(window, second)


def may_begin(window: Window, position: int) -> bool:
    """Tell whether an element may stand here in any encoding: ``encoding.begins`` says no where this does."""
    if window.size - position < SHORT_HEADER_BYTES:
        return True
    raw = window.read(position, SHORT_HEADER_BYTES)
    for big in (False, True):
        group, number, _, _ = HEADERS[big].unpack_from(raw)
        tag = group << 16 | number
        if is_group_length(tag) or is_private_creator(tag) or group in _REPEATING_GROUPS or dictionary_vr(tag):
            return True
    return False


def walk(window: Window, position: int, layout: Layout, last: int = -1) -> list[Value]:
    """Return the wanted values of the top level from a position on, behind the tag ``last``, to pixel data or the end.

    Raises:
        Doubt: The way is not straight.
    """
    values: list[Value] = []
    while position != window.size:
        position, last = _skim(window, position, layout, last, values)
        if position == window.size:
            break
        header = read_header(window, position, layout)
        if header is None or header.tag <= last:
            raise Doubt
        if header.tag in PIXEL_DATA_TAGS:
            return values
        if header.length == UNDEFINED_LENGTH:
            position = pass_nested(window, header.value, inner_layout(header.vr, layout))
        elif _fits(window, header):
            slot = _SLOT_OF.get(header.tag)
            if slot is not None and header.vr != _SQ:
                values.append(Value(slot, header.vr, window.read(header.value, header.length), header.value))
            position = header.value + header.length
        else:
            raise Doubt
        last = header.tag
    if not window.whole:
        raise Doubt
    return values


def _skim(window: Window, position: int, layout: Layout, last: int, values: list[Value] | None) -> tuple[int, int]:
    """Pass plain elements as far as they ascend and lie in the window; return position and last tag behind them.

    Nothing but speed: whoever reads header by header passes them in the same way.

    Args:
        window: The window.
        position: Where the first header stands.
        layout: The layout.
        last: The tag before.
        values: Where wanted values of the top level are added, as far as the pixel data; None for what is nested.
    """
    data, start, end = window.data, window.start, len(window.data)
    big, implicit = layout is Layout.EXPLICIT_BIG, layout is Layout.IMPLICIT_LITTLE
    unpack, word, kinds = HEADERS[big].unpack_from, WORDS[big].unpack_from, vr_length_bytes()
    limit = _ANY_TAG if values is None else _FIRST_PIXEL_TAG
    at = position - start
    while 0 <= at <= end - LONG_HEADER_BYTES:
        group, number, vr, length = unpack(data, at)
        kind = kinds.get(vr)
        value = at + SHORT_HEADER_BYTES
        if implicit:
            (length,) = word(data, at + TAG_BYTES)
        elif kind == LENGTH_BYTES_32:
            (length,) = word(data, value)
            value = at + LONG_HEADER_BYTES
        tag = group << 16 | number
        if (kind is None) is not implicit or group == ITEM_GROUP or not last < tag < limit or value + length > end:
            break
        at, last = value + length, tag
        if values is not None and tag in _SLOT_OF and vr != b"SQ":
            code = 0 if implicit else vr[0] << 8 | vr[1]
            values.append(Value(_SLOT_OF[tag], code, data[value:at], value + start))
    return at + start, last


def inner_layout(vr: int, layout: Layout) -> Layout:
    """Return the layout inside a value of undefined length: UN holds Implicit VR Little Endian (PS3.5 6.2.2)."""
    return Layout.IMPLICIT_LITTLE if vr == _UN else layout


class _Frame(NamedTuple):
    """An open sequence or item of undefined length, and the last tag passed in it."""

    is_sequence: bool
    layout: Layout
    last: int


def pass_nested(window: Window, position: int, layout: Layout) -> int:
    """Return where the value of undefined length ends that begins at a position (PS3.5 7.5); nothing in it is noted.

    Raises:
        Doubt: Its items and delimiters are not as they should be, or nested too deep.
    """
    frames = [_Frame(True, layout, -1)]
    while frames:
        if len(frames) >= _DEPTH:
            raise Doubt
        is_sequence, layout, last = frames[-1]
        if not is_sequence:
            position, last = _skim(window, position, layout, last, None)
        group, number, length = _ITEMS[layout is Layout.EXPLICIT_BIG].unpack(window.read(position, SHORT_HEADER_BYTES))
        if group == ITEM_GROUP:
            position = _pass_delimiter(window, position, frames, group << 16 | number, length)
            continue
        header = read_header(window, position, layout)
        if header is None or is_sequence or header.tag <= last:
            raise Doubt
        frames[-1] = _Frame(False, layout, header.tag)
        position = header.value
        if header.length == UNDEFINED_LENGTH:
            frames.append(_Frame(True, inner_layout(header.vr, layout), -1))
        elif _fits(window, header):
            position += header.length
        else:
            raise Doubt
    return position


def _pass_delimiter(window: Window, position: int, frames: list[_Frame], tag: int, length: int) -> int:
    """Pass an item, or the end of the innermost frame, where one belongs."""
    frame = frames[-1]
    position += SHORT_HEADER_BYTES
    if tag == (SEQUENCE_DELIMITER if frame.is_sequence else ITEM_DELIMITER):
        frames.pop()
    elif tag != ITEM or not frame.is_sequence:
        raise Doubt
    elif length == UNDEFINED_LENGTH:
        frames.append(_Frame(False, frame.layout, -1))
    elif length > window.size - position:
        raise Doubt
    else:
        position += length
    return position


def _fits(window: Window, header: Header) -> bool:
    return header.length <= window.size - header.value

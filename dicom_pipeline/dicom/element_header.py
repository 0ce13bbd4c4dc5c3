"""One element header: tag, VR and length, and whether bytes can be one at all.

Scope: the regular reading of a header in each encoding (PS3.5 7.1), every other reading a header may have where the
regular one makes no sense, and the tests that tell a plausible reading from a chance one. Moving on from header to
header is ``walker.py``.
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from dicom_pipeline.dicom.dictionary import (
    LENGTH_BYTES_16,
    LENGTH_BYTES_32,
    dictionary_vr,
    is_group_length,
    is_private,
    is_private_creator,
    vr_length_bytes,
)
from dicom_pipeline.dicom.source import Source

UNDEFINED_LENGTH = 0xFFFF_FFFF
ITEM_GROUP = 0xFFFE
ITEM = 0xFFFE_E000
ITEM_DELIMITER = 0xFFFE_E00D
SEQUENCE_DELIMITER = 0xFFFE_E0DD
TAG_BYTES = 4
SHORT_HEADER_BYTES = 8
LONG_HEADER_BYTES = 12
MAX_CREATOR_BYTES = 64
"""Length of the longest private creator (VR LO, PS3.5 6.2)."""
GROUP_LENGTH_BYTES = 4
"""Length of a group length's value (VR UL, PS3.5 7.2)."""


class Encoding(NamedTuple):
    """How the elements of a data set are laid out (PS3.5 7.1), with the structures that read them."""

    explicit: bool
    little_endian: bool
    with_vr: Struct
    without_vr: Struct
    long_length: Struct


def _encoding(explicit: bool, little_endian: bool) -> Encoding:
    order = "<" if little_endian else ">"
    return Encoding(explicit, little_endian, Struct(order + "HH2sH"), Struct(order + "HHL"), Struct(order + "L"))


EXPLICIT_LITTLE = _encoding(True, True)
IMPLICIT_LITTLE = _encoding(False, True)
EXPLICIT_BIG = _encoding(True, False)
IMPLICIT_BIG = _encoding(False, False)
ENCODINGS = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_BIG)


def implicit_twin(encoding: Encoding) -> Encoding:
    """Return the implicit VR encoding of the same byte order."""
    return IMPLICIT_LITTLE if encoding.little_endian else IMPLICIT_BIG


def explicit_twin(encoding: Encoding) -> Encoding:
    """Return the explicit VR encoding of the same byte order."""
    return EXPLICIT_LITTLE if encoding.little_endian else EXPLICIT_BIG


class ElementHeader(NamedTuple):
    """One reading of an element header.

    Attributes:
        tag: Group in the upper 16 bits.
        vr: The two bytes that stand for the VR, sense or nonsense; empty if the reading has none (implicit VR).
        length: Length of the value field in bytes, or ``UNDEFINED_LENGTH``.
        offset: Where the value field begins.
        may_end: Whether the data may end right behind the value. Not so for readings that go against what the header
            says, which a cut file could otherwise seem to confirm.
    """

    tag: int
    vr: bytes
    length: int
    offset: int
    may_end: bool = True


def tag_of(raw: bytes, encoding: Encoding) -> int:
    """Return the tag at the beginning of at least four bytes."""
    group, number = raw[0:2], raw[2:4]
    order = "little" if encoding.little_endian else "big"
    return int.from_bytes(group, order) << 16 | int.from_bytes(number, order)  # type: ignore[arg-type]


def regular(raw: bytes, position: int, encoding: Encoding) -> ElementHeader | None:
    """Return the header that ``raw``, found at ``position``, is by the book, or None if it is none.

    Explicit VR wants a VR of the standard. Implicit VR refuses a length whose first bytes spell one: either the
    stream has turned explicit, or a second look is due. Items and delimiters are no elements.
    """
    if len(raw) < SHORT_HEADER_BYTES:
        return None
    group, number, vr, short_length = encoding.with_vr.unpack_from(raw)
    size = vr_length_bytes().get(vr)
    if group == ITEM_GROUP or (size is None) == encoding.explicit:
        return None
    tag = group << 16 | number
    if size is None:
        return ElementHeader(tag, b"", encoding.without_vr.unpack_from(raw)[2], position + SHORT_HEADER_BYTES)
    if size == LENGTH_BYTES_16:
        return ElementHeader(tag, vr, short_length, position + SHORT_HEADER_BYTES)
    if len(raw) < LONG_HEADER_BYTES:
        return None
    return ElementHeader(tag, vr, encoding.long_length.unpack_from(raw, 8)[0], position + LONG_HEADER_BYTES)


def readings(raw: bytes, position: int, encoding: Encoding) -> Iterator[ElementHeader]:
    """Yield every way to read the header, the likelier first: by the book, then each form of length.

    An odd length is also tried as one byte more: some writers pad the value but do not count the pad. In an implicit
    stream a length whose first bytes spell a VR is as good as any other: 16708 bytes look like an empty date.
    """
    if len(raw) < SHORT_HEADER_BYTES or _is_cut(raw):
        return
    book = regular(raw, position, encoding) or regular(raw, position, explicit_twin(encoding))
    if book is not None:
        yield from _with_pad(book)
    for form in _forms(raw, position, encoding):
        if form != book:
            believable = book is None or not (encoding.explicit or form.vr)
            yield from _with_pad(form._replace(may_end=believable))


def _is_cut(raw: bytes) -> bool:
    """Return whether the data ends within a header that has a VR of 32-bit length."""
    return len(raw) < LONG_HEADER_BYTES and vr_length_bytes().get(raw[4:6]) == LENGTH_BYTES_32


def _with_pad(header: ElementHeader) -> Iterator[ElementHeader]:
    yield header
    if header.length & 1 and header.length != UNDEFINED_LENGTH:
        yield header._replace(length=header.length + 1, may_end=False)


def _forms(raw: bytes, position: int, encoding: Encoding) -> Iterator[ElementHeader]:
    """Yield the header with a 16-bit length, with a 32-bit length after two reserved bytes, and without a VR."""
    tag = tag_of(raw, encoding)
    _, _, vr, short_length = encoding.with_vr.unpack_from(raw)
    yield ElementHeader(tag, vr, short_length, position + SHORT_HEADER_BYTES)
    if short_length == 0 and len(raw) >= LONG_HEADER_BYTES:
        yield ElementHeader(tag, vr, encoding.long_length.unpack_from(raw, 8)[0], position + LONG_HEADER_BYTES)
    yield ElementHeader(tag, b"", encoding.without_vr.unpack_from(raw)[2], position + SHORT_HEADER_BYTES)


class Prospect(IntEnum):
    """What follows the value field of a reading."""

    NOTHING = 0
    """Nothing that makes sense."""
    WEAK = 1
    """Bytes that can be an element, of a private or unknown tag."""
    GOOD = 2
    """An element of a known, higher tag, an item, or a proper end."""


def prospect(source: Source, header: ElementHeader, encoding: Encoding, *, nested: bool) -> Prospect:
    """Return what follows the value field, by which chance readings can be told from true ones."""
    if header.length == UNDEFINED_LENGTH:
        raw = source.peek(header.offset)
        opens = len(raw) >= SHORT_HEADER_BYTES and tag_of(raw, encoding) in (ITEM, SEQUENCE_DELIMITER)
        return Prospect.GOOD if opens else Prospect.NOTHING
    end = header.offset + header.length
    raw = source.peek(end) if source.reaches(end) else b"?"
    if not raw:
        ends = header.may_end and not nested and source.ends_at(end)
        return Prospect.GOOD if ends else Prospect.NOTHING
    if len(raw) < SHORT_HEADER_BYTES:
        return Prospect.NOTHING
    tag = tag_of(raw, encoding)
    if tag >> 16 == ITEM_GROUP:
        return Prospect.GOOD if nested else Prospect.NOTHING
    if tag <= header.tag:
        return Prospect.NOTHING
    return _prospect_of_element(source, raw, end, encoding, strictly=not header.may_end)


def _prospect_of_element(source: Source, raw: bytes, position: int, encoding: Encoding, *, strictly: bool) -> Prospect:
    """Return what the header at the position promises; ``strictly`` wants it regular whatever its tag."""
    tag = tag_of(raw, encoding)
    book = regular(raw, position, encoding)
    is_regular = book is not None and fits(source, book)
    if is_group_length(tag):
        lengths = [header.length for header in readings(raw, position, encoding)]
        return Prospect.GOOD if GROUP_LENGTH_BYTES in lengths else Prospect.NOTHING
    if dictionary_vr(tag) is not None:
        return Prospect.GOOD if is_regular or not strictly else Prospect.NOTHING
    if not is_private(tag):
        plausible = is_regular and not strictly
    elif strictly:
        plausible = is_regular and encoding.explicit
    else:
        plausible = any(fits(source, header) for header in readings(raw, position, encoding))
    return Prospect.WEAK if plausible else Prospect.NOTHING


def fits(source: Source, header: ElementHeader) -> bool:
    """Return whether the value field lies within the data, as far as its length tells."""
    return header.length == UNDEFINED_LENGTH or source.reaches(header.offset + header.length)


def is_trustworthy(header: ElementHeader, previous_tag: int, encoding: Encoding) -> bool:
    """Return whether the header can hardly be chance bytes: its tag is known or belongs to a private block before it.

    Four bytes hit a known tag by chance once in about a million times. A private creator is believed only if its
    header is by the book and its length is that of a name.
    """
    if is_group_length(header.tag):
        return header.length == GROUP_LENGTH_BYTES
    if dictionary_vr(header.tag) is not None:
        return True
    if is_private_creator(header.tag):
        return header.length <= MAX_CREATOR_BYTES and header.vr == (b"LO" if encoding.explicit else b"")
    return is_private(header.tag) and header.tag >> 16 == previous_tag >> 16

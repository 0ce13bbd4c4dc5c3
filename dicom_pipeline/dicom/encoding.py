"""Where a file's data set begins and in which encodings it may be.

Scope: preamble and prefix, File Meta Information (PS3.10 7.1), a command set in front (PS3.7 6.3), transfer syntaxes
(PS3.5 A), and telling DICOM from anything else. The data has the last word: a transfer syntax is only what to try
first. The walk itself is ``walker.py``.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dicom_pipeline.dicom.dictionary import dictionary_vr
from dicom_pipeline.dicom.element_header import (
    ENCODINGS,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    GROUP_LENGTH_BYTES,
    IMPLICIT_LITTLE,
    SHORT_HEADER_BYTES,
    TAG_BYTES,
    UNDEFINED_LENGTH,
    ElementHeader,
    Encoding,
    Prospect,
    fits,
    is_trustworthy,
    prospect,
    readings,
    regular,
    tag_of,
)
from dicom_pipeline.dicom.header import MAX_VALUE_BYTES, HeaderError
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.source import InflatedSource, Source

PREAMBLE_BYTES = 128
PREFIX = b"DICM"
TRANSFER_SYNTAX_UID = 0x0002_0010

_COMMAND_GROUP = 0x0000
_FILE_META_GROUP = 0x0002
_FILE_META_GROUP_LENGTH = 0x0002_0000
_LAST_BARE_IMPLICIT_GROUP = 0x0008
_MAX_GROUP_ELEMENTS = 1024
"""PS3.6 and PS3.7 define fewer than a hundred each; a block of zeros reads like elements (0000,0000) without end."""

SPECIAL_ENCODINGS: Mapping[str, Encoding] = {
    "1.2.840.10008.1.2": IMPLICIT_LITTLE,
    "1.2.840.10008.1.2.2": EXPLICIT_BIG,
    "1.2.840.113619.5.2": IMPLICIT_LITTLE,  # GE's own, with pixels in big endian
}
"""The transfer syntaxes that are not Explicit VR Little Endian (PS3.5 A), with their encodings."""

DEFLATED_SYNTAXES = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""The transfer syntaxes under which the whole data set is deflated (PS3.5 A.5): plain, and two of JPIP."""


class Beginning(NamedTuple):
    """What stands before the data set.

    Attributes:
        positions: Where the data set may begin, the likelier first.
        transfer_syntax_uid: Text of (0002,0010) without trailing blanks and NULs; None if absent or empty.
    """

    positions: tuple[int, ...]
    transfer_syntax_uid: str | None


class _Group(NamedTuple):
    """The elements of one group in front of the data set, by tag, and where they end."""

    elements: dict[int, ElementHeader]
    end: int


def find_beginning(source: Source) -> Beginning:
    """Find where the data set begins.

    Raises:
        HeaderError: NotDicom; Unreadable if there is a DICM prefix but nothing behind it, or the File Meta
            Information is cut or endless.
    """
    first = _first_element(source)
    command_set = _pass_group(source, first, _COMMAND_GROUP)
    meta = _pass_group(source, command_set.end, _FILE_META_GROUP)
    end = _pass_group(source, meta.end, _COMMAND_GROUP).end
    positions = (end, *(stated for stated in _stated_ends(source, meta) if stated > end))
    if source.ends_at(end) and len(positions) > 1:
        raise HeaderError(Reason.UNREADABLE)
    uid = meta.elements.get(TRANSFER_SYNTAX_UID)
    return Beginning(positions, uid_text(source, uid.offset, uid.length) if uid else None)


def _stated_ends(source: Source, meta: _Group) -> Iterator[int]:
    """Yield where the File Meta Information ends by its group length, if it has one."""
    header = meta.elements.get(_FILE_META_GROUP_LENGTH)
    if header is not None and header.length == GROUP_LENGTH_BYTES:
        end = header.offset + header.length
        yield end + int.from_bytes(source.read(header.offset, header.length), "little")


def uid_text(source: Source, offset: int, length: int) -> str | None:
    """Return a UID's text without trailing blanks and NULs, None if nothing is left."""
    value = source.read(offset, min(length, MAX_VALUE_BYTES))
    return value.decode("latin-1").rstrip(" \0") or None


def _first_element(source: Source) -> int:
    """Return the offset of the first element behind preamble and prefix, whichever of them there are."""
    for prefix_at in (PREAMBLE_BYTES, 0):
        if source.read(prefix_at, len(PREFIX)) == PREFIX:
            first = prefix_at + len(PREFIX)
            if source.ends_at(first):
                raise HeaderError(Reason.UNREADABLE)
            return first
    if not any(_is_unmistakable(source, encoding) for encoding in ENCODINGS):
        raise HeaderError(Reason.NOT_DICOM)
    return 0


def _is_unmistakable(source: Source, encoding: Encoding) -> bool:
    """Return whether the file begins with an element, by proofs strict enough to tell it from any other content."""
    header = regular(source.peek(0), 0, encoding)
    if header is None or not begins(source, 0, encoding):
        return False
    if encoding.explicit:
        return header.vr.decode("ascii") in (dictionary_vr(header.tag) or "").split(" or ")
    if header.tag >> 16 > _LAST_BARE_IMPLICIT_GROUP or header.length == UNDEFINED_LENGTH:
        return False
    end = header.offset + header.length
    following = regular(source.peek(end), end, encoding)
    if following is None:
        return source.ends_at(end)
    return dictionary_vr(following.tag) is not None and fits(source, following)


def begins(source: Source, position: int, encoding: Encoding) -> bool:
    """Return whether a data set in this encoding begins here: with an element of a known tag that leads to another."""
    header = regular(source.peek(position), position, encoding)
    if header is None or not is_trustworthy(header, -1, encoding):
        return False
    return prospect(source, header, encoding, nested=False) is not Prospect.NOTHING


def _pass_group(source: Source, position: int, group: int) -> _Group:
    """Pass the elements of a group that stands in little endian before the data set, with VR or without."""
    elements: dict[int, ElementHeader] = {}
    for _ in range(_MAX_GROUP_ELEMENTS):
        raw = source.peek(position)
        if len(raw) < TAG_BYTES or tag_of(raw, EXPLICIT_LITTLE) >> 16 != group:
            return _Group(elements, position)
        header = _group_element(source, raw, position)
        elements[header.tag] = header
        position = header.offset + header.length
    raise HeaderError(Reason.UNREADABLE)


def _group_element(source: Source, raw: bytes, position: int) -> ElementHeader:
    """Return the reading of a header whose value is followed by the same group, else by a data set, else any."""
    headers = [h for h in readings(raw, position, EXPLICIT_LITTLE) if h.length != UNDEFINED_LENGTH and fits(source, h)]
    book = regular(raw, position, EXPLICIT_LITTLE)
    for candidates in (headers[:1] if book else [], headers):
        for header in candidates:
            if _is_followed_by_its_group(source, header, ascending=header != book):
                return header
        for header in candidates:
            if any(begins(source, header.offset + header.length, encoding) for encoding in ENCODINGS):
                return header
    headers = [header for header in headers if header.may_end]
    if not headers:
        raise HeaderError(Reason.UNREADABLE)
    return headers[0 if book else -1]


def _is_followed_by_its_group(source: Source, header: ElementHeader, *, ascending: bool) -> bool:
    """Return whether another element of the group follows; ``ascending`` keeps out values that look like one."""
    raw = source.peek(header.offset + header.length)
    if len(raw) < SHORT_HEADER_BYTES:
        return False
    tag = tag_of(raw, EXPLICIT_LITTLE)
    return tag >> 16 == header.tag >> 16 and dictionary_vr(tag) is not None and (tag > header.tag or not ascending)


def starts(source: Source, beginning: Beginning) -> tuple[Source, Iterator[tuple[int, Encoding]]]:
    """Return the bytes of the data set, inflated if need be, and where and how to begin reading them, likelier first.

    The declared encoding comes first if the data agrees, then every other that it agrees with; if it agrees with
    none, the declared one is tried all the same, because the first header may be the one that makes no sense.
    """
    uid = (beginning.transfer_syntax_uid or "").strip()
    declared = SPECIAL_ENCODINGS.get(uid, EXPLICIT_LITTLE)
    positions = beginning.positions
    if uid in DEFLATED_SYNTAXES and next(_fitting(source, positions, declared), None) is None:
        source, positions = InflatedSource(source, positions[0]), (0,)
    return source, _starts(source, positions, declared)


def _starts(source: Source, positions: tuple[int, ...], declared: Encoding) -> Iterator[tuple[int, Encoding]]:
    fitting = _fitting(source, positions, declared)
    first = next(fitting, None)
    if first is None:
        yield from ((position, declared) for position in positions)
    else:
        yield first
        yield from fitting


def _fitting(source: Source, positions: tuple[int, ...], declared: Encoding) -> Iterator[tuple[int, Encoding]]:
    encodings = sorted(ENCODINGS, key=lambda encoding: encoding is not declared)
    return ((p, e) for p in positions for e in encodings if begins(source, p, e))

"""Where a walk stands: the open sequences and items around it, and the moves in and out of them.

Scope: items, delimiters and undefined lengths (PS3.5 7.5), also where they are missing or out of place. Elements are
``walker.py``; the stack is a linked list of frames, so that a state can be kept and gone back to at no cost.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from dicom_pipeline.dicom.element_header import (
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    SHORT_HEADER_BYTES,
    TAG_BYTES,
    UNDEFINED_LENGTH,
    ElementHeader,
    Encoding,
    explicit_twin,
    implicit_twin,
    is_trustworthy,
    regular,
    tag_of,
)
from dicom_pipeline.dicom.fields import LAST_WANTED_TAG, WANTED_TAGS
from dicom_pipeline.dicom.source import Source

_WANTED_IN_DATA_SET = frozenset(tag for tag in WANTED_TAGS if tag > 0x0002_FFFF)


class Damage(Exception):
    """The bytes at the current position cannot be followed; ``header`` is what is left of a top-level header."""

    def __init__(self, header: ElementHeader | None = None) -> None:
        super().__init__()
        self.header = header


class Place(NamedTuple):
    """Where a wanted element's value lies.

    Attributes:
        vr: Two letters, from the data dictionary where the stream has none, UN, or nonsense.
        offset: Where the value field begins.
        length: Its length in bytes.
    """

    vr: str
    offset: int
    length: int


class Frame(NamedTuple):
    """The data set itself (no parent), or an open sequence or item of undefined length.

    Attributes:
        parent: What it lies in.
        encoding: Encoding of its elements.
        is_sequence: Whether items follow, not elements.
        resumed_tag: Last tag of the parent, to go on from when this one is closed.
        depth: Number of frames around it.
    """

    parent: "Frame | None"
    encoding: Encoding
    is_sequence: bool = False
    resumed_tag: int = -1
    depth: int = 0


@dataclass(slots=True)
class State:
    """All that a walk has to know to go on.

    Attributes:
        position: Offset of the next header.
        frame: The innermost open frame.
        last_tag: Tag before the position in this frame, -1 at its beginning.
        places: Wanted elements of the top level so far; None for a sequence.
        beyond: An element above the last wanted tag was passed that is no chance reading.
        disordered: A tag lower than the one before it was passed on the top level.
        stray_seen: A delimiter or item out of place was passed over; tags must ascend from here on.
        repaired: A missing delimiter was made up for; it must not turn up later after all.
    """

    position: int
    frame: Frame
    last_tag: int = -1
    places: dict[int, Place | None] = field(default_factory=dict)
    beyond: bool = False
    disordered: bool = False
    stray_seen: bool = False
    repaired: bool = False

    @property
    def on_top(self) -> bool:
        """Whether the next header belongs to the data set itself."""
        return self.frame.parent is None

    @property
    def encoding(self) -> Encoding:
        """Encoding of the data set's top level."""
        frame = self.frame
        while frame.parent is not None:
            frame = frame.parent
        return frame.encoding

    def is_harmless(self, damaged: ElementHeader | None = None) -> bool:
        """Return whether everything wanted was passed before damage here (at ``damaged``, if its tag can be told)."""
        if self.places.keys() >= _WANTED_IN_DATA_SET:
            return True
        if self.disordered:
            return False
        if damaged is None or not is_trustworthy(damaged, self.last_tag, self.frame.encoding):
            return self.beyond
        return damaged.tag > max(LAST_WANTED_TAG, self.last_tag)

    def copy(self) -> "State":
        """Return a state that does not change with this one."""
        return replace(self, places=dict(self.places))

    def enter(self, header: ElementHeader) -> "State | None":
        """Go into a value of undefined length; return the other state possible if its encoding may be another.

        The content of UN is Implicit VR Little Endian (PS3.5 6.2.2), but not every writer knows.
        """
        outer = self.frame.encoding
        inner = IMPLICIT_LITTLE if header.vr == b"UN" else explicit_twin(outer) if header.vr else implicit_twin(outer)
        self._push(inner, is_sequence=True, resumed_tag=header.tag)
        self.position = header.offset
        if inner is outer:
            return None
        other = self.copy()
        other.frame = self.frame._replace(encoding=outer)
        return other

    def pass_item(self, source: Source) -> None:
        """Pass the next item, or the end, of the open sequence.

        Raises:
            Damage: There is neither.
        """
        raw = source.peek(self.position)
        if len(raw) < SHORT_HEADER_BYTES:
            raise Damage
        tag = tag_of(raw, self.frame.encoding)
        if tag == ITEM:
            self._pass_whole_item(source, raw)
        elif tag in (SEQUENCE_DELIMITER, ITEM_DELIMITER):
            self.position += SHORT_HEADER_BYTES
            if tag == SEQUENCE_DELIMITER:
                self._pop()
        else:
            self._end_unclosed_sequence(source, raw)

    def pass_stray(self, source: Source, raw: bytes) -> None:
        """Pass a delimiter or a whole item on the top level.

        Raises:
            Damage: It is neither, or it shows that a repair was wrong.
        """
        tag = tag_of(raw, self.frame.encoding)
        if self.repaired or tag not in (ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER):
            raise Damage
        self.stray_seen = True
        if tag == ITEM:
            self._pass_whole_item(source, raw)
        else:
            self.position += SHORT_HEADER_BYTES

    def end_item(self, source: Source, raw: bytes) -> None:
        """End the open item at its delimiter, or, if that is missing, at whatever comes after an item."""
        encoding = self.frame.encoding
        tag = tag_of(raw, encoding)
        following = source.peek(self.position + SHORT_HEADER_BYTES)[:TAG_BYTES]
        stray = tag == SEQUENCE_DELIMITER and tag_of(following, encoding) == ITEM_DELIMITER
        if tag == ITEM_DELIMITER or stray:
            self.position += SHORT_HEADER_BYTES
        if not stray:
            self.repaired = self.repaired or tag != ITEM_DELIMITER
            self._pop()

    def _pass_whole_item(self, source: Source, raw: bytes) -> None:
        length = self.frame.encoding.without_vr.unpack_from(raw)[2]
        self.position += SHORT_HEADER_BYTES
        if length == UNDEFINED_LENGTH:
            self._push(self.frame.encoding, is_sequence=False, resumed_tag=self.last_tag)
        elif source.reaches(self.position + length):
            self.position += length
        else:
            raise Damage

    def _end_unclosed_sequence(self, source: Source, raw: bytes) -> None:
        """Go on behind a sequence without delimiter, if what stands here can only be the next element outside."""
        outer, sequence_tag = self.frame.parent, self.frame.resumed_tag
        header = regular(raw, self.position, outer.encoding) if outer else None
        if outer is None or header is None or header.tag <= sequence_tag:
            raise Damage
        if not is_trustworthy(header, sequence_tag, outer.encoding):
            raise Damage
        self.repaired = True
        self._pop()

    def _push(self, encoding: Encoding, *, is_sequence: bool, resumed_tag: int) -> None:
        self.frame = Frame(self.frame, encoding, is_sequence, resumed_tag, self.frame.depth + 1)
        self.last_tag = -1

    def _pop(self) -> None:
        if self.frame.parent is None:
            raise Damage
        self.last_tag = self.frame.resumed_tag
        self.frame = self.frame.parent

"""The walk over a data set: from element to element, noting where the wanted values are.

Scope: framing (PS3.5 7). Sequences are passed over with a stack of our own, never by recursion; where a header makes
no sense its other readings are tried in turn, and where one leads nowhere the walk returns to the last fork. Where
the data set begins, and in which encodings it may be, is ``encoding.py``; values are read by ``pydicom_reader.py``.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dicom_pipeline.dicom.dictionary import dictionary_vr, is_private, vr_length_bytes
from dicom_pipeline.dicom.element_header import (
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_DELIMITER,
    ITEM_GROUP,
    SEQUENCE_DELIMITER,
    SHORT_HEADER_BYTES,
    TAG_BYTES,
    UNDEFINED_LENGTH,
    ElementHeader,
    Encoding,
    explicit_twin,
    fits,
    implicit_twin,
    is_trustworthy,
    leads_on,
    readings,
    regular,
    tag_of,
)
from dicom_pipeline.dicom.fields import LAST_WANTED_TAG, WANTED_TAGS
from dicom_pipeline.dicom.forks import Forks, Frame, Place, State
from dicom_pipeline.dicom.header import HeaderError
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.source import Deadline, Source

PIXEL_DATA_TAGS = frozenset({0x7FE0_0008, 0x7FE0_0009, 0x7FE0_0010})
"""Float, Double Float and (integer) Pixel Data: the walk ends here."""

MAX_DEPTH = 1 << 18
"""Sequences and items of undefined length that may be open at once."""

_STEPS_BETWEEN_CLOCK_READINGS = 2048
_FIRST_DATA_SET_TAG = 0x0002_0000
_WANTED_IN_DATA_SET = frozenset(tag for tag in WANTED_TAGS if tag > 0x0002_FFFF)


class DataSetMap(NamedTuple):
    """What a walk found.

    Attributes:
        places: By tag, of the last element with this tag; None where that is a sequence.
        encoding: Encoding of the data set's top level.
    """

    places: Mapping[int, Place | None]
    encoding: Encoding


class _Damage(Exception):
    """The bytes at the current position cannot be followed; ``header`` is what is left of a top-level header."""

    def __init__(self, header: ElementHeader | None = None) -> None:
        super().__init__()
        self.header = header


class Walk:
    """One walk from the beginning of a data set to its pixel data or its end.

    The attributes of its current state are those of ``State``.
    """

    def __init__(self, source: Source, starts: Iterable[tuple[int, Encoding]], deadline: Deadline) -> None:
        """Prepare a walk from the first of ``starts`` (position, encoding) that can be followed to the end."""
        self._source = source
        self._deadline = deadline
        self._forks = Forks()
        for position, encoding in reversed(list(starts)):
            self._forks.add(State(position, Frame(None, encoding, False, -1, 0), -1, {}), [None])
        self._restore(self._forks.take().state)
        self._steps = 0
        self._finished = False
        self._fair_end: DataSetMap | None = None

    def run(self) -> DataSetMap:
        """Walk to the end.

        Raises:
            HeaderError: Unreadable if the data set ends inside an element or cannot be followed before everything
                wanted was passed; LimitExceeded if that would take too long, too deep or too many bytes.
            OSError: The operating system could not read.
        """
        while not self._finished:
            try:
                self._step()
            except _Damage as damage:
                if self._is_harmless(damage.header):
                    self._keep_fair_end()
                else:
                    self._doubt_regular_header()
                if not self._forks:
                    break
                self._take_other_way()
        if self._finished:
            return self._map()
        if self._fair_end is not None:
            return self._fair_end
        limited = self._source.limited or self._forks.exhausted
        raise HeaderError(Reason.LIMIT_EXCEEDED if limited else Reason.UNREADABLE)

    # -- the state and the ways not taken

    def _state(self) -> State:
        return State(
            self._position,
            self._frame,
            self._last_tag,
            dict(self._places),
            self._beyond,
            self._disordered,
            self._stray_seen,
            self._repaired,
        )

    def _restore(self, state: State) -> None:
        self._position, self._frame, self._last_tag = state.position, state.frame, state.last_tag
        self._places = dict(state.places)
        self._beyond, self._disordered = state.beyond, state.disordered
        self._stray_seen, self._repaired = state.stray_seen, state.repaired
        self._regular_before: tuple[int, Frame, int] | None = None

    def _take_other_way(self) -> None:
        state, header = self._forks.take()
        self._restore(state)
        if header is not None:
            self._accept(header)

    def _doubt_regular_header(self) -> None:
        """Make forks of the other readings of the regular header that led to the damage."""
        if self._regular_before is None:
            return
        position, frame, last_tag = self._regular_before
        raw = self._source.peek(position)
        _, *others = readings(raw, position, frame.encoding)
        state = self._state()._replace(position=position, frame=frame, last_tag=last_tag)
        self._forks.add(state, [header for header in others if self._leads_on(header, frame)])

    def _leads_on(self, header: ElementHeader, frame: Frame) -> bool:
        on_top = frame.parent is None
        if on_top and header.tag in PIXEL_DATA_TAGS:
            return True
        return leads_on(self._source, header, frame.encoding, nested=not on_top)

    # -- the end

    def _map(self) -> DataSetMap:
        frame = self._frame
        while frame.parent is not None:
            frame = frame.parent
        return DataSetMap(dict(self._places), frame.encoding)

    def _keep_fair_end(self) -> None:
        """Remember an end at harmless damage; a clean end on another way is better, and so is one that saw more."""
        if self._fair_end is None or len(self._places) > len(self._fair_end.places):
            self._fair_end = self._map()

    def _is_harmless(self, damaged: ElementHeader | None = None) -> bool:
        """Return whether everything wanted was passed before the damage (at ``damaged``, if its tag can be told)."""
        if self._places.keys() >= _WANTED_IN_DATA_SET:
            return True
        if self._disordered:
            return False
        if damaged is None or not is_trustworthy(damaged, self._last_tag):
            return self._beyond
        return damaged.tag > max(LAST_WANTED_TAG, self._last_tag)

    # -- elements

    def _step(self) -> None:
        self._steps += 1
        if self._steps % _STEPS_BETWEEN_CLOCK_READINGS == 0:
            self._check_limits()
        if self._frame.is_sequence:
            self._pass_item()
        else:
            self._pass_element()

    def _check_limits(self) -> None:
        try:
            self._deadline.check()
            if self._frame.depth > MAX_DEPTH:
                raise HeaderError(Reason.LIMIT_EXCEEDED)
        except HeaderError:
            if not self._is_harmless():
                raise
            self._finished = True

    def _pass_element(self) -> None:
        position, frame = self._position, self._frame
        raw = self._source.peek(position)
        header = regular(raw, position, frame.encoding)
        if header is None:
            self._pass_irregular(raw)
        elif not self._may_come(header.tag):
            raise _Damage
        elif self._fits(header):
            self._regular_before = (position, frame, self._last_tag)
            self._accept(header)
        else:
            self._choose_reading(raw, header)

    def _may_come(self, tag: int) -> bool:
        """Return whether the tag is believable after the last one; it need not ascend: data sets out of order exist."""
        if tag > self._last_tag:
            return True
        if tag < _FIRST_DATA_SET_TAG or (self._stray_seen and tag < self._last_tag):
            return False
        return dictionary_vr(tag) is not None or is_private(tag)

    def _fits(self, header: ElementHeader) -> bool:
        """Return whether the element lies within the data, or is the one whose value nobody asks for."""
        on_top = self._frame.parent is None
        return (on_top and header.tag in PIXEL_DATA_TAGS) or fits(self._source, header)

    def _accept(self, header: ElementHeader) -> None:
        """Move behind an element that fits, or into it if its length is undefined."""
        if self._frame.parent is None:
            if header.tag in PIXEL_DATA_TAGS:
                self._finished = True
                return
            self._note(header)
        if header.length == UNDEFINED_LENGTH:
            self._enter(header)
        else:
            self._position, self._last_tag = header.offset + header.length, header.tag

    def _note(self, header: ElementHeader) -> None:
        """Note a top-level element: its place if it is wanted, and what its tag says about the order."""
        tag = header.tag
        if tag < self._last_tag:
            self._disordered = True
        elif tag > LAST_WANTED_TAG:
            self._beyond = self._beyond or is_trustworthy(header, self._last_tag)
        if tag not in WANTED_TAGS:
            return
        self._beyond = self._beyond or tag == LAST_WANTED_TAG
        vr = header.vr.decode("latin-1")
        if vr == "UN" or header.vr not in vr_length_bytes():
            vr = dictionary_vr(tag) or "UN"
        is_sequence = vr == "SQ" or header.length == UNDEFINED_LENGTH
        self._places[tag] = None if is_sequence else Place(vr, header.offset, header.length)

    # -- sequences

    def _enter(self, header: ElementHeader) -> None:
        """Go into a value of undefined length; where its encoding may be another than expected, that is a fork."""
        parent, outer = self._frame, self._frame.encoding
        inner = IMPLICIT_LITTLE if header.vr == b"UN" else explicit_twin(outer) if header.vr else implicit_twin(outer)
        self._position, self._last_tag = header.offset, -1
        self._frame = Frame(parent, outer, True, header.tag, parent.depth + 1)
        if inner is not outer:
            self._forks.add(self._state(), [None])
            self._frame = self._frame._replace(encoding=inner)

    def _leave(self) -> None:
        """Close the innermost sequence or item."""
        if self._frame.parent is None:
            raise _Damage
        self._last_tag = self._frame.resumed_tag
        self._frame = self._frame.parent

    def _pass_item(self) -> None:
        """Pass an item, or the end, of an open sequence (PS3.5 7.5)."""
        raw = self._source.peek(self._position)
        if len(raw) < SHORT_HEADER_BYTES:
            raise _Damage
        tag = tag_of(raw, self._frame.encoding)
        if tag == ITEM:
            self._pass_whole_item(raw)
        elif tag in (SEQUENCE_DELIMITER, ITEM_DELIMITER):
            self._regular_before = None
            self._position += SHORT_HEADER_BYTES
            if tag == SEQUENCE_DELIMITER:
                self._leave()
        else:
            self._end_unclosed_sequence(raw)

    def _pass_whole_item(self, raw: bytes) -> None:
        self._regular_before = None
        frame = self._frame
        length = frame.encoding.without_vr.unpack_from(raw)[2]
        self._position += SHORT_HEADER_BYTES
        if length == UNDEFINED_LENGTH:
            self._frame = Frame(frame, frame.encoding, False, self._last_tag, frame.depth + 1)
            self._last_tag = -1
            return
        if not self._source.reaches(self._position + length):
            raise _Damage
        self._position += length

    def _end_unclosed_sequence(self, raw: bytes) -> None:
        """Go on behind a sequence without delimiter, if what stands here can only be the next element outside."""
        outer, sequence_tag = self._frame.parent, self._frame.resumed_tag
        header = regular(raw, self._position, outer.encoding) if outer else None
        if header is None or header.tag <= sequence_tag or not is_trustworthy(header, sequence_tag):
            raise _Damage
        self._repaired = True
        self._leave()

    # -- what is out of place

    def _pass_irregular(self, raw: bytes) -> None:
        """Pass what is no regular element: the end, a delimiter or item, or a header that makes no sense."""
        if not raw and self._frame.parent is None and self._source.ends_at(self._position):
            self._finished = True
            return
        if len(raw) < TAG_BYTES:
            raise _Damage
        tag = tag_of(raw, self._frame.encoding)
        if tag >> 16 != ITEM_GROUP:
            self._choose_reading(raw, ElementHeader(tag, b"", UNDEFINED_LENGTH, self._position))
        elif len(raw) < SHORT_HEADER_BYTES:
            raise _Damage
        elif self._frame.parent is None:
            self._pass_stray(raw, tag)
        else:
            self._end_item(tag)

    def _pass_stray(self, raw: bytes, tag: int) -> None:
        """Pass a delimiter or a whole item on the top level."""
        if self._repaired or tag not in (ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER):
            raise _Damage
        self._stray_seen = True
        if tag == ITEM:
            self._pass_whole_item(raw)
        else:
            self._regular_before = None
            self._position += SHORT_HEADER_BYTES

    def _end_item(self, tag: int) -> None:
        """End an open item at its delimiter, or, if that is missing, at whatever comes after an item."""
        self._regular_before = None
        following = self._source.peek(self._position + SHORT_HEADER_BYTES)[:TAG_BYTES]
        stray = tag == SEQUENCE_DELIMITER and tag_of(following, self._frame.encoding) == ITEM_DELIMITER
        if tag == ITEM_DELIMITER or stray:
            self._position += SHORT_HEADER_BYTES
        if not stray:
            self._repaired = self._repaired or tag != ITEM_DELIMITER
            self._leave()

    def _choose_reading(self, raw: bytes, found: ElementHeader) -> None:
        """Take the first reading that leads on of a header that cannot be taken as found; the others become forks."""
        position, frame = self._position, self._frame
        if not self._may_come(found.tag) or not self._forks.is_new(position, frame, self._last_tag, self._repaired):
            raise _Damage
        headers = [header for header in readings(raw, position, frame.encoding) if self._leads_on(header, frame)]
        if not headers:
            raise _Damage(found if frame.parent is None else None)
        self._forks.add(self._state(), headers[1:])
        self._accept(headers[0])
        self._regular_before = None

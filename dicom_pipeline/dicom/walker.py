"""The walk over a data set: from element to element, noting where the wanted values are.

Scope: which way to go. Sequences are passed over with a stack of our own (``frames.py``), never by recursion; where a
header makes no sense its other readings are tried in turn, and where one leads nowhere the walk returns to the last
fork (``forks.py``). Where the data set begins, and in which encodings it may be, is ``encoding.py``.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dicom_pipeline.dicom.dictionary import dictionary_vr, is_private, vr_length_bytes
from dicom_pipeline.dicom.element_header import (
    ITEM_GROUP,
    SHORT_HEADER_BYTES,
    TAG_BYTES,
    UNDEFINED_LENGTH,
    ElementHeader,
    Encoding,
    fits,
    is_trustworthy,
    readings,
    regular,
    tag_of,
)
from dicom_pipeline.dicom.fields import LAST_WANTED_TAG, WANTED_TAGS
from dicom_pipeline.dicom.forks import PIXEL_DATA_TAGS, Forks, promising
from dicom_pipeline.dicom.frames import Damage, Frame, Place, State
from dicom_pipeline.dicom.header import HeaderError
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.skim import skim
from dicom_pipeline.dicom.source import Deadline, Source

MAX_DEPTH = 1 << 14
"""Sequences and items of undefined length that may be open at once."""

_STEPS_BETWEEN_CHECKS = 256
_FIRST_DATA_SET_TAG = 0x0002_0000
_LAST_TAG_BEFORE_PIXELS = 0x7FDF_FFFF
_LAST_NESTED_TAG = 0xFFFD_FFFF
_NOTHING: frozenset[int] = frozenset()


class DataSetMap(NamedTuple):
    """What a walk found.

    Attributes:
        places: By tag, of the last element with this tag; None where that is a sequence.
        encoding: Encoding of the data set's top level.
    """

    places: Mapping[int, Place | None]
    encoding: Encoding


class Walk:
    """One walk from the beginning of a data set to its pixel data or its end."""

    def __init__(self, source: Source, starts: Iterable[tuple[int, Encoding]], deadline: Deadline) -> None:
        """Prepare a walk from the first of ``starts`` (position, encoding; one at least) that leads to the end."""
        self._source = source
        self._deadline = deadline
        self._forks = Forks()
        self._starts: Iterator[State] = (State(position, Frame(None, encoding)) for position, encoding in starts)
        self._state = next(self._starts)
        self._regular_before: tuple[int, Frame, int] | None = None
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
            except Damage as damage:
                self._weigh(damage)
                if not self._take_other_way():
                    break
        if self._finished:
            return DataSetMap(self._state.places, self._state.encoding)
        if self._fair_end is not None:
            return self._fair_end
        limited = self._source.limited or self._forks.exhausted
        raise HeaderError(Reason.LIMIT_EXCEEDED if limited else Reason.UNREADABLE)

    def _step(self) -> None:
        self._steps += 1
        if self._steps % _STEPS_BETWEEN_CHECKS == 0:
            self._check_limits()
        if self._state.frame.is_sequence:
            self._state.pass_item(self._source)
            self._regular_before = None
        else:
            self._skim()
            self._pass_element()

    def _check_limits(self) -> None:
        try:
            self._deadline.check()
            if self._state.frame.depth > MAX_DEPTH:
                raise HeaderError(Reason.LIMIT_EXCEEDED)
        except HeaderError:
            if not self._state.is_harmless():
                raise
            self._finished = True

    def _skim(self) -> None:
        """Pass the plain elements in front of the next one that needs a closer look."""
        state = self._state
        if not state.on_top:
            highest, wanted = _LAST_NESTED_TAG, _NOTHING
        else:
            highest, wanted = _LAST_TAG_BEFORE_PIXELS if state.beyond else LAST_WANTED_TAG, WANTED_TAGS
        skimmed = skim(self._source, state, highest, wanted)
        for header in skimmed.headers:
            self._note(header)
        if skimmed.last_position is not None:
            self._regular_before = (skimmed.last_position, state.frame, skimmed.tag_before_last)

    def _pass_element(self) -> None:
        """Pass one element, or whatever else stands here."""
        state = self._state
        raw = self._source.peek(state.position)
        header = regular(raw, state.position, state.frame.encoding)
        if header is None:
            self._pass_irregular(raw)
        elif not self._may_come(header.tag):
            raise Damage
        elif self._prefers_order(header):
            raise Damage(header)
        elif self._is_pixel_data(header) or fits(self._source, header):
            self._regular_before = (state.position, state.frame, state.last_tag)
            self._accept(header)
        else:
            self._choose_reading(raw, header)

    def _pass_irregular(self, raw: bytes) -> None:
        """Pass what is no regular element: the end, a delimiter or item, or a header that makes no sense."""
        state = self._state
        if not raw and state.on_top and self._source.ends_at(state.position):
            self._finished = True
            return
        if len(raw) < TAG_BYTES:
            raise Damage
        tag = tag_of(raw, state.frame.encoding)
        if tag >> 16 != ITEM_GROUP:
            self._choose_reading(raw, ElementHeader(tag, b"", UNDEFINED_LENGTH, state.position))
        elif len(raw) < SHORT_HEADER_BYTES:
            raise Damage
        elif state.on_top:
            state.pass_stray(self._source, raw)
            self._regular_before = None
        else:
            state.end_item(self._source, raw)
            self._regular_before = None

    def _choose_reading(self, raw: bytes, found: ElementHeader) -> None:
        """Take the first reading that leads on of a header that cannot be taken as found; the others become forks."""
        state = self._state
        if not self._may_come(found.tag) or not self._forks.is_new(state):
            raise Damage
        headers = promising(self._source, readings(raw, state.position, state.frame.encoding), state.frame)
        if not headers:
            raise Damage(found if state.on_top else None)
        self._forks.add(state.copy(), headers[1:])
        self._accept(headers[0])
        self._regular_before = None

    def _may_come(self, tag: int) -> bool:
        """Return whether the tag is believable after the last one; it need not ascend: data sets out of order exist."""
        state = self._state
        if tag > state.last_tag:
            return True
        if tag < _FIRST_DATA_SET_TAG or (state.on_top and state.stray_seen and tag < state.last_tag):
            return False
        return dictionary_vr(tag) is not None or is_private(tag)

    def _prefers_order(self, header: ElementHeader) -> bool:
        """Return whether to try every other way before one on which the top level's tags do not ascend."""
        state = self._state
        return state.on_top and header.tag < state.last_tag and self._forks.postpone(state.copy(), header)

    def _is_pixel_data(self, header: ElementHeader) -> bool:
        return header.tag in PIXEL_DATA_TAGS and self._state.on_top

    def _accept(self, header: ElementHeader) -> None:
        """Move behind an element that fits, or into it if its length is undefined; at pixel data the walk is over."""
        state = self._state
        if self._is_pixel_data(header):
            self._finished = True
            return
        if state.on_top:
            self._judge_order(header)
            if header.tag in WANTED_TAGS:
                self._note(header)
        if header.length != UNDEFINED_LENGTH:
            state.position, state.last_tag = header.offset + header.length, header.tag
            return
        other = state.enter(header)
        if other is not None:
            self._forks.add(other)

    def _judge_order(self, header: ElementHeader) -> None:
        """Learn from a top-level tag how far the walk has come, and whether the data set is in order."""
        state = self._state
        if header.tag < state.last_tag:
            state.disordered = True
        elif header.tag > LAST_WANTED_TAG:
            state.beyond = state.beyond or is_trustworthy(header, state.last_tag, state.frame.encoding)

    def _note(self, header: ElementHeader) -> None:
        """Note where a wanted top-level element is; of repeated ones the last counts."""
        tag, vr = header.tag, header.vr.decode("latin-1")
        if vr == "UN" or header.vr not in vr_length_bytes():
            vr = dictionary_vr(tag) or "UN"
        is_sequence = vr == "SQ" or header.length == UNDEFINED_LENGTH
        self._state.places[tag] = None if is_sequence else Place(vr, header.offset, header.length)
        self._state.beyond = self._state.beyond or tag == LAST_WANTED_TAG

    def _weigh(self, damage: Damage) -> None:
        """Remember an end at harmless damage, else look for other ways.

        A clean end on another way is better than a harmless one, and so is one that saw more. Where a way got farther
        but out of order, damage is not harmless, whatever shorter ways make of it.
        """
        state = self._state
        if state.is_harmless(damage.header):
            if self._fair_end is None or len(state.places) > len(self._fair_end.places):
                self._fair_end = DataSetMap(state.places, state.encoding)
            return
        if state.disordered:
            self._fair_end = None
        self._doubt_regular_header()

    def _doubt_regular_header(self) -> None:
        """Make forks of the other readings of the regular header that led to the damage."""
        if self._regular_before is None:
            return
        position, frame, last_tag = self._regular_before
        _, *others = readings(self._source.peek(position), position, frame.encoding)
        state = self._state.copy()
        state.position, state.frame, state.last_tag = position, frame, last_tag
        self._forks.add(state, promising(self._source, others, frame))

    def _take_other_way(self) -> bool:
        """Go on from the newest fork, or from the next start once there is none; return False at the end of all."""
        self._regular_before = None
        way = self._forks.take()
        if way is not None:
            self._state = way.state.copy()
            if way.header is not None:
                self._accept(way.header)
            return True
        if self._fair_end is not None:
            return False
        start = next(self._starts, None)
        if start is not None:
            self._state = start
        return start is not None

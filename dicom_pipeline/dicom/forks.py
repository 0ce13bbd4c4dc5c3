"""The memory of a walk: the ways it has not tried yet.

Scope: forks and their bounds, and which readings of a header are worth one. When to add a fork and when to return to
one is decided in ``walker.py``.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from dicom_pipeline.dicom.element_header import ElementHeader, Prospect, prospect
from dicom_pipeline.dicom.frames import Frame, State
from dicom_pipeline.dicom.source import Source

PIXEL_DATA_TAGS = frozenset({0x7FE0_0008, 0x7FE0_0009, 0x7FE0_0010})
"""Float, Double Float and (integer) Pixel Data: the walk ends here."""

MAX_OPEN_WAYS = 256
"""Ways remembered at once; the oldest is forgotten first."""

MAX_RETURNS = 10_000
"""How often a walk may go back."""


def promising(source: Source, headers: Iterable[ElementHeader], frame: Frame) -> list[ElementHeader]:
    """Return the readings of a header that lead on, those with the better prospect first."""
    prospects = {header: _prospect(source, header, frame) for header in headers}
    return sorted((h for h, p in prospects.items() if p), key=lambda header: -prospects[header])


def _prospect(source: Source, header: ElementHeader, frame: Frame) -> Prospect:
    on_top = frame.parent is None
    if on_top and header.tag in PIXEL_DATA_TAGS:
        return Prospect.GOOD
    return prospect(source, header, frame.encoding, nested=not on_top)


class Way(NamedTuple):
    """A state and the header to take there; None if the walk is to look for itself."""

    state: State
    header: ElementHeader | None


class Forks:
    """The untried ways of a walk, newest first."""

    def __init__(self) -> None:
        self._ways: deque[Way] = deque(maxlen=MAX_OPEN_WAYS)
        self._explored: set[tuple[int, int, int, bool]] = set()
        self._returns = 0

    def add(self, state: State, headers: Iterable[ElementHeader | None] = (None,)) -> None:
        """Remember one way for each header, the first to be tried first; the state must not change any more."""
        self._ways.extend(reversed([Way(state, header) for header in headers]))

    def postpone(self, state: State, header: ElementHeader) -> bool:
        """Remember a way to be tried after all others; return False, and don't, if there are no others."""
        if not self._ways or len(self._ways) == MAX_OPEN_WAYS:
            return False
        self._ways.appendleft(Way(state, header))
        return True

    def take(self) -> Way | None:
        """Remove and return the newest way, if there is one and the walk may still go back."""
        if not self._ways or self.exhausted:
            return None
        self._returns += 1
        return self._ways.pop()

    @property
    def exhausted(self) -> bool:
        """Whether the walk has gone back as often as it may."""
        return self._returns >= MAX_RETURNS

    def is_new(self, state: State) -> bool:
        """Return whether an irregular header is met in this state for the first time.

        Meeting it again after a return means that the ways from here have failed already.
        """
        key = (state.position, state.frame.depth, state.last_tag, state.repaired)
        if key in self._explored:
            return False
        self._explored.add(key)
        return True

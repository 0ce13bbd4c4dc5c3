"""The memory of a walk: the state it can go back to, and the ways it has not tried yet.

Scope: states, forks and their bounds. When to add a fork and when to return to one is decided in ``walker.py``.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from dicom_pipeline.dicom.element_header import ElementHeader, Encoding

MAX_OPEN_FORKS = 256
"""Ways remembered at once; the oldest is forgotten first."""

MAX_RETURNS = 10_000
"""How often a walk may go back."""


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
    is_sequence: bool
    resumed_tag: int
    depth: int


class State(NamedTuple):
    """All that a walk has to remember to go on from a position.

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
    last_tag: int
    places: dict[int, Place | None]
    beyond: bool = False
    disordered: bool = False
    stray_seen: bool = False
    repaired: bool = False


class Way(NamedTuple):
    """A state and the header to take there; None if the walk is to look for itself."""

    state: State
    header: ElementHeader | None


class Forks:
    """The untried ways of a walk, newest first."""

    def __init__(self) -> None:
        self._ways: deque[Way] = deque(maxlen=MAX_OPEN_FORKS)
        self._explored: set[tuple[int, int, int, bool]] = set()
        self._returns = 0

    def __bool__(self) -> bool:
        return bool(self._ways) and self._returns < MAX_RETURNS

    @property
    def exhausted(self) -> bool:
        """Whether ways were left untried because ``MAX_RETURNS`` was reached."""
        return bool(self._ways) and self._returns >= MAX_RETURNS

    def add(self, state: State, headers: Iterable[ElementHeader | None]) -> None:
        """Remember one way for each header, the first to be tried first."""
        self._ways.extend(reversed([Way(state, header) for header in headers]))

    def take(self) -> Way:
        """Remove and return the newest way."""
        self._returns += 1
        return self._ways.pop()

    def is_new(self, position: int, frame: Frame, last_tag: int, repaired: bool) -> bool:
        """Return whether an irregular header is met here for the first time.

        Meeting it again after a return means that the ways from here have failed already.
        """
        key = (position, frame.depth, last_tag, repaired)
        if key in self._explored:
            return False
        self._explored.add(key)
        return True

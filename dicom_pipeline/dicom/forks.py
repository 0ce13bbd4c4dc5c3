"""The memory of a walk: the ways it has not tried yet.

Scope: forks and their bounds. When to add a fork and when to return to one is decided in ``walker.py``.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from dicom_pipeline.dicom.element_header import ElementHeader
from dicom_pipeline.dicom.frames import State

MAX_OPEN_WAYS = 256
"""Ways remembered at once; the oldest is forgotten first."""

MAX_RETURNS = 10_000
"""How often a walk may go back."""


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

"""What a peer is.

Scope: the interface, and the forms in which peers hand back values.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

Row: TypeAlias = Sequence[object]
"""One file's values, in the order of ``wanted.FIELDS``."""


class Rows(Protocol):
    """What a peer made of files."""

    def rows(self) -> Iterable[Row | None]:
        """Yield a row a file, in their order, None for one that could not be read; not part of the measurement."""


Prepared: TypeAlias = Callable[[Sequence[str]], Callable[[], Rows]]
"""Takes paths, as an archive's listing has them, and returns the work that is measured."""


class Peer(Protocol):
    """A way to read headers.

    Attributes:
        slow: Whether it gets the sample only.
        does: What is measured, for the report.
    """

    @property
    def slow(self) -> bool:
        """See the class."""

    @property
    def does(self) -> str:
        """See the class."""

    def prepare(self) -> Prepared:
        """Import, compile and start what is needed.

        Raises:
            Unavailable: It is not installed here.
        """


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows that a peer has as a list already."""

    found: list[Row | None]

    def rows(self) -> Iterable[Row | None]:
        """Yield the rows."""
        return self.found


def of_paths(read: Callable[[Sequence[str]], Rows]) -> Prepared:
    """Return a reader of plain paths as what is prepared."""
    return lambda paths: partial(read, paths)


class Nothing:
    """What the floor has: it reads bytes and makes nothing of them."""

    def rows(self) -> Iterable[Row | None]:
        """Yield nothing."""
        return ()

"""dicomsdl: a C++ reader with Python values.

Scope: opening each file up to the last wanted attribute and asking for each. Empty files are kept from it.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.extraction.peers.base import Listed, Prepared, Row, Rows
from benchmarks.extraction.wanted import KEYWORDS, TAGS
from benchmarks.rounds import Unavailable


@dataclass(frozen=True, slots=True)
class DicomSdl:
    """``open_file(load_until=…)`` and ``getattr``."""

    slow: bool = False
    does: str = "open_file(load_until=last wanted), getattr; tuples"

    def prepare(self) -> Prepared:
        """See ``Peer``."""
        try:
            import dicomsdl
        except ImportError:
            raise Unavailable("not installed (pip install dicomsdl)") from None
        dicomsdl.set_loglevel(dicomsdl.LogLevel.DISABLE)
        last = max(TAGS)

        def read_one(path: str) -> Row | None:
            try:
                dataset = dicomsdl.open_file(path, last)
                return tuple([getattr(dataset, keyword) for keyword in KEYWORDS])
            except (dicomsdl.DicomException, RuntimeError, UnicodeError):
                return None

        def prepared(paths: Sequence[str]) -> Callable[[], Rows]:
            # On an empty file it frees memory twice, and the process is gone.
            given = [path if os.path.getsize(path) else None for path in paths]
            return lambda: Listed([read_one(path) if path else None for path in given])

        return prepared

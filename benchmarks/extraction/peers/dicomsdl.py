"""dicomsdl: a C++ reader with Python values.

Scope: opening each file up to the last wanted attribute and asking for each.
"""

from dataclasses import dataclass

from benchmarks.extraction.peers.base import Listed, Prepared, Row, of_paths
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

        return of_paths(lambda paths: Listed([read_one(path) for path in paths]))

"""GDCM's Scanner through python-gdcm: made for exactly this, wanted tags of many files.

Scope: one scan of all files, and fetching each value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.extraction.peers.base import Listed, Prepared, Row, Rows, of_paths
from benchmarks.extraction.wanted import TAGS
from benchmarks.rounds import Unavailable


@dataclass(frozen=True, slots=True)
class GdcmScanner:
    """``Scanner.Scan`` and ``GetValue``."""

    slow: bool = True
    does: str = "Scanner.Scan (C++), GetValue of each; tuples of text"

    def prepare(self) -> Prepared:
        """See ``Peer``."""
        try:
            import gdcm
        except ImportError:
            raise Unavailable("not installed (pip install python-gdcm)") from None
        gdcm.Trace.WarningOff()
        gdcm.Trace.ErrorOff()
        tags = [gdcm.Tag(tag >> 16, tag & 0xFFFF) for tag in TAGS]

        def read(paths: Sequence[str]) -> Rows:
            scanner = gdcm.Scanner()
            for tag in tags:
                scanner.AddTag(tag)
            scanner.Scan(list(paths))
            found: list[Row | None] = [
                tuple([scanner.GetValue(path, tag) for tag in tags]) if scanner.IsKey(path) else None for path in paths
            ]
            return Listed(found)

        return of_paths(read)

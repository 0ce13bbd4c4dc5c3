"""Ours.

Scope: this project's readers, whose result is the finished, typed Arrow table with outcomes and findings.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from benchmarks.extraction.peers.base import Prepared, Row
from benchmarks.extraction.wanted import FIELDS
from benchmarks.ours import Extract, extractor, listing


@dataclass(frozen=True, slots=True)
class Ours:
    """One of our readers."""

    reader: str
    threads: int = 1
    slow: bool = False

    @property
    def does(self) -> str:
        """See ``Peer``."""
        return f"reader {self.reader}, {self.threads} at a time; Arrow table, typed and judged"

    def prepare(self) -> Prepared:
        """See ``Peer``."""
        extract = extractor(self.reader, self.threads)
        return lambda paths: partial(_extracted, extract, listing(paths))


@dataclass(frozen=True, slots=True)
class _Extracted:
    batches: list[pa.RecordBatch]

    def rows(self) -> Iterable[Row | None]:
        """Yield the values of accepted files."""
        for batch in self.batches:
            columns = [batch.column(field.name).to_pylist() for field in FIELDS]
            accepted = batch.column("outcome").to_pylist()
            for outcome, *values in zip(accepted, *columns, strict=True):
                yield values if outcome == "accepted" else None


def _extracted(extract: Extract, files: list[pa.RecordBatch]) -> _Extracted:
    return _Extracted(extract(files))

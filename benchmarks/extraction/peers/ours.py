"""Ours.

Scope: this project's readers, whose result is the finished, typed Arrow table with outcomes and findings.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from benchmarks.extraction.peers.base import Row, Rows
from benchmarks.extraction.wanted import FIELDS
from benchmarks.ours import extractor


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

    def prepare(self) -> Callable[[Sequence[str]], Rows]:
        """See ``Peer``."""
        extract = extractor(self.reader, self.threads)
        return lambda paths: _Extracted(extract(paths))


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

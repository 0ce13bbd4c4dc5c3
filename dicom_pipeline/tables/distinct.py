"""Distinct values over a stream of batches: combinations of columns, and texts that should be unique.

Scope: the bookkeeping behind rules about uniqueness and constancy. What the columns mean is the rules' affair.
"""

import numpy as np
import pyarrow as pa

from dicom_pipeline.tables.digest import Words, text_words
from dicom_pipeline.tables.flat import is_flat, text_places

_COMPACT_AT_LEAST = 1 << 16


class DistinctRows:
    """Remembers each combination of values once, and how many rows had it. NULL is a value like others.

    Memory grows with the number of different combinations, not with the number of rows.
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = list(columns)
        self._parts: list[pa.Table] = []
        self._compact_at = _COMPACT_AT_LEAST

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch, which has at least these columns."""
        if not batch.num_rows:
            return
        # group_by copies, so that the batch's buffers can go.
        varying = [name for name in self._columns if not _is_one_value(batch.column(name))]
        rows = pa.Table.from_batches([batch.select(varying or self._columns[:1])])
        counted = rows.group_by(rows.column_names, use_threads=False).aggregate([([], "count_all")])
        self._parts.append(self._completed(counted, batch))
        if sum(part.num_rows for part in self._parts) > self._compact_at:
            self._merge()
            self._compact_at = max(_COMPACT_AT_LEAST, 2 * self._parts[0].num_rows)

    def table(self) -> pa.Table | None:
        """Return the columns and ``rows`` (int64), in no order; None if no row was added."""
        if len(self._parts) > 1:
            self._merge()
        return self._parts[0] if self._parts else None

    def _completed(self, counted: pa.Table, batch: pa.RecordBatch) -> pa.Table:
        """Return the counted rows with the columns that have the same value in all of them."""
        grouped = set(counted.column_names)
        columns = [
            counted.column(name) if name in grouped else pa.repeat(batch.column(name)[0], counted.num_rows)
            for name in self._columns
        ]
        return pa.table([*columns, counted.column("count_all")], [*self._columns, "rows"])

    def _merge(self) -> None:
        merged = pa.concat_tables(self._parts).group_by(self._columns, use_threads=False)
        self._parts = [merged.aggregate([("rows", "sum")]).rename_columns([*self._columns, "rows"])]


def _is_one_value(column: pa.Array) -> bool:
    return column.null_count == len(column) or is_flat(column)


class UniqueTexts:
    """Watches texts of which each should stand once: 8 bytes and the text itself are kept of each."""

    def __init__(self) -> None:
        self._words: list[Words] = []
        self._texts: list[pa.StringArray] = []

    def add(self, texts: pa.StringArray) -> None:
        """Look at the next texts; NULL is none."""
        texts = texts.drop_null() if texts.null_count else texts
        self._words.append(text_words(texts))
        self._texts.append(_copied(texts))

    def repeated(self) -> dict[str, int]:
        """Return the texts that stand more than once, in order of first appearance, and how often."""
        words = np.sort(np.concatenate(self._words)) if self._words else np.zeros(0, np.uint64)
        suspects = words[1:][words[1:] == words[:-1]]
        if not len(suspects):
            return {}
        counts: dict[str, int] = {}
        for own, texts in zip(self._words, self._texts, strict=True):
            for text in texts.filter(pa.array(np.isin(own, suspects))).to_pylist():
                counts[text] = counts.get(text, 0) + 1
        # Different texts may have the same word.
        return {text: count for text, count in counts.items() if count > 1}


def _copied(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts in buffers of their own: a batch's column may keep all of the batch in memory."""
    places = text_places(texts)
    data = texts.buffers()[2]
    content = data.slice(int(places[0]), int(places[-1] - places[0])).to_pybytes() if data else b""
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer((places - places[0]).tobytes()), pa.py_buffer(content))

"""Distinct combinations of some columns over a stream of batches.

Scope: the bookkeeping behind rules about uniqueness and constancy. What the columns mean is the rules' affair.
"""

import pyarrow as pa

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
        rows = pa.Table.from_batches([batch.select(self._columns)])
        # group_by copies, so that the batch's buffers can go; one thread, so that the order is that of appearance.
        counted = rows.group_by(self._columns, use_threads=False).aggregate([([], "count_all")])
        self._parts.append(counted.rename_columns([*self._columns, "rows"]))
        if sum(part.num_rows for part in self._parts) > self._compact_at:
            self._merge()
            self._compact_at = max(_COMPACT_AT_LEAST, 2 * self._parts[0].num_rows)

    def table(self) -> pa.Table | None:
        """Return the columns and ``rows`` (int64), in order of first appearance; None if no batch was added."""
        if len(self._parts) > 1:
            self._merge()
        return self._parts[0] if self._parts else None

    def _merge(self) -> None:
        merged = pa.concat_tables(self._parts).group_by(self._columns, use_threads=False)
        self._parts = [merged.aggregate([("rows", "sum")]).rename_columns([*self._columns, "rows"])]

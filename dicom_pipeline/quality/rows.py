"""A batch of staged rows, and what several rules ask of it, answered once.

Scope: telling rows apart by their outcome. What is wrong with them is the rules' affair.
"""

from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.tables.rows import ACCEPTED, REJECTED


class StagedRows:
    """Rows that follow ``metadata_schema()``."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self.batch.num_rows)

    def column(self, name: str) -> pa.Array:
        """Return a column of all rows."""
        return self.batch.column(name)

    @cached_property
    def is_accepted(self) -> pa.BooleanArray:
        """Which rows are accepted files."""
        return pc.equal(self.column("outcome"), ACCEPTED)

    @cached_property
    def is_rejected(self) -> pa.BooleanArray:
        """Which rows are rejected files."""
        return pc.equal(self.column("outcome"), REJECTED)

    @cached_property
    def accepted(self) -> pa.RecordBatch:
        """The accepted rows."""
        return self.batch if self.is_accepted.true_count == self.count else self.batch.filter(self.is_accepted)

    @cached_property
    def rejected(self) -> pa.RecordBatch:
        """The rejected rows."""
        return self.batch.filter(self.is_rejected)

    @cached_property
    def rejected_have_values(self) -> bool:
        """Whether a rejected row has a value that is read from a header, which it should not."""
        rows = self.rejected
        return bool(rows.num_rows) and any(rows.column(f.name).null_count < rows.num_rows for f in HEADER_FIELDS)

    @cached_property
    def valued(self) -> pa.RecordBatch:
        """All rows that may have values: what is not wrong in them is not wrong in any row.

        The accepted ones where all is as it should be, else all.
        """
        known = self.is_accepted.true_count + self.is_rejected.true_count == self.count
        return self.accepted if known and not self.rejected_have_values else self.batch

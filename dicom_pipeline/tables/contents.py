"""What a slice of a table holds, as far as it is compared: its digest, and its series with their numbers.

Scope: looking at the rows of one table while their batches pass by, whether they come from staging or back from a
database. What is made of it is ``quality/reconcile.py``'s affair.
"""

from dataclasses import dataclass

import pyarrow as pa

from dicom_pipeline.dicom.fields import IMAGE, STATE, TableSpec
from dicom_pipeline.tables.digest import SliceDigest, SliceDigester
from dicom_pipeline.tables.distinct import DistinctRows
from dicom_pipeline.tables.schemas import table_schema

SERIES_KEY = ("study_uid", "series_uid")
INSTANCES = "series_related_instances"
# By name: to hash a whole table's description takes longer than to look at the rows of a small date.
_SERIES_OF = {IMAGE.name: SERIES_KEY, STATE.name: (*SERIES_KEY, INSTANCES)}


@dataclass(frozen=True, slots=True)
class SliceContents:
    """One table's slice.

    Attributes:
        digest: Count and digest of its rows.
        series: ``study_uid``, ``series_uid`` and ``rows``, of ``dicom_state_meta`` also ``series_related_instances``:
            each combination once, with how many rows have it. Without rows for a table that has no series.
    """

    digest: SliceDigest
    series: pa.Table


class ContentsObserver:
    """Gathers the contents of a slice of one table from its batches."""

    def __init__(self, table: TableSpec) -> None:
        self._digester = SliceDigester(table)
        names = _SERIES_OF.get(table.name, ())
        self._series = DistinctRows(names) if names else None
        self._table = table

    def update(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows, which have at least the table's columns that are not volatile."""
        self._digester.update(batch)
        if self._series is not None:
            self._series.add(batch)

    def result(self) -> SliceContents:
        """Return what was seen so far."""
        series = self._series.table() if self._series is not None else None
        return SliceContents(self._digester.result(), _no_series(self._table) if series is None else series)


def _no_series(table: TableSpec) -> pa.Table:
    columns = [table_schema(table).field(name) for name in _SERIES_OF.get(table.name, ())]
    return pa.schema([*columns, pa.field("rows", pa.int64())]).empty_table()

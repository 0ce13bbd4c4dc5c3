"""Which rows a load wrote, whatever the database: seen in PostgreSQL's rows, or in what Doris is sent."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dicom_pipeline.dicom.fields import SLICE_TABLES, TableSpec
from dicom_pipeline.warehouse.doris.stream_load import LoadRequest, Outcome, StreamLoader
from dicom_pipeline_tests.warehouse.conftest import Store
from dicom_pipeline_tests.warehouse.doris.cluster import DorisDatabase

Written = dict[str, set[str]]
"""By table the last column of the key of each row that was written or deleted; no ledger."""


@contextmanager
def watching(store: Store) -> Iterator[Written]:
    """Fill what is given with the rows that are written meanwhile."""
    written: Written = {table.name: set() for table in SLICE_TABLES}
    with _sent(written) if isinstance(store, DorisDatabase) else _changed(store, written):
        yield written


def sent_rows(request: LoadRequest) -> pa.Table:
    """Return the rows of a load's body, which must be Parquet."""
    request.body.stream.seek(0)
    return pq.read_table(pa.py_buffer(request.body.stream.read()))


@contextmanager
def _sent(written: Written) -> Iterator[None]:
    load = StreamLoader.load

    def noted(self: StreamLoader, request: LoadRequest) -> Outcome:
        outcome = load(self, request)
        table = next((table for table in SLICE_TABLES if table.name == request.table), None)
        if table is not None and outcome is Outcome.LOADED:
            written[table.name] |= set(sent_rows(request)[table.key[-1]].to_pylist())
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StreamLoader, "load", noted)
        yield


@contextmanager
def _changed(store: Store, written: Written) -> Iterator[None]:
    before = {table.name: _versions(store, table) for table in SLICE_TABLES}
    yield
    for table in SLICE_TABLES:
        written[table.name] |= {key for key, _ in before[table.name] ^ _versions(store, table)}


def _versions(store: Store, table: TableSpec) -> set[tuple[str, str]]:
    """Return which transaction wrote each row last, and where it lies."""
    found = store.query(f"SELECT {table.key[-1]}, concat(xmin, ' ', ctid) FROM {table.name}")
    return {(str(key), str(version)) for key, version in found}

"""Reading Doris back as Arrow, streamed.

Scope: the queries that give rows, contents and overviews. The MySQL protocol sends text; a batch of rows becomes
columns of texts, and Arrow converts each column at once. ``DOUBLE`` is exact if the server writes as many digits as
tell it apart from its neighbours. A digest is computed here and never by the server, whose texts of numbers and times
differ between versions.
"""

import datetime as dt
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeAlias

import pyarrow as pa
import pymysql
from pymysql.cursors import Cursor, SSCursor

from dicom_pipeline.dicom.fields import LOAD, SLICE_TABLES, TableSpec
from dicom_pipeline.tables.contents import ContentsObserver, SliceContents
from dicom_pipeline.warehouse.base import OVERVIEW_SCHEMA, LastLoad, Slice, selected_schema, started_reader
from dicom_pipeline.warehouse.doris import sql
from dicom_pipeline.warehouse.doris.connection import run
from dicom_pipeline.warehouse.doris.errors import translated

_ROWS_A_BATCH = 8192

Session: TypeAlias = "pymysql.Connection[Cursor]"
Connect: TypeAlias = Callable[[], Session]
"""Makes a session that is its caller's to close."""


def read(
    connect: Connect,
    database: str,
    table: TableSpec,
    slices: Sequence[Slice] | None,
    columns: Sequence[str] | None,
) -> pa.RecordBatchReader:
    """Return a reader of the table's rows, in the key's order; it has a session to itself until it ends.

    Raises:
        WarehouseError: A column is not the table's, or the server refused; also while the reader is being read.
    """
    schema = selected_schema(table, columns)
    targets: list[Slice | None] = [None] if slices is None else [*sorted(set(slices))]
    queries = [sql.select(database, table, schema.names, target, ordered=True) for target in targets]
    return started_reader(schema, _of_own_session(connect, table, queries, schema))


def _of_own_session(
    connect: Connect, table: TableSpec, queries: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    session = connect()
    try:
        with translated(f"reading {table.name}"):
            for query in queries:
                yield from _batches(session, query, schema)
    finally:
        # A result that is not read to its end makes a polite farewell wait for all its rows.
        session._force_close()


def slice_batches(
    session: Session, database: str, table: TableSpec, target: Slice, columns: Sequence[str] | None = None
) -> Generator[pa.RecordBatch, None, None]:
    """Stream a slice's rows, in no order; the generator must be read to its end, or the session closed."""
    schema = selected_schema(table, columns)
    with translated(f"reading {table.name}"):
        yield from _batches(session, sql.select(database, table, schema.names, target), schema)


def contents(session: Session, database: str, table: TableSpec, target: Slice) -> SliceContents:
    """Return digest and series of the slice's rows, read back in one pass."""
    steady = [field.name for field in table.fields if not field.volatile]
    observer = ContentsObserver(table)
    with closing(slice_batches(session, database, table, target, steady)) as batches:
        for batch in batches:
            observer.update(batch)
    return observer.result()


def dates(session: Session, database: str, tenant_id: str) -> set[dt.date]:
    """Return the tenant's dates in any slice table."""
    found = (row for table in SLICE_TABLES for row in run(session, sql.dates(database, table, tenant_id)))
    return {dt.date.fromisoformat(str(date)) for (date,) in found}


def tenants(session: Session, database: str) -> set[str]:
    """Return the tenants that have rows in any slice table."""
    return {str(name) for table in SLICE_TABLES for (name,) in run(session, sql.tenants(database, table))}


def last_loads(session: Session, database: str, tenant_id: str) -> dict[dt.date, LastLoad]:
    """Return the ledger's latest row of each of the tenant's dates; none where the ledger does not exist."""
    if not run(session, sql.table_type(database, LOAD)):
        return {}
    return {
        dt.date.fromisoformat(date): LastLoad(run_id, version, dt.datetime.fromisoformat(finished), *map(int, counts))
        for date, finished, run_id, version, *counts in run(session, sql.latest_loads(database, tenant_id))
    }


def overview(session: Session, database: str, tenant_id: str) -> pa.Table:
    """Return series and instances a study date and modality, as the state table counts them."""
    return pa.Table.from_batches([_batch(run(session, sql.overview(database, tenant_id)), OVERVIEW_SCHEMA)])


def _batches(session: Session, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with session.cursor(SSCursor) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(_ROWS_A_BATCH):
            yield _batch(rows, schema)


def _batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [_column(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _column(values: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    import pyarrow.compute as pc

    texts = pa.array(values, pa.string())
    if pa.types.is_time(kind):
        # Arrow reads a time of day only as the end of a moment.
        moments = pc.binary_join_element_wise(pa.scalar("1970-01-01"), texts, " ")
        return moments.cast(pa.timestamp("us")).cast(kind)
    return texts if pa.types.is_string(kind) else texts.cast(kind)

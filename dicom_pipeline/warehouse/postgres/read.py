"""Reading the warehouse back as Arrow, streamed.

Scope: the queries that give rows, digests and overviews. ADBC reads by binary COPY and gives record batches, which
takes no bound parameters; so tenant and date are written into the query, quoted: the planner sees at once the one
partition they are in, however many there are. Slices are read one after another in one snapshot: tenant and date lead
every key, so that is the key's order too.
"""

import datetime as dt
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa

from dicom_pipeline.dicom.fields import LOAD, SLICE_TABLES, STATE, TableSpec
from dicom_pipeline.tables.contents import ContentsObserver, SliceContents
from dicom_pipeline.tables.schemas import conformed
from dicom_pipeline.warehouse.base import OVERVIEW_SCHEMA, LastLoad, Slice, selected_schema, started_reader
from dicom_pipeline.warehouse.postgres.ddl import names, quote_name, quote_text
from dicom_pipeline.warehouse.postgres.errors import translated
from dicom_pipeline.warehouse.postgres.readers import ReaderPool

_DATES = """
WITH RECURSIVE days AS (
    SELECT min({date}) AS day FROM {table} WHERE tenant_id = %(tenant)s
    UNION ALL
    SELECT (SELECT min({date}) FROM {table} WHERE tenant_id = %(tenant)s AND {date} > days.day)
    FROM days WHERE days.day IS NOT NULL
)
SELECT day FROM days WHERE day IS NOT NULL
"""
# One probe of the key a date, and the few loads of that date: a ledger of many years holds a thousand times more.
_LAST_LOADS = """
WITH RECURSIVE days AS (
    SELECT min(partition_date) AS day FROM {table} WHERE tenant_id = %(tenant)s
    UNION ALL
    SELECT (SELECT min(partition_date) FROM {table} WHERE tenant_id = %(tenant)s AND partition_date > days.day)
    FROM days WHERE days.day IS NOT NULL
)
SELECT day, last.* FROM days CROSS JOIN LATERAL (
    SELECT run_id, code_version, finished_time, files_listed, files_accepted, files_rejected
    FROM {table} WHERE tenant_id = %(tenant)s AND partition_date = day ORDER BY finished_time DESC LIMIT 1
) last
"""
_TENANTS = """
WITH RECURSIVE tenants AS (
    SELECT min(tenant_id) AS tenant FROM {table}
    UNION ALL
    SELECT (SELECT min(tenant_id) FROM {table} WHERE tenant_id > tenants.tenant)
    FROM tenants WHERE tenants.tenant IS NOT NULL
)
SELECT tenant FROM tenants WHERE tenant IS NOT NULL
"""
_OVERVIEW = """
SELECT study_date, modality, count(*), coalesce(sum(series_related_instances), 0)::bigint
FROM {table} WHERE tenant_id = %s GROUP BY study_date, modality ORDER BY study_date, modality NULLS LAST
"""


def read(
    readers: ReaderPool, table: TableSpec, slices: Sequence[Slice] | None, columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    """Return a reader of the table's rows, in the key's order; it has a connection to itself until it ends.

    Raises:
        WarehouseError: A column is not the table's, or the server refused; also while the reader is being read.
    """
    schema = selected_schema(table, columns)
    batches = _stream(readers, table, None if slices is None else sorted(set(slices)), schema, ordered=True)
    return started_reader(schema, batches)


def contents(readers: ReaderPool, table: TableSpec, target: Slice) -> SliceContents:
    """Return digest and series of the slice's rows, read back in one pass."""
    steady = [field.name for field in table.fields if not field.volatile]
    observer = ContentsObserver(table)
    with closing(_stream(readers, table, [target], selected_schema(table, steady), ordered=False)) as batches:
        for batch in batches:
            observer.update(batch)
    return observer.result()


def dates(connection: psycopg.Connection, tenant_id: str) -> set[dt.date]:
    """Return the tenant's dates in any slice table: one index probe a date, however many rows a date has."""
    found: set[dt.date] = set()
    for table in SLICE_TABLES:
        query = _DATES.format(date=quote_name(table.date_column), table=quote_name(table.name))
        found |= {row[0] for row in connection.execute(query.encode(), {"tenant": tenant_id})}
    return found


def last_loads(connection: psycopg.Connection, tenant_id: str) -> dict[dt.date, LastLoad]:
    """Return the ledger's latest row of each of the tenant's dates; none where the ledger does not exist."""
    found = connection.execute("SELECT to_regclass(%s)", (quote_name(LOAD.name),)).fetchone()
    if found is None or found[0] is None:
        return {}
    rows = connection.execute(_LAST_LOADS.format(table=quote_name(LOAD.name)).encode(), {"tenant": tenant_id})
    return {row[0]: LastLoad(*row[1:]) for row in rows}


def tenants(connection: psycopg.Connection) -> set[str]:
    """Return the tenants that have rows in any slice table: one index probe a tenant and table."""
    found: set[str] = set()
    for table in SLICE_TABLES:
        found |= {row[0] for row in connection.execute(_TENANTS.format(table=quote_name(table.name)).encode())}
    return found


def overview(connection: psycopg.Connection, tenant_id: str) -> pa.Table:
    """Return series and instances a study date and modality, as the state table counts them."""
    rows = connection.execute(_OVERVIEW.format(table=quote_name(STATE.name)).encode(), (tenant_id,)).fetchall()
    columns = list(zip(*rows, strict=True)) or [()] * len(OVERVIEW_SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, OVERVIEW_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=OVERVIEW_SCHEMA)


def _stream(
    readers: ReaderPool, table: TableSpec, slices: Sequence[Slice] | None, schema: pa.Schema, *, ordered: bool
) -> Generator[pa.RecordBatch, None, None]:
    order = f" ORDER BY {names(table.key)}" if ordered else ""
    query = f"SELECT {names(tuple(schema.names))} FROM {quote_name(table.name)}"
    with translated(f"reading {table.name}"), readers.cursor() as cursor:
        if slices is None:
            yield from _batches(cursor, query + order, schema)
            return
        for target in slices:
            yield from _batches(cursor, f"{query} WHERE {_in_slice(table, target)}{order}", schema)


def _in_slice(table: TableSpec, target: Slice) -> str:
    date = quote_text(target.date.isoformat())
    return f"tenant_id = {quote_text(target.tenant_id)} AND {quote_name(table.date_column)} = date {date}"


def _batches(cursor: Any, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    cursor.execute(query)
    for batch in cursor.fetch_record_batch():
        yield conformed(batch, schema)

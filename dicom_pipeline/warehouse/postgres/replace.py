"""Replacing a slice: one transaction after which a tenant's date holds exactly the given rows.

Scope: the order of statements and what each changes. A table's slice that holds nothing is copied into directly; one
that is found to hold the rows already is left alone, and the rows are not even looked at. Otherwise they go to a
temporary table first; then what vanished is deleted, what differs updated, what is new inserted, and an unchanged row
is not written at all. Readers see the old slice until the commit.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

import psycopg
import pyarrow as pa

from dicom_pipeline.dicom.fields import IMAGE, LOAD, SLICE_TABLES, TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.tables.contents import ContentsObserver, SliceContents
from dicom_pipeline.tables.digest import SliceDigest, digest_batches
from dicom_pipeline.warehouse.base import PARTITIONED, ArrowSource, LoadFacts, Slice, TableChange, ledger_row
from dicom_pipeline.warehouse.incoming import check_tables
from dicom_pipeline.warehouse.postgres.copy import copy_rows
from dicom_pipeline.warehouse.postgres.ddl import PARTITION_FUNCTION, names, quote_name

_LIMITS = (
    "SET LOCAL lock_timeout = '10min'",
    "SET LOCAL statement_timeout = '1h'",
    "SET LOCAL idle_in_transaction_session_timeout = '10min'",
)
_CREATED, _UPDATED = "created_time", "updated_time"

ReadBack: TypeAlias = Callable[[TableSpec, Slice], SliceContents]
"""Reads a table's slice as others see it, outside of the transaction that holds its lock."""


def replace_slice(
    connection: psycopg.Connection,
    read_back: ReadBack,
    target: Slice,
    tables: Mapping[str, ArrowSource],
    facts: LoadFacts,
    digests: Mapping[str, SliceDigest],
) -> dict[str, TableChange]:
    """Make the slice hold exactly ``tables`` and write the ledger, in one transaction; see the Warehouse protocol.

    The partitions are made before it, in a moment of their own: an empty partition that a failed load leaves behind
    changes no table's content. What is read back is what was committed last: whoever else would load the slice waits
    for the lock.
    """
    check_tables(tables)
    with connection.transaction(), connection.cursor() as cursor:
        _begin(cursor)
        _make_partitions(cursor, target)
    changes: dict[str, TableChange] = {}
    digest = SliceDigest(0, "")
    with connection.transaction(), connection.cursor() as cursor:
        _begin(cursor)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(target),))
        filled = _filled_tables(cursor, target)
        for table in SLICE_TABLES:
            rows, known = tables[table.name], digests.get(table.name)
            replace = _replace_rows if table.name in filled else _fill_table
            changes[table.name], found = replace(cursor, read_back, table, rows, known, target)
            digest = found if table is IMAGE else digest
        _write_ledger(cursor, target, facts, changes[IMAGE.name], digest)
    return changes


def lock_key(target: Slice) -> int:
    """Return the slice's advisory lock: a signed 64-bit number, the same in every version and on every machine."""
    name = f"dicom-pipeline\0{target.tenant_id}\0{target.date.isoformat()}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big", signed=True)


def _begin(cursor: psycopg.Cursor) -> None:
    """Fix what a server's or role's defaults could change: each statement sees what others committed before it."""
    cursor.execute("; ".join(("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE", *_LIMITS)).encode())


def _make_partitions(cursor: psycopg.Cursor, target: Slice) -> None:
    calls = ", ".join(f"{PARTITION_FUNCTION}('{table.name}', %(date)s)" for table in PARTITIONED)
    cursor.execute(f"SELECT {calls}".encode(), {"date": target.date})


def _filled_tables(cursor: psycopg.Cursor, target: Slice) -> set[str]:
    """Return the names of the tables whose slice holds rows; the slice is locked."""
    asked = ", ".join(f"EXISTS (SELECT FROM {quote_name(t.name)} t WHERE {_in_slice(t)})" for t in SLICE_TABLES)
    cursor.execute(f"SELECT {asked}".encode(), {"tenant": target.tenant_id, "date": target.date})
    found = cursor.fetchone() or ()
    return {table.name for table, holds_rows in zip(SLICE_TABLES, found, strict=True) if holds_rows}


def _fill_table(
    cursor: psycopg.Cursor,
    read_back: ReadBack,
    table: TableSpec,
    rows: ArrowSource,
    known: SliceDigest | None,
    target: Slice,
) -> tuple[TableChange, SliceDigest]:
    """Replace a slice that holds nothing."""
    del read_back
    nothing = ContentsObserver(table).result()
    if known == nothing.digest:
        return TableChange(inserted=0, updated=0, deleted=0, rows=0, read_back=nothing), known
    written = _copied(cursor, table.name, table, rows, known, target)
    return TableChange(inserted=written.rows, updated=0, deleted=0, rows=written.rows), written


def _replace_rows(
    cursor: psycopg.Cursor,
    read_back: ReadBack,
    table: TableSpec,
    rows: ArrowSource,
    known: SliceDigest | None,
    target: Slice,
) -> tuple[TableChange, SliceDigest]:
    """Replace a slice that holds rows."""
    if known is None and isinstance(rows, pa.Table):
        known = digest_batches(table, rows.to_batches())
    if known is not None and (found := read_back(table, target)).digest == known:
        return TableChange(inserted=0, updated=0, deleted=0, rows=known.rows, read_back=found), known
    return _merge_rows(cursor, table, rows, known, target)


def _copied(
    cursor: psycopg.Cursor, into: str, table: TableSpec, rows: ArrowSource, known: SliceDigest | None, target: Slice
) -> SliceDigest:
    written = copy_rows(cursor, into, table, rows, target)
    if known is not None and written != known:
        raise WarehouseError(f"{table.name}: the rows changed between their check and their load: run the date again")
    return written


def _merge_rows(
    cursor: psycopg.Cursor, table: TableSpec, rows: ArrowSource, known: SliceDigest | None, target: Slice
) -> tuple[TableChange, SliceDigest]:
    incoming = f"incoming_{table.name}"
    cursor.execute(
        f"CREATE TEMPORARY TABLE {quote_name(incoming)} (LIKE {quote_name(table.name)}) ON COMMIT DROP".encode()
    )
    written = _copied(cursor, incoming, table, rows, known, target)
    cursor.execute(f"CREATE UNIQUE INDEX ON {quote_name(incoming)} ({names(table.key_in_slice)})".encode())
    cursor.execute(f"ANALYZE {quote_name(incoming)} ({names(table.key_in_slice)})".encode())
    counts = []
    for statement in (delete_vanished(table), update_changed(table), insert_new(table)):
        cursor.execute(statement.encode(), {"tenant": target.tenant_id, "date": target.date})
        counts.append(cursor.rowcount)
    deleted, updated, inserted = counts
    return TableChange(inserted=inserted, updated=updated, deleted=deleted, rows=written.rows), written


def _in_slice(table: TableSpec) -> str:
    return f"t.tenant_id = %(tenant)s AND t.{quote_name(table.date_column)} = %(date)s"


def _same_row(table: TableSpec) -> str:
    return " AND ".join(f"t.{quote_name(name)} = s.{quote_name(name)}" for name in table.key_in_slice)


def delete_vanished(table: TableSpec) -> str:
    """Return the statement that deletes the slice's rows that the incoming table doesn't have."""
    return (
        f"DELETE FROM {quote_name(table.name)} t WHERE {_in_slice(table)}"
        f" AND NOT EXISTS (SELECT FROM {quote_name('incoming_' + table.name)} s WHERE {_same_row(table)})"
    )


def update_changed(table: TableSpec) -> str:
    """Return the statement that overwrites rows of which any compared column differs.

    ``created_time`` stays where ``updated_time`` tells of the change. A table without it (rejects) holds for each row
    when it first came to be as it is, so there every volatile column is written anew.
    """
    columns = {field.name for field in table.fields}
    kept = {*table.key, *({_CREATED} if _UPDATED in columns else ())}
    written = ", ".join(f"{quote_name(f.name)} = s.{quote_name(f.name)}" for f in table.fields if f.name not in kept)
    return (
        f"UPDATE {quote_name(table.name)} t SET {written} FROM {quote_name('incoming_' + table.name)} s"
        f" WHERE {_in_slice(table)} AND {_same_row(table)}"
        f" AND ({names(table.compared, 't.')}) IS DISTINCT FROM ({names(table.compared, 's.')})"
    )


def insert_new(table: TableSpec) -> str:
    """Return the statement that inserts the incoming rows that the slice doesn't have."""
    return (
        f"INSERT INTO {quote_name(table.name)} ({names(table.fields)})"
        f" SELECT {names(table.fields, 's.')} FROM {quote_name('incoming_' + table.name)} s"
        f" WHERE NOT EXISTS (SELECT FROM {quote_name(table.name)} t WHERE {_in_slice(table)} AND {_same_row(table)})"
    )


def _write_ledger(
    cursor: psycopg.Cursor, target: Slice, facts: LoadFacts, images: TableChange, digest: SliceDigest
) -> None:
    """Write the ledger's row; the same attempt told twice keeps its first row, which has what was really changed."""
    row = ledger_row(target, facts, images, digest)
    values = ", ".join(f"%({field.name})s" for field in LOAD.fields)
    statement = f"INSERT INTO {quote_name(LOAD.name)} ({names(LOAD.fields)}) VALUES ({values}) ON CONFLICT DO NOTHING"
    cursor.execute(statement.encode(), row)

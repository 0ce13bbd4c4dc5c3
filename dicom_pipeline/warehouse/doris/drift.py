"""Preparing the database: creating what is missing, refusing what differs.

Scope: comparing ``information_schema`` with the field table, and the statements that make them agree. Tables are never
reflected: a dialect of MySQL cannot read what Doris says of them. One type has several spellings, which differ between
versions; all of them count. Partitions, properties, indexes and grants are the administrator's and not compared.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pymysql

from dicom_pipeline.dicom.fields import ALL_TABLES, Field, Kind, TableSpec
from dicom_pipeline.errors import SchemaDrift, WarehouseUnavailable
from dicom_pipeline.warehouse.doris import sql
from dicom_pipeline.warehouse.doris.connection import run, run_named
from dicom_pipeline.warehouse.doris.read import Session
from dicom_pipeline.warehouse.doris.url import DorisUrl

_CHANGE_SECONDS = 300.0
_UNDER_WAY = ("PENDING", "WAITING_TXN", "RUNNING")
_SPELLINGS: dict[Kind, re.Pattern[str]] = {
    Kind.DATE: re.compile(r"date(v2)?\Z"),
    Kind.TIMESTAMP: re.compile(r"datetime(v2)?\(6\)\Z"),
    Kind.INT32: re.compile(r"int(eger)?(\(\d+\))?\Z"),
    Kind.INT64: re.compile(r"bigint(\(\d+\))?\Z"),
    Kind.FLOAT64: re.compile(r"double(\(\d+\))?\Z"),
}
_REPEATING = ("DUP", "AGG")
"""Keys of Doris's other kinds of tables."""
_VARCHAR = re.compile(r"varchar(\((?P<bytes>\d+)\))?\Z")


@dataclass(frozen=True, slots=True)
class _Found:
    """A column as the database has it.

    Attributes:
        bytes: A VARCHAR's length, None for other types.
        key: Empty outside of the key, else the kind of key, ``UNI`` for a table of unique rows.
    """

    type: str
    bytes: int | None
    nullable: bool
    key: str


@dataclass(frozen=True, slots=True)
class Drift:
    """How the database's tables stand against the field table.

    Attributes:
        missing: Tables that do not exist; nothing is wrong with that.
        addable: Nullable columns that existing tables lack.
        lengthened: Columns outside of the key whose VARCHAR is shorter than it should be.
        differences: Everything that differs in existing tables, those included, one line each.
    """

    missing: list[TableSpec] = field(default_factory=list)
    addable: list[tuple[TableSpec, Field]] = field(default_factory=list)
    lengthened: list[tuple[TableSpec, Field]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def prepare(
    session: Session, url: DorisUrl, *, allow_schema_evolution: bool, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Create the database and missing tables; with ``allow_schema_evolution`` also add and lengthen columns.

    A database that is as it should be is only read.

    Raises:
        SchemaDrift: An existing table differs in more than may be changed, or Doris cancelled the change.
        WarehouseUnavailable: A change of columns did not end in time.
    """
    if not database_exists(session, url):
        run(session, sql.create_database(url.database))
    drift = find_drift(session, url)
    mendable = len(drift.addable) + len(drift.lengthened) if allow_schema_evolution else 0
    if len(drift.differences) > mendable:
        raise SchemaDrift(drift.differences)
    for table in drift.missing:
        making = sql.create_table(url.database, table, replication_num=url.replication_num, buckets=url.buckets)
        run(session, making)
    for table, column in drift.addable:
        _change(session, url, (table, column), sql.add_column(url.database, table, column), sleep)
    for table, column in drift.lengthened:
        _change(session, url, (table, column), sql.lengthen_column(url.database, table, column), sleep)
    if mendable and (left := find_drift(session, url).differences):
        raise SchemaDrift(left)


def database_exists(session: Session, url: DorisUrl) -> bool:
    """Return whether the database is there, and the account may see it."""
    return bool(run(session, sql.database_exists(url.database)))


def find_drift(session: Session, url: DorisUrl) -> Drift:
    """Compare every table of the field table with what is there."""
    drift = Drift()
    for table in ALL_TABLES:
        kind = run(session, sql.table_type(url.database, table))
        if not kind:
            drift.missing.append(table)
        elif kind[0][0] != "BASE TABLE":
            drift.differences.append(f"{table.name} is not a table of Doris's own")
        else:
            _compare(drift, table, _columns(session, url, table))
    return drift


def _columns(session: Session, url: DorisUrl, table: TableSpec) -> dict[str, _Found]:
    found = {}
    for name, spelled, data_type, length, nullable, key in run(session, sql.columns(url.database, table)):
        kind = (spelled or data_type or "").lower()
        varchar = _VARCHAR.match(kind)
        size = (varchar["bytes"] or length) if varchar else None
        found[str(name)] = _Found(
            type=f"varchar({size})" if varchar else kind,
            bytes=int(size) if size else None,
            nullable=str(nullable).upper() == "YES",
            key=str(key or "").upper(),
        )
    return found


def _compare(drift: Drift, table: TableSpec, found: dict[str, _Found]) -> None:
    for column in table.fields:
        place = f"{table.name}.{column.name}"
        is_there = found.get(column.name)
        if is_there is None:
            drift.differences.append(f"{place} is missing")
            if column.nullable:
                drift.addable.append((table, column))
            continue
        if not _has_type(is_there, column):
            drift.differences.append(f"{place} is {is_there.type} instead of {sql.sql_type(column).lower()}")
            if _is_short(is_there, column) and column.name not in table.key:
                drift.lengthened.append((table, column))
        if is_there.nullable != column.nullable:
            is_now, should_be = ("nullable", "NOT NULL") if is_there.nullable else ("NOT NULL", "nullable")
            drift.differences.append(f"{place} is {is_now} instead of {should_be}")
    known = {column.name for column in table.fields}
    drift.differences.extend(
        f"{table.name}.{name} is not a column of this version" for name in found if name not in known
    )
    key = tuple(name for name, is_there in found.items() if is_there.key)
    if any(is_there.key in _REPEATING for is_there in found.values()):
        drift.differences.append(f"{table.name} is not a table of unique rows")
    # A server that tells of no key at all tells nothing.
    elif key and key != table.key:
        drift.differences.append(f"{table.name} has the key ({', '.join(key)}) instead of ({', '.join(table.key)})")


def _has_type(found: _Found, column: Field) -> bool:
    if column.kind in _SPELLINGS:
        return _SPELLINGS[column.kind].match(found.type) is not None
    return found.bytes == sql.varchar_bytes(column)


def _is_short(found: _Found, column: Field) -> bool:
    return found.bytes is not None and column.kind not in _SPELLINGS and found.bytes < sql.varchar_bytes(column)


def _change(
    session: Session,
    url: DorisUrl,
    wanted: tuple[TableSpec, Field],
    statement: str,
    sleep: Callable[[float], None],
) -> None:
    """Change a column and wait until that is done: one change a table at a time is all that Doris takes."""
    table = wanted[0]
    try:
        run(session, statement)
    except pymysql.Error:
        left = find_drift(session, url)
        # Another session may have been faster with the same change, and Doris calls the second one an error.
        if wanted in (*left.addable, *left.lengthened):
            raise
    pause, waited = 0.1, 0.0
    while _state_of_change(session, url, table) in _UNDER_WAY:
        if waited > _CHANGE_SECONDS:
            raise WarehouseUnavailable(f"{table.name}: the change of its columns is still under way; try again later")
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, 5.0)


def _state_of_change(session: Session, url: DorisUrl, table: TableSpec) -> str:
    changes = run_named(session, sql.column_changes(url.database, table))
    return changes[0]["State"].upper() if changes else ""

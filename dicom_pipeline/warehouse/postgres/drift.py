"""Preparing the database: creating what is missing, refusing what differs.

Scope: comparing the catalogue with the field table, and the statements that make them agree. Partitions, further
indexes and grants are the administrator's and not compared.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from dicom_pipeline.dicom.fields import ALL_TABLES, Field, TableSpec
from dicom_pipeline.errors import SchemaDrift, WarehouseError
from dicom_pipeline.warehouse.base import PARTITIONED
from dicom_pipeline.warehouse.postgres import ddl

_PREPARE_LOCK = 0x6469_636F_6D5F_6464

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
FROM pg_attribute a WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEY = """
SELECT array_agg(a.attname::text ORDER BY k.place)
FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place), pg_attribute a
WHERE i.indrelid = to_regclass(%s) AND i.indisprimary AND a.attrelid = i.indrelid AND a.attnum = k.attnum
"""
_RELATION = "SELECT relkind::text, pg_get_partkeydef(oid) FROM pg_class WHERE oid = to_regclass(%s)"
_SCHEMA = """
SELECT coalesce(
    (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)),
    current_schema())
"""
_FUNCTION = """
SELECT p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND p.proname = %s
"""


@dataclass(frozen=True, slots=True)
class Drift:
    """How the database's tables stand against the field table.

    Attributes:
        missing: Tables that do not exist; nothing is wrong with that.
        addable: Nullable columns that existing tables lack.
        differences: Everything that differs in existing tables, ``addable`` included, one line each.
    """

    missing: tuple[TableSpec, ...]
    addable: tuple[tuple[TableSpec, Field], ...]
    differences: tuple[str, ...]


def prepare(connection: psycopg.Connection, *, allow_schema_evolution: bool) -> None:
    """Create missing tables and the partition function; with ``allow_schema_evolution`` also missing nullable columns.

    A database that is already as it should be is only read, so a role without rights to create anything may call it.

    Raises:
        SchemaDrift: An existing table differs in more than may be added.
        WarehouseError: The connection's search path names no schema to create tables in.
    """
    schema = home_schema(connection)
    if _is_prepared(connection, schema):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_PREPARE_LOCK,))
        drift = find_drift(connection)
        if len(drift.differences) > (len(drift.addable) if allow_schema_evolution else 0):
            raise SchemaDrift(list(drift.differences))
        for statement in _statements(connection, drift, schema):
            connection.execute(statement.encode())


def find_drift(connection: psycopg.Connection) -> Drift:
    """Compare every table of the field table with the database's catalogue."""
    missing, addable, differences = [], [], []
    for table in ALL_TABLES:
        found = {name: (kind, required) for name, kind, required in _rows(connection, _COLUMNS, table)}
        if not found:
            missing.append(table)
            continue
        absent = [field for field in table.fields if field.name not in found]
        addable += [(table, field) for field in absent if field.nullable]
        differences += _column_differences(table, found)
        differences += _relation_differences(connection, table)
    return Drift(tuple(missing), tuple(addable), tuple(differences))


def _is_prepared(connection: psycopg.Connection, schema: str) -> bool:
    drift = find_drift(connection)
    return not drift.missing and not drift.differences and has_function(connection, schema)


def _statements(connection: psycopg.Connection, drift: Drift, schema: str) -> list[str]:
    statements = []
    for table in drift.missing:
        statements += [ddl.create_table(table), *ddl.comments(table)]
    for table, field in drift.addable:
        statements += ddl.add_column(table, field)
    if not has_function(connection, schema):
        statements += ddl.partition_function(schema)
    return statements


def _column_differences(table: TableSpec, found: dict[str, tuple[str, bool]]) -> list[str]:
    lines = []
    for field in table.fields:
        if field.name not in found:
            lines.append(f"{table.name}.{field.name} is missing")
            continue
        kind, required = found[field.name]
        if kind != ddl.sql_type(field):
            lines.append(f"{table.name}.{field.name} is {kind} instead of {ddl.sql_type(field)}")
        if required == field.nullable:
            is_now, should_be = ("NOT NULL", "nullable") if required else ("nullable", "NOT NULL")
            lines.append(f"{table.name}.{field.name} is {is_now} instead of {should_be}")
    known = {field.name for field in table.fields}
    return lines + [f"{table.name}.{name} is not a column of this version" for name in found if name not in known]


def _relation_differences(connection: psycopg.Connection, table: TableSpec) -> list[str]:
    partitioned = table in PARTITIONED
    expected = ("p", f"RANGE ({table.date_column})") if partitioned else ("r", None)
    if next(iter(_rows(connection, _RELATION, table)), None) != expected:
        wanted = f"a table partitioned by range of {table.date_column}" if partitioned else "an ordinary table"
        return [f"{table.name} is not {wanted}"]
    key = next(iter(_rows(connection, _KEY, table)))[0] or []
    if tuple(key) != table.key:
        return [f"{table.name} has the primary key ({', '.join(key)}) instead of ({', '.join(table.key)})"]
    return []


def _rows(connection: psycopg.Connection, query: str, table: TableSpec) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), (ddl.quote_name(table.name),)).fetchall()


def home_schema(connection: psycopg.Connection) -> str:
    """Return the schema of the tables: where they are, or where they would be made.

    Raises:
        WarehouseError: The connection's search path names no schema to create tables in.
    """
    found = connection.execute(_SCHEMA.encode(), (ddl.quote_name(ALL_TABLES[0].name),)).fetchone()
    if found is None or found[0] is None:
        raise WarehouseError("the connection's search_path names no schema that the role may use for the tables")
    return str(found[0])


def has_function(connection: psycopg.Connection, schema: str) -> bool:
    """Return whether the partition function is there, as this version writes it."""
    found = connection.execute(_FUNCTION.encode(), (schema, ddl.PARTITION_FUNCTION)).fetchone()
    return found is not None and found[0] == ddl.partition_function_body(schema)

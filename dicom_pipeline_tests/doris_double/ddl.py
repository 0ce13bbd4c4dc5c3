"""Carrying out definitions: databases, tables, views.

Scope: what Doris checks of a ``CREATE TABLE`` that its grammar does not (the rules of ``ColumnDefinition``,
``CreateTableInfo`` and the data-model pages), and DROP. Partitions are in ``partitions.py``, columns in ``alter.py``.
"""

import re

from dicom_pipeline_tests.doris_double.catalog import Column, Database, Table
from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.partitions import partition_from
from dicom_pipeline_tests.doris_double.statements import ColumnDefinition, CreateTable
from dicom_pipeline_tests.doris_double.values import ColumnType
from dicom_pipeline_tests.doris_double.words import words

DEFAULT_REPLICAS = 3
LONGEST_VARCHAR = 65533
LONGEST_CHAR = 255
LONGEST_COLUMN_NAME = 256
_TABLE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9\-_]*")
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9\-_]{0,63}")
_HIDDEN_PREFIXES = ("mv_", "mva_", "__doris_")
_KNOWN_PROPERTIES = frozenset(
    words("""
    replication_num enable_unique_key_merge_on_write light_schema_change group_commit_mode
    group_commit_interval_ms function_column.sequence_col store_row_column storage_format compression
    """)
)


def checked_name(name: str, what: str) -> str:
    """Return the name of a database or partition, which must be a proper one."""
    if not _NAME.fullmatch(name):
        raise DorisError(f"Incorrect {what} name '{name}'")
    return name


def table_from(statement: CreateTable, backends: int) -> Table:
    """Return the table a statement defines.

    Raises:
        DorisError: Doris would not make such a table.
    """
    if not _TABLE_NAME.fullmatch(statement.name.name):
        raise DorisError(f"Incorrect table name '{statement.name.name}'")
    columns = tuple(checked_column(definition) for definition in statement.columns)
    _check_column_names(columns)
    _check_properties(statement, columns, backends)
    key = statement.key or (columns[0].name,)
    _check_key(columns, key)
    table = Table(
        name=statement.name.name,
        columns=columns,
        key=tuple(column.name for column in columns[: len(key)]),
        unique=statement.key_kind == "UNIQUE",
        comment=statement.comment,
        partition_column=statement.partition_column,
        hash_columns=statement.hash_columns,
        buckets=statement.buckets,
        properties=dict(statement.properties),
    )
    _check_placement(table)
    for definition in statement.partitions:
        partition = partition_from(table, definition, table.partitions)
        table.partitions[partition.name] = partition
    return table


def checked_column(definition: ColumnDefinition) -> Column:
    """Return the column a definition gives."""
    name, column = definition.name, definition.type
    if not name or len(name) > LONGEST_COLUMN_NAME or name.lower().startswith(_HIDDEN_PREFIXES):
        raise DorisError(f"Incorrect column name '{name}'")
    if column.name in ("TIME",):
        raise DorisError(f"Time type is not supported for olap table, column: {name}")
    longest = {"VARCHAR": LONGEST_VARCHAR, "CHAR": LONGEST_CHAR}.get(column.name)
    if longest is not None and not 1 <= column.most_bytes <= longest:
        raise DorisError(f"{column.name} size must be <= {longest}: {column.most_bytes}")
    if column.name == "DATETIME" and not 0 <= (column.length or 0) <= 6:
        raise DorisError(f"Scale of Datetime/Time must between 0 and 6. Scale was set to: {column.length}")
    return Column(name, column, definition.nullable, definition.comment)


def _check_column_names(columns: tuple[Column, ...]) -> None:
    seen = set()
    for column in columns:
        if column.name.lower() in seen:
            raise DorisError(f"Duplicate column name '{column.name}'")
        seen.add(column.name.lower())


def _check_properties(statement: CreateTable, columns: tuple[Column, ...], backends: int) -> None:
    properties = statement.properties
    unknown = sorted(set(properties) - _KNOWN_PROPERTIES)
    if unknown:
        raise DorisError(f"Unknown properties: {{{', '.join(f'{name}={properties[name]}' for name in unknown)}}}")
    for name in ("enable_unique_key_merge_on_write", "light_schema_change"):
        if properties.get(name, "true").lower() not in ("true", "false"):
            raise DorisError(f"{name} must be `true` or `false`")
    if "enable_unique_key_merge_on_write" in properties and statement.key_kind != "UNIQUE":
        raise DorisError("enable_unique_key_merge_on_write property only support unique key table")
    sequence = properties.get("function_column.sequence_col")
    if sequence is not None and sequence.lower() not in {column.name.lower() for column in columns}:
        raise DorisError(f"The specified sequence column[{sequence}] not exists")
    if not properties.get("replication_num", "1").isdigit() or properties.get("replication_num") == "0":
        raise DorisError("Replication num should be a positive number")
    replicas = int(properties.get("replication_num", DEFAULT_REPLICAS))
    if replicas > backends:
        raise DorisError(
            "replication num should be less than the number of available backends. "
            f"replication num is {replicas}, available backend num is {backends}"
        )


def _check_key(columns: tuple[Column, ...], key: tuple[str, ...]) -> None:
    names = [column.name.lower() for column in columns]
    for name in key:
        if name.lower() not in names:
            raise DorisError(f"Key column[{name}] doesn't exist.")
    if names[: len(key)] != [name.lower() for name in key]:
        raise DorisError("Key columns should be a ordered prefix of the schema. KeyColumns[starts from zero]")
    for column in columns[: len(key)]:
        check_key_type(column.name, column.type)


def check_key_type(name: str, column: ColumnType) -> None:
    """Refuse a type that a key cannot have."""
    if column.name in ("FLOAT", "DOUBLE"):
        raise DorisError(f"Float or double can not used as a key, use decimal instead. column: {name}")
    if column.name == "STRING":
        raise DorisError(f"String Type should not be used in key column[{name}].")
    if column.name in ("JSON", "BITMAP", "VARIANT"):
        raise DorisError(f"{column.name} type should not be used in key column[{name}].")


def _check_placement(table: Table) -> None:
    keys = {name.lower() for name in table.key}
    if table.partition_column is not None:
        column = table.columns[table.position(table.partition_column)]
        if table.unique and column.name.lower() not in keys:
            raise DorisError("Merge-on-Write table's partition column must be KEY column")
        if column.nullable:
            raise DorisError(f"The partition column {column.name} must be NOT NULL")
        if column.type.name not in ("DATE", "DATETIME"):
            raise DorisError(f"the double partitions by dates only, not by {column.type.name}")
    for name in table.hash_columns:
        table.position(name)
        if table.unique and name.lower() not in keys:
            raise DorisError(f"Distribution column[{name}] is not key column")
    if not table.hash_columns and table.unique:
        raise DorisError("Create unique keys table should not contain random distribution desc")
    if table.buckets < 1:
        raise DorisError("Buckets number of distribution should be greater than zero.")


def drop(database: Database, name: str, *, if_exists: bool, view: bool) -> None:
    """Drop a table or view."""
    table = database.tables.get(name)
    if table is None:
        if if_exists:
            return
        raise DorisError(f"Unknown table '{name}' in {database.name}", 1051)
    if (table.view is not None) != view:
        raise DorisError(f"'{database.name}.{name}' is not {'VIEW' if view else 'BASE TABLE'}", 1347)
    del database.tables[name]

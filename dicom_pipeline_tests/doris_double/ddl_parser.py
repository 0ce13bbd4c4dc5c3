"""Understanding definitions.

Scope: ``CREATE``, ``DROP`` and ``ALTER TABLE``, with the clauses in the order of ``DorisParser.g4``, which takes no
other: columns, ENGINE, KEY, COMMENT, PARTITION, DISTRIBUTED, PROPERTIES.
"""

from dicom_pipeline_tests.doris_double.cursor import Cursor
from dicom_pipeline_tests.doris_double.select_parser import parse_select
from dicom_pipeline_tests.doris_double.statements import (
    AddPartition,
    AlterColumn,
    ColumnDefinition,
    CreateDatabase,
    CreateTable,
    CreateView,
    Drop,
    DropPartition,
    Name,
    RangeDefinition,
    ReplacePartition,
    Statement,
)
from dicom_pipeline_tests.doris_double.tokens import Kind
from dicom_pipeline_tests.doris_double.values import ColumnType
from dicom_pipeline_tests.doris_double.words import words

_PLAIN_TYPES = words("BOOLEAN TINYINT SMALLINT INT BIGINT LARGEINT FLOAT DOUBLE DATE STRING TIME JSON BITMAP VARIANT")
_DEFAULT_BUCKETS = 10


def parse_create(cursor: Cursor) -> Statement:
    """Take a ``CREATE``."""
    cursor.expect("CREATE")
    if cursor.accept("DATABASE"):
        if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
        return CreateDatabase(cursor.name(), if_not_exists)
    if cursor.accept("VIEW"):
        name = cursor.table()
        cursor.expect("AS")
        return CreateView(name, parse_select(cursor))
    cursor.expect("TABLE")
    return _create_table(cursor)


def parse_drop(cursor: Cursor) -> Drop:
    """Take a ``DROP``."""
    cursor.expect("DROP")
    for what in ("TABLE", "VIEW", "DATABASE"):
        if cursor.accept(what):
            if_exists = cursor.accept("IF", "EXISTS")
            return Drop(what, Name(cursor.name()) if what == "DATABASE" else cursor.table(), if_exists)
    return cursor.refuse()


def parse_alter(cursor: Cursor) -> Statement:
    """Take an ``ALTER TABLE``."""
    cursor.expect("ALTER", "TABLE")
    table = cursor.table()
    if cursor.accept("REPLACE"):
        return _replace_partition(cursor, table)
    adds = cursor.accept("ADD")
    if adds and cursor.accept("COLUMN"):
        definition = _column(cursor)
        return AlterColumn(table, "ADD", definition.name, definition)
    if not adds and cursor.accept("MODIFY", "COLUMN"):
        definition = _column(cursor)
        return AlterColumn(table, "MODIFY", definition.name, definition)
    if not adds:
        cursor.expect("DROP")
        if cursor.accept("COLUMN"):
            return AlterColumn(table, "DROP", cursor.name())
    temporary = cursor.accept("TEMPORARY")
    cursor.expect("PARTITION")
    return _add_partition(cursor, table, temporary) if adds else _drop_partition(cursor, table, temporary)


def _add_partition(cursor: Cursor, table: Name, temporary: bool) -> AddPartition:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    return AddPartition(table, _range(cursor), if_not_exists, temporary)


def _drop_partition(cursor: Cursor, table: Name, temporary: bool) -> DropPartition:
    if_exists = cursor.accept("IF", "EXISTS")
    return DropPartition(table, cursor.name(), if_exists, temporary)


def _replace_partition(cursor: Cursor, table: Name) -> ReplacePartition:
    cursor.expect("PARTITION")
    partitions = cursor.bracketed(cursor.name)
    cursor.expect("WITH", "TEMPORARY", "PARTITION")
    temporary = cursor.bracketed(cursor.name)
    properties = cursor.properties() if cursor.accept("PROPERTIES") else {}
    return ReplacePartition(table, partitions, temporary, properties)


def _create_table(cursor: Cursor) -> CreateTable:
    if_not_exists = cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.table()
    columns = cursor.bracketed(lambda: _column(cursor))
    if cursor.accept("ENGINE"):
        cursor.accept("=")
        cursor.expect("OLAP")
    key_kind, key = _key(cursor)
    comment = cursor.text() if cursor.accept("COMMENT") else ""
    partition_column, partitions = _partitioning(cursor)
    hash_columns, buckets = _distribution(cursor)
    properties = cursor.properties() if cursor.accept("PROPERTIES") else {}
    return CreateTable(
        name,
        if_not_exists,
        columns,
        key_kind,
        key,
        comment,
        partition_column,
        partitions,
        hash_columns,
        buckets,
        properties,
    )


def _key(cursor: Cursor) -> tuple[str | None, tuple[str, ...]]:
    for kind in ("UNIQUE", "DUPLICATE"):
        if cursor.accept(kind, "KEY"):
            return kind, cursor.bracketed(cursor.name)
    return None, ()


def _partitioning(cursor: Cursor) -> tuple[str | None, tuple[RangeDefinition, ...]]:
    if not cursor.accept("PARTITION", "BY", "RANGE"):
        return None, ()
    (column,) = cursor.bracketed(cursor.name)
    if cursor.accept("(", ")"):
        return column, ()
    return column, cursor.bracketed(lambda: _created_range(cursor))


def _created_range(cursor: Cursor) -> RangeDefinition:
    cursor.expect("PARTITION")
    return _range(cursor)


def _distribution(cursor: Cursor) -> tuple[tuple[str, ...], int]:
    if not cursor.accept("DISTRIBUTED", "BY"):
        return (), _DEFAULT_BUCKETS
    if cursor.accept("RANDOM"):
        hashed: tuple[str, ...] = ()
    else:
        cursor.expect("HASH")
        hashed = cursor.bracketed(cursor.name)
    if not cursor.accept("BUCKETS") or cursor.accept("AUTO"):
        return hashed, _DEFAULT_BUCKETS
    return hashed, cursor.number()


def _column(cursor: Cursor) -> ColumnDefinition:
    name = cursor.name()
    column_type = _type(cursor)
    nullable = cursor.accept("NULL") or not cursor.accept("NOT", "NULL")
    comment = cursor.text() if cursor.accept("COMMENT") else ""
    return ColumnDefinition(name, column_type, nullable, comment)


def _type(cursor: Cursor) -> ColumnType:
    word = cursor.take(Kind.WORD).upper()
    if word in ("VARCHAR", "CHAR"):
        (length,) = cursor.bracketed(cursor.number)
        return ColumnType(word, length)
    if word == "DATETIME":
        return ColumnType(word, cursor.bracketed(cursor.number)[0] if cursor.at("(") else 0)
    if word == "TEXT":
        return ColumnType("STRING")
    if word not in _PLAIN_TYPES:
        cursor.refuse()
    return ColumnType(word)


def _range(cursor: Cursor) -> RangeDefinition:
    name = cursor.name()
    cursor.expect("VALUES", "[")
    (start,) = cursor.bracketed(cursor.text)
    cursor.expect(",", "(")
    end = None if cursor.accept("MAXVALUE") else cursor.text()
    cursor.expect(")", ")")
    return RangeDefinition(name, start, end)

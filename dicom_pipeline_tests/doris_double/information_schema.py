"""The tables of ``information_schema``.

Scope: ``schemata``, ``tables`` and ``columns`` as relations, with what an account may know of.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dicom_pipeline_tests.doris_double.accounts import Account, Privilege
from dicom_pipeline_tests.doris_double.catalog import Database, Table
from dicom_pipeline_tests.doris_double.cluster import Cluster
from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.select import Relation
from dicom_pipeline_tests.doris_double.spelling import column_type, data_type, maximum_length, octet_length
from dicom_pipeline_tests.doris_double.values import ColumnType
from dicom_pipeline_tests.doris_double.words import words

NAME = "information_schema"
_TEXT = ColumnType("VARCHAR", 65533)
_NUMBER = ColumnType("BIGINT")
_NUMBERS = frozenset(
    words("ORDINAL_POSITION CHARACTER_MAXIMUM_LENGTH CHARACTER_OCTET_LENGTH DATETIME_PRECISION TABLE_ROWS")
)


def information_schema(cluster: Cluster, account: Account, name: str) -> Relation:
    """Return one of the tables."""
    if name.lower() not in _TABLES:
        raise DorisError(f"Table [{name}] does not exist in database [{NAME}]")
    names, rows_of = _TABLES[name.lower()]
    columns = tuple((column, _NUMBER if column in _NUMBERS else _TEXT) for column in names)
    return Relation(columns, [tuple(row.get(column) for column in names) for row in rows_of(cluster, account)])


def _known(cluster: Cluster, account: Account) -> Iterator[Database]:
    for database in cluster.databases.values():
        if any(account.may(privilege, database.name) for privilege in Privilege):
            yield database


def _schemata(cluster: Cluster, account: Account) -> Iterator[Mapping[str, Any]]:
    for name in (NAME, "mysql", *(database.name for database in _known(cluster, account))):
        yield {"CATALOG_NAME": "internal", "SCHEMA_NAME": name}


def _tables(cluster: Cluster, account: Account) -> Iterator[Mapping[str, Any]]:
    for database in _known(cluster, account):
        for table in database.tables.values():
            yield {
                "TABLE_CATALOG": "internal",
                "TABLE_SCHEMA": database.name,
                "TABLE_NAME": table.name,
                "TABLE_TYPE": "BASE TABLE" if table.view is None else "VIEW",
                "ENGINE": "Doris" if table.view is None else "View",
                "TABLE_ROWS": len(table.rows),
                "TABLE_COMMENT": table.comment,
            }


def _columns(cluster: Cluster, account: Account) -> Iterator[Mapping[str, Any]]:
    for database in _known(cluster, account):
        for table in database.tables.values():
            yield from _columns_of(cluster, database, table)


def _columns_of(cluster: Cluster, database: Database, table: Table) -> Iterator[Mapping[str, Any]]:
    spelling = cluster.knobs.spelling
    for position, column in enumerate(table.columns, start=1):
        key = ("UNI" if table.unique else "DUP") if position <= len(table.key) else ""
        yield {
            "TABLE_CATALOG": "internal",
            "TABLE_SCHEMA": database.name,
            "TABLE_NAME": table.name,
            "COLUMN_NAME": column.name,
            "ORDINAL_POSITION": position,
            "IS_NULLABLE": "YES" if column.nullable else "NO",
            "DATA_TYPE": data_type(column.type, spelling),
            "CHARACTER_MAXIMUM_LENGTH": maximum_length(column.type),
            "CHARACTER_OCTET_LENGTH": octet_length(column.type),
            "DATETIME_PRECISION": column.type.length if column.type.name == "DATETIME" else None,
            "COLUMN_TYPE": column_type(column.type, spelling),
            "COLUMN_KEY": key,
            "COLUMN_COMMENT": column.comment,
        }


_SCHEMATA = ("CATALOG_NAME", "SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME", "SQL_PATH")
_TABLES_COLUMNS = ("TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE", "ENGINE", "TABLE_ROWS", "TABLE_COMMENT")
_COLUMNS_COLUMNS = (
    "TABLE_CATALOG",
    "TABLE_SCHEMA",
    "TABLE_NAME",
    "COLUMN_NAME",
    "ORDINAL_POSITION",
    "COLUMN_DEFAULT",
    "IS_NULLABLE",
    "DATA_TYPE",
    "CHARACTER_MAXIMUM_LENGTH",
    "CHARACTER_OCTET_LENGTH",
    "DATETIME_PRECISION",
    "COLUMN_TYPE",
    "COLUMN_KEY",
    "EXTRA",
    "COLUMN_COMMENT",
)
_TABLES: Mapping[str, tuple[tuple[str, ...], Callable[[Cluster, Account], Iterator[Mapping[str, Any]]]]] = {
    "schemata": (_SCHEMATA, _schemata),
    "tables": (_TABLES_COLUMNS, _tables),
    "columns": (_COLUMNS_COLUMNS, _columns),
}

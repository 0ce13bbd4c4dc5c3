"""How versions spell types.

Scope: ``COLUMN_TYPE``, ``DATA_TYPE`` and the lengths of ``information_schema.columns``, which differ by version.
"""

from enum import Enum

from dicom_pipeline_tests.doris_double.values import ColumnType


class Spelling(Enum):
    """A version's way to write types."""

    NEW = "new"
    OLD = "old"


_WIDTHS = {"BOOLEAN": "(1)", "TINYINT": "(4)", "SMALLINT": "(6)", "INT": "(11)", "BIGINT": "(20)"}
_OLD_DATES = {"DATE": "datev2", "DATETIME": "datetimev2"}
_BYTES_OF_A_CHARACTER = 4
_STRING_BYTES = 2147483643


def column_type(column: ColumnType, spelling: Spelling) -> str:
    """Return ``COLUMN_TYPE``."""
    name = column.name.lower()
    if spelling is Spelling.OLD:
        name = _OLD_DATES.get(column.name, name)
        if column.name in _WIDTHS:
            return ("tinyint" if column.name == "BOOLEAN" else name) + _WIDTHS[column.name]
    return f"{name}({column.length})" if column.length is not None else name


def data_type(column: ColumnType, spelling: Spelling) -> str:
    """Return ``DATA_TYPE``."""
    if spelling is Spelling.OLD and column.name in _OLD_DATES:
        return "unknown"
    return "tinyint" if column.name == "BOOLEAN" else column.name.lower()


def maximum_length(column: ColumnType) -> int | None:
    """Return ``CHARACTER_MAXIMUM_LENGTH``: of a VARCHAR its bytes, whatever the name says."""
    if not column.is_text:
        return None
    return column.length if column.length is not None else _STRING_BYTES


def octet_length(column: ColumnType) -> int | None:
    """Return ``CHARACTER_OCTET_LENGTH``: four times as much."""
    length = maximum_length(column)
    return None if length is None else length * _BYTES_OF_A_CHARACTER

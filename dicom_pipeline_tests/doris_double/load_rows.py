"""The rows of a load.

Scope: from a body's values to rows of the table: conversion, strict mode, NOT NULL, lengths in bytes, partitions; which
rows are filtered, and with what message (``vtablet_block_convertor.cpp``, ``vtablet_finder.cpp``).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dicom_pipeline_tests.doris_double.bodies import FileValues, decode
from dicom_pipeline_tests.doris_double.catalog import Change, Column
from dicom_pipeline_tests.doris_double.errors import LoadError
from dicom_pipeline_tests.doris_double.load_plan import LoadPlan
from dicom_pipeline_tests.doris_double.values import Unconvertible, convert, result_text

_SHOWN_BYTES = 32


@dataclass(slots=True)
class Loaded:
    """What became of a body."""

    total: int = 0
    changes: list[Change] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def filtered(self) -> int:
        """How many rows were not taken."""
        return len(self.errors)


def load_rows(plan: LoadPlan, body: bytes) -> Loaded:
    """Return the rows of a body, and why others are none.

    Raises:
        LoadError: The body cannot be read at all.
    """
    values = decode(plan, body)
    errors = dict(values.errors)
    columns = [_Converter(plan, column).column(values, place, errors) for place, column in enumerate(plan.columns)]
    deletes = _deletes(plan, values)
    _place(plan, columns, values.count, errors)
    rows = zip(*columns, strict=True) if columns else iter(())
    changes = [
        Change(row, deleted)
        for number, (row, deleted) in enumerate(zip(rows, deletes, strict=True))
        if number not in errors
    ]
    return Loaded(values.count, changes, [errors[number] for number in sorted(errors)])


def check_ratio(plan: LoadPlan, loaded: Loaded) -> None:
    """Fail the load if more rows were filtered than it allows."""
    if loaded.total and loaded.filtered / loaded.total > plan.ratio:
        raise LoadError("DATA_QUALITY_ERROR", "too many filtered rows")


class _Converter:
    """One column of the table, to be filled from the file."""

    def __init__(self, plan: LoadPlan, column: Column) -> None:
        self._plan = plan
        self._column = column

    def column(self, values: FileValues, place: int, errors: dict[int, str]) -> Sequence[Any]:
        """Return the column's values; a row that cannot be taken is noted in ``errors``."""
        name = next((file.name for file in self._plan.file_columns if file.place == place), None)
        raw = values.columns.get(name) if name is not None else None
        found: Sequence[Any] = [None] * values.count if raw is None else raw
        if name is None or name not in values.exact:
            found = [self._converted(value, number, errors) for number, value in enumerate(found)]
        for number, value in enumerate(found):
            error = self._error(value)
            if error is not None:
                errors.setdefault(number, f"column_name[{self._column.name}], {error}")
        return found

    def _converted(self, value: Any, number: int, errors: dict[int, str]) -> Any:
        try:
            return convert(value, self._column.type, self._plan.zone)
        except Unconvertible:
            if self._plan.strict:
                shown = f"src value is {result_text(value)}"
                errors.setdefault(
                    number, f"column({self._column.name}) value is incorrect while strict mode is true, {shown}"
                )
            return None

    def _error(self, value: Any) -> str | None:
        column = self._column
        if value is None:
            return None if column.nullable else f"null value for not null column, type={column.type.name}"
        if not column.type.is_text or len(value) * 4 <= column.type.most_bytes:
            return None
        data = value.encode("utf-8", "surrogateescape")
        if len(data) <= column.type.most_bytes:
            return None
        shown = data[:_SHOWN_BYTES].decode("utf-8", "replace")
        return (
            f"the length of input is too long than schema. first 32 bytes of input str: [{shown}]"
            f" schema length: {column.type.most_bytes}; actual length: {len(data)}; "
        )


def _deletes(plan: LoadPlan, values: FileValues) -> Sequence[bool]:
    if plan.delete is None:
        return [plan.merge_type == "DELETE"] * values.count
    name, wanted = plan.delete
    flags = next((column for key, column in values.columns.items() if key.lower() == name.lower()), None)
    if flags is None:
        raise LoadError("ANALYSIS_ERROR", f"the file has no column {name} for the delete condition")
    if any(isinstance(flag, bool) for flag in flags):
        raise LoadError("NOT_IMPLEMENTED_ERROR", "the double knows no boolean delete flags")
    return [flag is not None and str(flag) == str(wanted) for flag in flags]


def _place(plan: LoadPlan, columns: Sequence[Sequence[Any]], count: int, errors: dict[int, str]) -> None:
    table = plan.table
    if table.partition_column is None:
        return
    dates = columns[table.position(table.partition_column)]
    for number in range(count):
        date = dates[number].date() if isinstance(dates[number], dt.datetime) else dates[number]
        if not any(partition.holds(date) for partition in plan.partitions):
            errors.setdefault(number, f"no partition for this tuple. tuple=({result_text(date)}, ...)")

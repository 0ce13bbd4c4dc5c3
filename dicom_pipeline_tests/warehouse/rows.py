"""Rows for the warehouse's tests, made from the field table so that they always have its columns."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dicom_pipeline.dicom.fields import IMAGE, REJECT, SLICE_TABLES, STATE, Field, Kind, TableSpec
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.warehouse.base import ArrowSource, LoadFacts, Slice

DAY = dt.date(2024, 1, 15)
TARGET = Slice("hospital", DAY)
FIRST_CLOCK = dt.datetime.fromisoformat("2024-02-01T08:30:00.123456")
SECOND_CLOCK = dt.datetime.fromisoformat("2024-02-02T09:45:01.654321")


def make_rows(
    table: TableSpec,
    target: Slice = TARGET,
    count: int = 4,
    *,
    clock: dt.datetime = FIRST_CLOCK,
    start: int = 0,
    columns: Mapping[str, Sequence[Any]] | None = None,
) -> pa.Table:
    """Return ``count`` rows of ``table`` in the slice, numbered from ``start``; ``columns`` replaces whole columns."""
    given = dict(columns or {})
    numbers = range(start, start + count)
    arrays = []
    for field, arrow in zip(table.fields, table_schema(table), strict=True):
        values = given.pop(field.name, None)
        if values is None:
            values = [_value(table, field, target, number, clock) for number in numbers]
        arrays.append(pa.array(values, arrow.type))
    assert not given, f"not columns of {table.name}: {given.keys()}"
    return pa.Table.from_arrays(arrays, schema=table_schema(table))


def _value(table: TableSpec, field: Field, target: Slice, number: int, clock: dt.datetime) -> object:
    if field.name == "tenant_id":
        return target.tenant_id
    if field.name == table.date_column:
        return target.date
    if field.kind is Kind.TIMESTAMP:
        return clock
    if field.name == "study_uid":
        return "1.2.3"
    if field.name == "series_uid":
        return "1.2.3.4" if table is IMAGE else f"1.2.3.{number}"
    if field.nullable and number % 3 == 1:
        return None
    return _PLAIN[field.kind](field, number)


_PLAIN: Mapping[Kind, Any] = {
    Kind.TEXT: lambda field, number: f"{field.name[:2]}é{number}"[: field.bound or 99] if field.bound != 1 else "F",
    Kind.DATE: lambda field, number: dt.date(1980, 2, 29) + dt.timedelta(days=number),
    Kind.TIME: lambda field, number: dt.time(23, 59, 59, 999999 - number),
    Kind.INT32: lambda field, number: number - 1,
    Kind.INT64: lambda field, number: number + 2**40,
    Kind.FLOAT64: lambda field, number: number / 7,
}


def make_slice(target: Slice = TARGET, count: int = 4, *, clock: dt.datetime = FIRST_CLOCK) -> dict[str, ArrowSource]:
    """Return rows for every table of a slice: ``count`` images, two series, one reject."""
    return {
        IMAGE.name: make_rows(IMAGE, target, count, clock=clock),
        STATE.name: make_rows(STATE, target, min(count, 2), clock=clock),
        REJECT.name: make_rows(REJECT, target, min(count, 1), clock=clock),
    }


def empty_slice() -> dict[str, ArrowSource]:
    """Return a slice without rows."""
    return {table.name: table_schema(table).empty_table() for table in SLICE_TABLES}


def facts(run: str = "run-1", started: dt.datetime = FIRST_CLOCK) -> LoadFacts:
    """Return what the ledger is told."""
    return LoadFacts(run, "0.1.0", started, listed=5, accepted=4, rejected=1)

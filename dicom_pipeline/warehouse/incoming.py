"""Rows on their way into any warehouse: nothing that one database would refuse, or take differently, gets to it.

Scope: the checks every row passes before it is sent, whichever the database, so that the same rows are accepted
everywhere: the table's columns, the slice, required values, texts within their bounds in bytes. Values are never
repeated in a message.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from dicom_pipeline.dicom.fields import SLICE_TABLES, Field, Kind, TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.tables.flat import text_places
from dicom_pipeline.tables.schemas import conformed, table_schema
from dicom_pipeline.warehouse.base import ArrowSource, Slice

MOST_TEXT_BYTES = 65_533
"""The longest text of a column without a bound: what the narrowest database can hold."""


def check_tables(tables: Mapping[str, ArrowSource]) -> None:
    """Refuse anything but all tables of a slice, each with its own columns.

    Raises:
        WarehouseError: Naming what is missing or unknown.
    """
    expected = {table.name for table in SLICE_TABLES}
    if tables.keys() != expected:
        wrong = ", ".join(sorted(tables.keys() ^ expected))
        raise WarehouseError(f"a slice is replaced in all its tables at once; missing or unknown here: {wrong}")
    for table in SLICE_TABLES:
        check_columns(table, tables[table.name])


def check_columns(table: TableSpec, rows: ArrowSource) -> None:
    """Refuse rows whose columns are not the table's, in its order; types are cast where that loses nothing.

    Raises:
        WarehouseError: Naming the first columns that differ.
    """
    expected, given = table_schema(table).names, rows.schema.names
    if expected != given:
        wrong = sorted(set(expected) ^ set(given)) or [a for a, b in zip(expected, given, strict=True) if a != b]
        raise WarehouseError(f"{table.name}: the rows have other columns than the table: {', '.join(wrong[:10])}")


def checked_batches(table: TableSpec, rows: ArrowSource, target: Slice, most: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows, in the table's types, each batch of at most ``most`` rows and found good.

    Raises:
        WarehouseError: A row lies outside the slice, a required value is missing, or a text cannot be stored.
        pa.ArrowInvalid: A value does not fit the column's type.
    """
    schema = table_schema(table).remove_metadata()
    for given in rows.to_batches() if isinstance(rows, pa.Table) else rows:
        for start in range(0, given.num_rows, most):
            batch = conformed(given.slice(start, most), schema)
            for field, column in zip(table.fields, batch.columns, strict=True):
                _check_column(table, field, column)
            _refuse_strangers(table, batch, target)
            yield batch


def _check_column(table: TableSpec, field: Field, column: pa.Array) -> None:
    if column.null_count and not field.nullable:
        raise WarehouseError(f"{table.name}.{field.name}: {column.null_count} rows have no value and need one")
    if field.kind is Kind.TEXT:
        _check_texts(table, field, column)


def _check_texts(table: TableSpec, field: Field, column: pa.StringArray) -> None:
    """Refuse what one of the databases cannot hold: more bytes than the column has, or a NUL.

    All bytes are looked at together first, which costs next to nothing; only what is suspicious is looked at by rows.
    """
    import pyarrow.compute as pc

    bound, places = field.bound or MOST_TEXT_BYTES, text_places(column)
    perhaps_long = np.diff(places).max(initial=0) > bound
    if perhaps_long and (long := pc.sum(pc.greater(pc.binary_length(column), bound)).as_py()):
        raise WarehouseError(f"{table.name}.{field.name}: {long} rows have a text of more than {bound} bytes")
    first, last = int(places[0]), int(places[-1])
    perhaps_nul = last > first and not np.frombuffer(column.buffers()[2], np.uint8, last - first, first).all()
    if perhaps_nul and (nul := pc.sum(pc.match_substring(column, "\0")).as_py()):
        raise WarehouseError(f"{table.name}.{field.name}: {nul} rows have a NUL in a text, which cannot be stored")


def _refuse_strangers(table: TableSpec, batch: pa.RecordBatch, target: Slice) -> None:
    import pyarrow.compute as pc

    tenant = pc.equal(batch.column("tenant_id"), target.tenant_id)
    date = pc.equal(batch.column(table.date_column), pa.scalar(target.date, pa.date32()))
    strangers = batch.num_rows - pc.sum(pc.and_(tenant, date)).as_py()
    if strangers:
        raise WarehouseError(f"{table.name}: {strangers} rows lie outside the slice being loaded")

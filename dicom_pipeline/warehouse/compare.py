"""Do two warehouses hold the same rows? Slice by slice, down to the keys that differ.

Scope: the comparison, of any two warehouses. It reads both and trusts neither's own arithmetic: the digests are those
that the load writes into the ledger and the check after it compares. Times of loads and runs are no part of it.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dicom_pipeline.dicom.fields import SLICE_TABLES, TableSpec
from dicom_pipeline.tables.digest import SliceDigest, row_words
from dicom_pipeline.warehouse.base import Slice, Warehouse

_WORD = "word"


@dataclass(frozen=True, slots=True)
class DifferingKeys:
    """Keys of one table's slice that two warehouses do not agree on, without what all of the slice have in common.

    Attributes:
        columns: The key's columns.
        only_a: Keys of rows that only the first has.
        only_b: Keys of rows that only the second has.
        other: Keys of rows that both have, with other values.
    """

    columns: tuple[str, ...]
    only_a: tuple[tuple[str, ...], ...]
    only_b: tuple[tuple[str, ...], ...]
    other: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class SliceComparison:
    """One table's slice in both warehouses; ``keys`` is None where they agree."""

    target: Slice
    table: str
    a: SliceDigest
    b: SliceDigest
    keys: DifferingKeys | None

    @property
    def equal(self) -> bool:
        """Whether both hold the same rows."""
        return self.a == self.b

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as the command's ``--json`` prints it."""
        told: dict[str, Any] = {
            "tenant": self.target.tenant_id,
            "date": self.target.date.isoformat(),
            "table": self.table,
            "equal": self.equal,
            "a": {"rows": self.a.rows, "digest": self.a.digest},
            "b": {"rows": self.b.rows, "digest": self.b.digest},
        }
        if self.keys is not None:
            told["keys"] = {
                name: [dict(zip(self.keys.columns, key, strict=True)) for key in getattr(self.keys, name)]
                for name in ("only_a", "only_b", "other")
            }
        return told


def slices_of(
    a: Warehouse, b: Warehouse, tenant: str | None, first: dt.date | None, last: dt.date | None
) -> list[Slice]:
    """Return every slice that either warehouse has rows of: of one tenant or all, in a range of dates or always."""
    tenants = {tenant} if tenant is not None else a.tenants() | b.tenants()
    return sorted(
        Slice(name, date)
        for name in tenants
        for date in a.dates(name) | b.dates(name)
        if (first or dt.date.min) <= date <= (last or dt.date.max)
    )


def compare_slice(a: Warehouse, b: Warehouse, target: Slice) -> Iterator[SliceComparison]:
    """Yield the comparison of each table's slice."""
    for table in SLICE_TABLES:
        in_a, in_b = a.digest(table, target), b.digest(table, target)
        keys = None if in_a == in_b else _differing_keys(table, _rows(a, table, target), _rows(b, table, target))
        yield SliceComparison(target, table.name, in_a, in_b, keys)


def _rows(warehouse: Warehouse, table: TableSpec, target: Slice) -> pa.Table:
    """Return the slice's keys, each with what the rest of its row amounts to."""
    key = table.key_in_slice
    steady = [field for field in table.fields if not field.volatile]
    schema = pa.schema([*((name, pa.string()) for name in key), (_WORD, pa.uint64())])
    batches = (
        pa.RecordBatch.from_arrays([*batch.select(key).columns, pa.array(row_words(steady, batch))], schema=schema)
        for batch in warehouse.read(table, [target], [field.name for field in steady])
    )
    return pa.Table.from_batches(batches, schema)


def _differing_keys(table: TableSpec, a: pa.Table, b: pa.Table) -> DifferingKeys:
    import pyarrow.compute as pc

    key = table.key_in_slice
    joined = a.join(b, list(key), join_type="full outer", right_suffix="_b")
    in_a, in_b = joined.column(_WORD), joined.column(f"{_WORD}_b")
    differs = pc.fill_null(pc.not_equal(in_a, in_b), False)

    def keys(mask: pa.ChunkedArray) -> tuple[tuple[str, ...], ...]:
        return tuple(sorted(tuple(row.values()) for row in joined.select(key).filter(mask).to_pylist()))

    return DifferingKeys(key, only_a=keys(in_b.is_null()), only_b=keys(in_a.is_null()), other=keys(differs))

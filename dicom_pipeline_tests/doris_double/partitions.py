"""Carrying out what is said of partitions, temporary ones among them.

Scope: ADD, DROP and REPLACE of range partitions by date, with the rules of the partitioning and temporary-partition
pages: no overlap within a kind, equal bounds for a strict replacement, no change of columns meanwhile.
"""

import datetime as dt
from collections.abc import Mapping

from dicom_pipeline_tests.doris_double.catalog import Partition, Row, Table
from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.statements import (
    AddPartition,
    DropPartition,
    RangeDefinition,
    ReplacePartition,
)


def partition_from(table: Table, definition: RangeDefinition, others: Mapping[str, Partition]) -> Partition:
    """Return the partition a definition gives, which may not meet one of the others."""
    start = _date(definition.start)
    end = None if definition.end is None else _date(definition.end)
    if end is not None and end <= start:
        raise DorisError(f"Invalid range: [{start}, {end}): the lower bound is not below the upper bound")
    partition = Partition(definition.name, start, end)
    for other in others.values():
        if partition.meets(other):
            raise DorisError(f"Range {shown_range(partition)} is intersected with range: {shown_range(other)}")
    return partition


def add_partition(table: Table, statement: AddPartition) -> None:
    """Add a partition, or a temporary one."""
    if table.partition_column is None:
        raise DorisError(f"Table[{table.name}] is not range or list partitioned")
    if statement.temporary and table.changing:
        raise DorisError(f"Table[{table.name}]'s state(SCHEMA_CHANGE) is not NORMAL. Do not allow doing ALTER ops")
    name = statement.partition.name
    if name in table.partitions or name in table.temporary:
        if statement.if_not_exists:
            return
        raise DorisError(f"Duplicate partition name {name}", 1517)
    others = table.temporary if statement.temporary else table.partitions
    partition = partition_from(table, statement.partition, others)
    if statement.temporary:
        table.temporary = {**table.temporary, name: partition}
        table.temporary_rows[name] = {}
    else:
        table.partitions = {**table.partitions, name: partition}


def drop_partition(table: Table, statement: DropPartition) -> None:
    """Drop a partition with its rows."""
    of = table.temporary if statement.temporary else table.partitions
    if statement.name not in of:
        if statement.if_exists:
            return
        raise DorisError(f"Error in list of partitions to DROP: {statement.name}", 1507)
    if statement.temporary:
        _drop_temporary(table, statement.name)
        return
    partition = table.partitions.pop(statement.name)
    table.rows = {key: row for key, row in table.rows.items() if not partition.holds(table.date_of(row))}


def replace_partition(table: Table, statement: ReplacePartition) -> None:
    """Put temporary partitions in the place of others; the rows of those are gone."""
    gone = [_known(table.partitions, name) for name in statement.partitions]
    come = [_known(table.temporary, name) for name in statement.temporary]
    if statement.properties.get("strict_range", "true").lower() != "false" and _bounds(gone) != _bounds(come):
        raise DorisError(f"2 range lists are not stricly matched. {_bounds(gone)} vs. {_bounds(come)}")
    kept = {name: p for name, p in table.partitions.items() if p not in gone}
    rename = statement.properties.get("use_temp_partition_name", "false").lower() == "true" or len(gone) != len(come)
    rows = {k: row for k, row in table.rows.items() if not any(p.holds(table.date_of(row)) for p in gone)}
    for old, new in zip(gone if not rename else come, come, strict=True):
        rows.update(table.temporary_rows[new.name])
        kept[old.name] = Partition(old.name, new.start, new.end)
        _drop_temporary(table, new.name)
    table.partitions, table.rows = kept, rows


def partitions_of(table: Table, names: tuple[str, ...], *, temporary: bool) -> list[Partition]:
    """Return the named partitions; raises DorisError if one is unknown."""
    return [_known(table.temporary if temporary else table.partitions, name) for name in names]


def rows_in(table: Table, partitions: list[Partition], *, temporary: bool) -> list[Row]:
    """Return the visible rows of some partitions."""
    if temporary:
        return [row for partition in partitions for row in table.temporary_rows[partition.name].values()]
    return [row for row in table.rows.values() if table.partition_of(row, partitions)]


def shown_range(partition: Partition) -> str:
    """Return the range as SHOW PARTITIONS and messages have it."""
    end = partition.end.isoformat() if partition.end else "MAXVALUE"
    return f"[types: [DATEV2]; keys: [{partition.start}]; ..types: [DATEV2]; keys: [{end}]; )"


def _drop_temporary(table: Table, name: str) -> None:
    table.temporary = {known: partition for known, partition in table.temporary.items() if known != name}
    del table.temporary_rows[name]


def _known(partitions: Mapping[str, Partition], name: str) -> Partition:
    if name not in partitions:
        raise DorisError(f"Unknown partition '{name}'")
    return partitions[name]


def _bounds(partitions: list[Partition]) -> list[tuple[dt.date, dt.date | None]]:
    return sorted(((p.start, p.end) for p in partitions), key=lambda bounds: bounds[0])


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        raise DorisError(f"Invalid date literal: {text}") from None

"""What the cluster knows: databases, tables, partitions and the rows that are visible.

Scope: the data structures and how a batch of rows becomes part of a table in one step. Rows are kept by key and a
table's rows are replaced as a whole, never changed in place, so that a reader sees one state or the other.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.statements import Select
from dicom_pipeline_tests.doris_double.values import ColumnType

Row = tuple[Any, ...]
Rows = Mapping[tuple[Any, ...], Row]
_SERIAL = itertools.count()
"""Tells the rows of tables without a unique key apart."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    type: ColumnType
    nullable: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Partition:
    """A range of dates; ``end`` None is MAXVALUE."""

    name: str
    start: dt.date
    end: dt.date | None

    def holds(self, date: dt.date | None) -> bool:
        """Whether a row of this date belongs here."""
        return date is not None and self.start <= date and (self.end is None or date < self.end)

    def meets(self, other: "Partition") -> bool:
        """Whether some date would belong to both."""
        return (other.end is None or self.start < other.end) and (self.end is None or other.start < self.end)


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a load: the row, and whether it takes its key away."""

    row: Row
    deletes: bool = False


@dataclass(slots=True)
class AlterJob:
    """A change of columns: the states still to be seen, and what is to happen when it is finished."""

    number: int
    created: dt.datetime
    states: list[str]
    columns: tuple[Column, ...]
    finished: dt.datetime | None = None
    state: str = "PENDING"


@dataclass(slots=True)
class Table:
    """A table and what is in it; a view has a query in place of rows."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    unique: bool = True
    comment: str = ""
    partition_column: str | None = None
    hash_columns: tuple[str, ...] = ()
    buckets: int = 1
    properties: dict[str, str] = field(default_factory=dict)
    partitions: dict[str, Partition] = field(default_factory=dict)
    temporary: dict[str, Partition] = field(default_factory=dict)
    temporary_rows: dict[str, Rows] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)
    jobs: list[AlterJob] = field(default_factory=list)
    view: Select | None = None
    number: int = 0

    def position(self, name: str) -> int:
        """Return where the column stands; names are compared without case."""
        for position, column in enumerate(self.columns):
            if column.name.lower() == name.lower():
                return position
        raise DorisError(f"Unknown column '{name}' in 'table list'")

    def has_column(self, name: str) -> bool:
        """Whether there is a column of this name."""
        return any(column.name.lower() == name.lower() for column in self.columns)

    def key_of(self, row: Row) -> tuple[Any, ...]:
        """Return what the row is known by."""
        return row[: len(self.key)]

    def date_of(self, row: Row) -> dt.date | None:
        """Return what decides the row's partition."""
        assert self.partition_column is not None
        value = row[self.position(self.partition_column)]
        return value.date() if isinstance(value, dt.datetime) else value

    def partition_of(self, row: Row, within: Iterable[Partition]) -> Partition | None:
        """Return the partition the row belongs to, if one of these is it."""
        date = self.date_of(row)
        return next((partition for partition in within if partition.holds(date)), None)

    def upserted(self, rows: Rows, changes: Iterable[Change]) -> Rows:
        """Return ``rows`` after ``changes``.

        Of rows with one key the last wins, or the one that comes last by the table's sequence column.
        """
        after = dict(rows)
        sequence = self.properties.get("function_column.sequence_col")
        place = self.position(sequence) if sequence else None
        for change in changes:
            key = self.key_of(change.row) if self.unique else (next(_SERIAL),)
            before = after.get(key)
            if place is not None and before is not None and _earlier(change.row[place], before[place]):
                continue
            if change.deletes:
                after.pop(key, None)
            else:
                after[key] = change.row
        return after

    def with_columns(self, columns: tuple[Column, ...]) -> None:
        """Take other columns; a row's value follows its column's name, a new column is NULL."""
        old = {column.name: position for position, column in enumerate(self.columns)}
        places = [old.get(column.name) for column in columns]
        self.rows = {key: tuple(None if p is None else row[p] for p in places) for key, row in self.rows.items()}
        self.columns = columns

    @property
    def changing(self) -> bool:
        """Whether a change of columns is under way."""
        return any(job.state not in ("FINISHED", "CANCELLED") for job in self.jobs)


def _earlier(value: Any, than: Any) -> bool:
    """Whether ``value`` comes before ``than`` in a sequence; NULL comes first."""
    return than is not None and (value is None or value < than)


@dataclass(slots=True)
class Database:
    """The tables of a database, by name."""

    name: str
    tables: dict[str, Table] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """Return the table; names are compared with case."""
        if name not in self.tables:
            raise DorisError(f"Table [{name}] does not exist in database [{self.name}]")
        return self.tables[name]

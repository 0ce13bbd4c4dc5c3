"""The Warehouse interface: what the pipeline asks of a database, whichever it is.

Scope: the protocol, its value types and nothing of any vendor. PostgreSQL is in ``postgres/``, Apache Doris in
``doris/``.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import pyarrow as pa

from dicom_pipeline.dicom.fields import IMAGE, STATE, TableSpec
from dicom_pipeline.quality.conflicts import Conflict as Conflict
from dicom_pipeline.tables.contents import SliceContents as SliceContents
from dicom_pipeline.tables.digest import SliceDigest as SliceDigest

ArrowSource: TypeAlias = pa.Table | pa.RecordBatchReader

PARTITIONED: tuple[TableSpec, ...] = (IMAGE, STATE)
"""The large tables, which every database partitions by month of the study date."""


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """The unit of loading: one tenant, one study date."""

    tenant_id: str
    date: dt.date


@dataclass(frozen=True, slots=True)
class LoadFacts:
    """What the ledger is told about a load besides what the database counts itself; times are naive UTC."""

    run_id: str
    code_version: str
    started: dt.datetime
    listed: int
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class LastLoad:
    """What the ledger says of the latest load of a date; the time is naive UTC."""

    run_id: str
    code_version: str
    finished: dt.datetime
    listed: int
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a replacement did to one table's slice, and how many rows the slice has now.

    Attributes:
        inserted: Rows that are new.
        updated: Rows that were overwritten.
        deleted: Rows that are gone.
        rows: Rows the slice has now.
        read_back: What was read from the slice under its lock, where it was found to be as it should and left alone.
    """

    inserted: int
    updated: int
    deleted: int
    rows: int
    read_back: SliceContents | None = field(default=None, compare=False, repr=False)


class Warehouse(Protocol):
    """A database that holds the tables of the field table. Safe to use from one thread at a time."""

    kind: str

    @property
    def display_url(self) -> str:
        """The URL with its password masked: the only form that may be shown or logged."""

    def server_version(self) -> str:
        """Connect and return the server's name and version.

        Raises:
            WarehouseUnavailable: It cannot be reached.
        """

    def prepare(self) -> None:
        """Create what is missing (tables, comments).

        Raises:
            SchemaDrift: A table exists and differs from the field table.
        """

    def differences(self) -> list[str]:
        """Return how existing tables differ from the field table, one line each; empty if they agree."""

    def missing_privileges(self) -> list[str]:
        """Return what the role lacks to ``prepare`` and ``replace_slice`` here; empty if it may write.

        One phrase each, such as ``INSERT on dicom_image_meta``. Nothing is changed.

        Raises:
            WarehouseError: The database cannot be written by anybody, or has no place for the tables.
        """

    def replace_slice(
        self,
        target: Slice,
        tables: Mapping[str, ArrowSource],
        facts: LoadFacts,
        digests: Mapping[str, SliceDigest] | None = None,
    ) -> dict[str, TableChange]:
        """Make the slice hold exactly ``tables`` (by table name), in one transaction, ledger row included.

        Unchanged rows are not touched, vanished rows are deleted, changed rows keep ``created_time``. Other slices
        are never touched. Two replacements of one slice at once: one waits.

        Args:
            target: The slice.
            tables: Its rows; a reader is consumed, or left alone where the slice is found to hold them already.
            facts: What the ledger is told.
            digests: Count and digest of the rows of ``tables``, where known before: a slice with the same ones is not
                written to. Those of a ``pa.Table`` are computed here if need be.

        Raises:
            WarehouseError: A row lies outside the slice, repeats a key, the rows are not those of ``digests``, or the
                database refused; nothing changed.
            WarehouseUnavailable: The connection broke or could not be made; nothing changed.
        """

    def read(
        self, table: TableSpec, slices: Iterable[Slice] | None = None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream rows of a table (all, or those of the slices), typed by the field table, in the key's order."""

    def contents(self, table: TableSpec, target: Slice) -> SliceContents:
        """Read the slice back, in one pass, and return its digest and its series."""

    def digest(self, table: TableSpec, target: Slice) -> SliceDigest:
        """Read the slice back and return its count and digest."""

    def dates(self, tenant_id: str) -> set[dt.date]:
        """Return the dates on which the tenant has rows in any of the slice tables."""

    def last_loads(self, tenant_id: str) -> dict[dt.date, LastLoad]:
        """Return the latest load of each date of the tenant, as the ledger has it; none where there are no tables.

        Looks only: nothing is created.
        """

    def overview(self, tenant_id: str) -> pa.Table:
        """Return ``study_date, modality, series, instances`` of the tenant, ordered by date and modality."""

    def instances_in_several_places(self, tenant_id: str) -> Conflict:
        """Return how many SOP instances the tenant has under several dates, studies or series.

        Each hash is that of a series with such an instance.
        """

    def studies_of_several_patients(self, tenant_id: str) -> Conflict:
        """Return how many studies of the tenant have images of several Patient IDs, with their hashes."""

    def close(self) -> None:
        """Give up connections; the object may be used again afterwards."""

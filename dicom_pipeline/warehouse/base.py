"""The Warehouse interface: what the pipeline asks of a database, whichever it is.

Scope: the protocol, its value types and nothing of any vendor. PostgreSQL is in ``postgres/``, Apache Doris in
``doris/``.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import pyarrow as pa

from dicom_pipeline.dicom.fields import IMAGE, STATE, TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.quality.conflicts import Conflict as Conflict
from dicom_pipeline.tables.contents import SliceContents as SliceContents
from dicom_pipeline.tables.digest import SliceDigest as SliceDigest
from dicom_pipeline.tables.schemas import table_schema

ArrowSource: TypeAlias = pa.Table | pa.RecordBatchReader

PARTITIONED: tuple[TableSpec, ...] = (IMAGE, STATE)
"""The large tables, which every database partitions by month of the study date."""


OVERVIEW_SCHEMA = pa.schema(
    [
        pa.field("study_date", pa.date32(), False),
        pa.field("modality", pa.string()),
        pa.field("series", pa.int64(), False),
        pa.field("instances", pa.int64(), False),
    ]
)


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
class Matter:
    """One thing about a database that a load depends on: whether it is well, what it is, what was found or is to do."""

    good: bool
    what: str
    finding: str

    def text(self) -> str:
        """Return it as one line."""
        return f"{'ok  ' if self.good else 'FAIL'} {self.what}: {self.finding}"


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a replacement did to one table's slice, and how many rows the slice has now.

    Attributes:
        inserted: Rows that are new.
        updated: Rows that were overwritten.
        deleted: Rows that are gone.
        rows: Rows the slice has now.
        read_back: What was read from the slice at the end, or where it was found to be as it should and left alone.
    """

    inserted: int
    updated: int
    deleted: int
    rows: int
    read_back: SliceContents | None = field(default=None, compare=False, repr=False)


def ledger_row(target: Slice, facts: LoadFacts, images: TableChange, digest: SliceDigest) -> dict[str, object]:
    """Return the row of ``dicom_load`` of a load that is finished now.

    Args:
        target: The slice.
        facts: What the load said of itself.
        images: What it did to the image table.
        digest: Of the slice's image rows.
    """
    return {
        "tenant_id": target.tenant_id,
        "partition_date": target.date,
        "run_id": facts.run_id,
        "code_version": facts.code_version,
        "started_time": facts.started,
        "finished_time": dt.datetime.now(dt.UTC).replace(tzinfo=None),
        "files_listed": facts.listed,
        "files_accepted": facts.accepted,
        "files_rejected": facts.rejected,
        "rows_inserted": images.inserted,
        "rows_updated": images.updated,
        "rows_deleted": images.deleted,
        "digest": digest.digest,
    }


def selected_schema(table: TableSpec, columns: Sequence[str] | None) -> pa.Schema:
    """Return the Arrow schema of the columns named, in their order, or of the whole table.

    Raises:
        WarehouseError: The table has no such column.
    """
    schema = table_schema(table)
    unknown = sorted(set(columns or ()) - set(schema.names))
    if unknown:
        raise WarehouseError(f"{table.name} has no column {', '.join(unknown)}")
    return schema if columns is None else pa.schema([schema.field(name) for name in columns], schema.metadata)


def started_reader(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    """Return a reader whose first batch is there already: what the database refuses at once is raised here."""
    first = next(batches, None)
    begun = [] if first is None else [first]
    return pa.RecordBatchReader.from_batches(schema, itertools.chain(begun, batches))


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

    def examine(self) -> Iterator[Matter]:
        """Look at whatever else of the database a load depends on; nothing is changed, nothing raised."""

    def replace_slice(
        self,
        target: Slice,
        tables: Mapping[str, ArrowSource],
        facts: LoadFacts,
        digests: Mapping[str, SliceDigest] | None = None,
    ) -> dict[str, TableChange]:
        """Make the slice hold exactly ``tables`` (by table name), and write the ledger's row.

        Unchanged rows are not touched, vanished rows are deleted, changed rows keep ``created_time``. Other slices
        are never touched. Each table changes in one moment; PostgreSQL changes all of them and the ledger in one
        transaction, Doris the images before their series. Two replacements of one slice at once: the slice is as one
        of them has it.

        Args:
            target: The slice.
            tables: Its rows; a reader is consumed, or left alone where the slice is found to hold them already.
            facts: What the ledger is told.
            digests: Count and digest of the rows of ``tables``, where known before: a slice with the same ones is not
                written to. Those of a ``pa.Table`` are computed here if need be.

        Raises:
            WarehouseError: A row lies outside the slice, repeats a key, or the rows are not those of ``digests``, and
                nothing changed; or the database refused.
            WarehouseUnavailable: The connection broke or could not be made. No table is changed by halves; loading
                the slice again settles it.
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

    def tenants(self) -> set[str]:
        """Return the tenants that have rows in any of the slice tables."""

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

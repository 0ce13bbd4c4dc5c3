"""``PostgresWarehouse``: the Warehouse interface put together from this folder's parts.

Scope: holding the connection and the rule that tables are prepared once before the first load. The work is in
``replace.py``, ``read.py``, ``drift.py`` and the other modules of this folder.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

import psycopg
import pyarrow as pa

from dicom_pipeline.dicom.fields import TableSpec
from dicom_pipeline.quality.conflicts import Conflict
from dicom_pipeline.tables.contents import SliceContents
from dicom_pipeline.tables.digest import SliceDigest
from dicom_pipeline.warehouse.base import ArrowSource, LastLoad, LoadFacts, Matter, Slice, TableChange
from dicom_pipeline.warehouse.postgres import conflicts, drift, privileges, read, replace
from dicom_pipeline.warehouse.postgres.connection import connect
from dicom_pipeline.warehouse.postgres.errors import translated
from dicom_pipeline.warehouse.postgres.readers import ReaderPool
from dicom_pipeline.warehouse.postgres.url import PostgresUrl


class PostgresWarehouse:
    """PostgreSQL 14 or later. One connection, made when first needed; reads have connections of their own.

    Args:
        url: Where the database is.
        allow_schema_evolution: Whether missing nullable columns are added to existing tables.
    """

    kind = "postgresql"

    def __init__(self, url: PostgresUrl, *, allow_schema_evolution: bool = False) -> None:
        self._url = url
        self._allow_schema_evolution = allow_schema_evolution
        self._readers = ReaderPool(url)
        self._held: psycopg.Connection | None = None
        self._prepared = False

    @property
    def display_url(self) -> str:
        """The URL with its password masked."""
        return self._url.display_url

    def server_version(self) -> str:
        """Return ``PostgreSQL`` and the server's version, such as ``PostgreSQL 18.4``."""
        with translated("asking for the version"):
            found = self._connection().execute("SHOW server_version").fetchone()
        return f"PostgreSQL {found[0] if found else ''}".strip()

    def prepare(self) -> None:
        """Create missing tables, comments and the partition function; see ``drift.prepare``."""
        with translated("preparing the tables"):
            drift.prepare(self._connection(), allow_schema_evolution=self._allow_schema_evolution)
        self._prepared = True

    def differences(self) -> list[str]:
        """Return how existing tables differ from the field table, one line each."""
        with translated("comparing the tables"):
            return list(drift.find_drift(self._connection()).differences)

    def missing_privileges(self) -> list[str]:
        """Return what the role lacks to prepare and load; see ``privileges.missing_privileges``."""
        with translated("looking at the role's privileges"):
            return privileges.missing_privileges(
                self._connection(), allow_schema_evolution=self._allow_schema_evolution
            )

    def examine(self) -> Iterator[Matter]:
        """Yield nothing: a load depends on nothing but tables and privileges."""
        yield from ()

    def replace_slice(
        self,
        target: Slice,
        tables: Mapping[str, ArrowSource],
        facts: LoadFacts,
        digests: Mapping[str, SliceDigest] | None = None,
    ) -> dict[str, TableChange]:
        """Replace the slice as the protocol says; see ``replace.replace_slice``."""
        if not self._prepared:
            self.prepare()
        with translated("loading a slice"):
            return replace.replace_slice(self._connection(), self.contents, target, tables, facts, digests or {})

    def read(
        self, table: TableSpec, slices: Iterable[Slice] | None = None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream rows in the key's order; an absent table raises ``WarehouseError``."""
        self._connection()
        return read.read(self._readers, table, None if slices is None else list(slices), columns)

    def contents(self, table: TableSpec, target: Slice) -> SliceContents:
        """Read the slice back, in one pass, and return its digest and its series."""
        self._connection()
        return read.contents(self._readers, table, target)

    def digest(self, table: TableSpec, target: Slice) -> SliceDigest:
        """Read the slice back and return its count and digest."""
        return self.contents(table, target).digest

    def dates(self, tenant_id: str) -> set[dt.date]:
        """Return the dates on which the tenant has rows in any slice table."""
        with translated("listing the dates"):
            return read.dates(self._connection(), tenant_id)

    def tenants(self) -> set[str]:
        """Return the tenants that have rows in any slice table."""
        with translated("listing the tenants"):
            return read.tenants(self._connection())

    def last_loads(self, tenant_id: str) -> dict[dt.date, LastLoad]:
        """Return the ledger's latest row of each of the tenant's dates; none where the ledger does not exist."""
        with translated("reading the ledger"):
            return read.last_loads(self._connection(), tenant_id)

    def overview(self, tenant_id: str) -> pa.Table:
        """Return ``study_date, modality, series, instances`` of the tenant, ordered by date and modality."""
        with translated("counting series and instances"):
            return read.overview(self._connection(), tenant_id)

    def instances_in_several_places(self, tenant_id: str) -> Conflict:
        """Return how many SOP instances stand under several dates, studies or series, with hashes of the series."""
        with translated("looking for instances in several places"):
            return conflicts.instances_in_several_places(self._connection(), tenant_id)

    def studies_of_several_patients(self, tenant_id: str) -> Conflict:
        """Return how many studies have images of several Patient IDs, with their hashes."""
        with translated("looking for studies of several patients"):
            return conflicts.studies_of_several_patients(self._connection(), tenant_id)

    def close(self) -> None:
        """Give up all connections; the next call makes others."""
        self._readers.close()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _connection(self) -> psycopg.Connection:
        """Return the held connection, made anew where there is none or the server has ended it."""
        if self._held is not None and (self._held.closed or self._held.broken):
            self.close()
        if self._held is None:
            self._held = connect(self._url)
        return self._held

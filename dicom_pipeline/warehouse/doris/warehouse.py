"""``DorisWarehouse``: the Warehouse interface put together from this folder's parts.

Scope: holding the session and the client of loads, and the rule that tables are prepared once before the first load.
The work is in ``replace.py``, ``read.py``, ``drift.py`` and the other modules of this folder.
"""

import datetime as dt
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa
import pymysql

from dicom_pipeline.dicom.fields import TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.quality.conflicts import Conflict
from dicom_pipeline.tables.contents import SliceContents
from dicom_pipeline.tables.digest import SliceDigest
from dicom_pipeline.warehouse.base import ArrowSource, LastLoad, LoadFacts, Matter, Slice, TableChange
from dicom_pipeline.warehouse.doris import conflicts, drift, examine, privileges, read, sql
from dicom_pipeline.warehouse.doris.connection import connect, run
from dicom_pipeline.warehouse.doris.errors import translated
from dicom_pipeline.warehouse.doris.read import Session
from dicom_pipeline.warehouse.doris.replace import Replacement, ensure_partitions
from dicom_pipeline.warehouse.doris.stream_load import StreamLoader
from dicom_pipeline.warehouse.doris.url import DorisUrl, Endpoint

_FRESH_SECONDS = 2.0
"""A session that was used so lately is not asked whether it is still there."""


class DorisWarehouse:
    """Apache Doris 2.1.8 or later. One session, made when first needed; reads have sessions of their own.

    Args:
        url: Where the cluster is.
        allow_schema_evolution: Whether existing tables get missing nullable columns, and short columns their length.
    """

    kind = "doris"

    def __init__(self, url: DorisUrl, *, allow_schema_evolution: bool = False) -> None:
        self._url = url
        self._allow_schema_evolution = allow_schema_evolution
        self._loader = StreamLoader(url, self._backends)
        self._held: Session | None = None
        self._used = 0.0
        self._prepared = False

    @property
    def display_url(self) -> str:
        """The URL with its password masked."""
        return self._url.display_url

    def server_version(self) -> str:
        """Return the server's name and version, such as ``Doris 2.1.8``."""
        with translated("asking for the version"):
            return examine.version_text(run(self._session(), sql.VERSION))

    def prepare(self) -> None:
        """Create the database and missing tables; see ``drift.prepare``."""
        with translated("preparing the tables"):
            drift.prepare(self._session(), self._url, allow_schema_evolution=self._allow_schema_evolution)
        self._prepared = True

    def differences(self) -> list[str]:
        """Return how existing tables differ from the field table, one line each."""
        with translated("comparing the tables"):
            return drift.find_drift(self._session(), self._url).differences

    def missing_privileges(self) -> list[str]:
        """Return what the account lacks to prepare and load; see ``privileges.missing_privileges``."""
        with translated("looking at the account's privileges"):
            return privileges.missing_privileges(
                self._session(), self._url, allow_schema_evolution=self._allow_schema_evolution
            )

    def examine(self) -> Iterator[Matter]:
        """Look at versions, backends, redirects and replicas; see ``examine.examine``."""
        try:
            session = self._session()
        except WarehouseError as error:
            yield Matter(False, "doris", str(error))
            return
        yield from examine.examine(session, self._url, self._loader)

    def replace_slice(
        self,
        target: Slice,
        tables: Mapping[str, ArrowSource],
        facts: LoadFacts,
        digests: Mapping[str, SliceDigest] | None = None,
    ) -> dict[str, TableChange]:
        """Replace the slice as the protocol says; see ``replace.Replacement``."""
        if not self._prepared:
            self.prepare()
        with translated("loading a slice"):
            session = self._session()
            ensure_partitions(session, self._url.database, target.date)
            return Replacement(session, self._loader, self._url, target).run(tables, facts, digests or {})

    def read(
        self, table: TableSpec, slices: Iterable[Slice] | None = None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream rows in the key's order; an absent table raises ``WarehouseError``."""
        targets = None if slices is None else list(slices)
        return read.read(lambda: connect(self._url), self._url.database, table, targets, columns)

    def contents(self, table: TableSpec, target: Slice) -> SliceContents:
        """Read the slice back, in one pass, and return its digest and its series."""
        with translated(f"reading {table.name}"):
            run(self._session(), sql.SYNC)
            return read.contents(self._session(), self._url.database, table, target)

    def digest(self, table: TableSpec, target: Slice) -> SliceDigest:
        """Read the slice back and return its count and digest."""
        return self.contents(table, target).digest

    def dates(self, tenant_id: str) -> set[dt.date]:
        """Return the dates on which the tenant has rows in any slice table."""
        with translated("listing the dates"):
            return read.dates(self._session(), self._url.database, tenant_id)

    def last_loads(self, tenant_id: str) -> dict[dt.date, LastLoad]:
        """Return the ledger's latest row of each of the tenant's dates; none where the ledger does not exist."""
        with translated("reading the ledger"):
            return read.last_loads(self._session(), self._url.database, tenant_id)

    def tenants(self) -> set[str]:
        """Return the tenants that have rows in any slice table."""
        with translated("listing the tenants"):
            return read.tenants(self._session(), self._url.database)

    def overview(self, tenant_id: str) -> pa.Table:
        """Return ``study_date, modality, series, instances`` of the tenant, ordered by date and modality."""
        with translated("counting series and instances"):
            return read.overview(self._session(), self._url.database, tenant_id)

    def instances_in_several_places(self, tenant_id: str) -> Conflict:
        """Return how many SOP instances stand under several dates, studies or series, with hashes of the series."""
        with translated("looking for instances in several places"):
            return conflicts.find_conflict(
                self._session(), self._url.database, tenant_id, sql.INSTANCES_IN_SEVERAL_PLACES
            )

    def studies_of_several_patients(self, tenant_id: str) -> Conflict:
        """Return how many studies have images of several Patient IDs, with their hashes."""
        with translated("looking for studies of several patients"):
            return conflicts.find_conflict(
                self._session(), self._url.database, tenant_id, sql.STUDIES_OF_SEVERAL_PATIENTS
            )

    def close(self) -> None:
        """Give up the session; the next call makes another."""
        if self._held is not None:
            self._held._force_close()
            self._held = None

    def _backends(self) -> list[Endpoint]:
        """Return where the cluster's backends take loads; none if the account may not know."""
        try:
            return [backend.http for backend in examine.backends(self._session())]
        except pymysql.Error:
            return []

    def _session(self) -> Session:
        """Return the held session, made anew where there is none or the server has ended it."""
        if self._held is not None and not self._still_there(self._held):
            self.close()
        if self._held is None:
            self._held = connect(self._url)
        self._used = time.monotonic()
        return self._held

    def _still_there(self, session: Session) -> bool:
        if not session.open or time.monotonic() - self._used < _FRESH_SECONDS:
            return bool(session.open)
        try:
            session.ping(reconnect=False)
        except pymysql.Error:
            return False
        return True

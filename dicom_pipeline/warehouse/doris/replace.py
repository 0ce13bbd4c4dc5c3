"""Replacing a slice: after it a tenant's date holds exactly the given rows, in each table at one moment.

Scope: which rows are sent, in which order, and what happens if another load of the slice is under way. Doris has no
transaction over tables that every version and deployment knows, so each table is one load: new and changed rows, and
vanished ones as tombstones. Images come before their series, so that a series that can be seen has its images; rejects
and the ledger follow. Everything that can be found wrong is found before the first of them.

Doris has no locks either. The label of a load names the rows it started from (``labels.py``), so that of two loads of a
slice at once one is refused, reads again and works out its changes anew. After whatever was sent all tables are read
back, those that were left alone too, and the slice is replaced once more if it is not what it should be: whoever sends
last leaves the slice whole.
"""

import datetime as dt
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pymysql

from dicom_pipeline.dicom.fields import IMAGE, LOAD, SLICE_TABLES, TableSpec
from dicom_pipeline.errors import WarehouseUnavailable
from dicom_pipeline.tables.contents import SliceContents
from dicom_pipeline.tables.digest import SliceDigest
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.warehouse.base import PARTITIONED, ArrowSource, LoadFacts, Slice, TableChange, ledger_row
from dicom_pipeline.warehouse.doris import read, sql
from dicom_pipeline.warehouse.doris.bodies import BodyWriter
from dicom_pipeline.warehouse.doris.connection import run
from dicom_pipeline.warehouse.doris.errors import code_and_text
from dicom_pipeline.warehouse.doris.given_rows import GivenRows
from dicom_pipeline.warehouse.doris.labels import change_label
from dicom_pipeline.warehouse.doris.read import Session
from dicom_pipeline.warehouse.doris.standing_rows import StandingRows
from dicom_pipeline.warehouse.doris.stream_load import LoadRequest, Outcome, StreamLoader
from dicom_pipeline.warehouse.doris.url import DorisUrl
from dicom_pipeline.warehouse.incoming import check_tables

_ROUNDS = 40
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 1.0
_ROUNDS_OF_NO_AVAIL = 3
_NOTHING = TableChange(inserted=0, updated=0, deleted=0, rows=0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done with one table: nothing, if there is no request."""

    table: TableSpec
    standing: StandingRows
    change: TableChange
    state: str = ""
    request: LoadRequest | None = None


@dataclass(slots=True)
class Replacement:
    """One replacement of one slice.

    Attributes:
        session: For statements; nobody else uses it meanwhile.
        loader: For loads.
        url: Names the database, the format and the time a load may take.
        target: The slice.
        sleep: Waits, in seconds.
    """

    session: Session
    loader: StreamLoader
    url: DorisUrl
    target: Slice
    sleep: Callable[[float], None] = time.sleep
    _taken: dict[str, int] = field(default_factory=dict)

    def run(
        self, tables: Mapping[str, ArrowSource], facts: LoadFacts, digests: Mapping[str, SliceDigest]
    ) -> dict[str, TableChange]:
        """Make the slice hold exactly ``tables`` and write the ledger; see the Warehouse protocol.

        Raises:
            WarehouseUnavailable: Also if other loads of the slice got in before this one again and again.
        """
        check_tables(tables)
        given = {t.name: GivenRows(t, tables[t.name], self.target, digests.get(t.name)) for t in SLICE_TABLES}
        changes = dict.fromkeys(given, _NOTHING)
        found = self._settle(given, changes)
        changes = {
            name: replace(changes[name], rows=contents.digest.rows, read_back=contents)
            for name, contents in found.items()
        }
        self._write_ledger(facts, changes[IMAGE.name], found[IMAGE.name].digest)
        return changes

    def _settle(self, given: Mapping[str, GivenRows], changes: dict[str, TableChange]) -> dict[str, SliceContents]:
        """Go on until the slice is found to be as it should be; add up what was done to it.

        What comes out the same again and again is no other load's doing, and the comparison after the load will report
        it. Whoever gave up earlier could leave a mixture behind another load's back.
        """
        before: dict[str, SliceDigest] = {}
        alike = 0
        for turn in range(_ROUNDS):
            if turn:
                self.sleep(min(_PAUSE_SECONDS * turn, _LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.5))
            found = self._round(given, changes)
            if found is None:
                continue
            digests = {name: contents.digest for name, contents in found.items()}
            if digests == {name: rows.digest for name, rows in given.items()}:
                return found
            alike = alike + 1 if digests == before else 1
            if alike == _ROUNDS_OF_NO_AVAIL:
                return found
            before = digests
        raise WarehouseUnavailable("other loads of the same date got in before this one: run the date again")

    def _round(
        self, given: Mapping[str, GivenRows], changes: dict[str, TableChange]
    ) -> dict[str, SliceContents] | None:
        """Bring every table to what it should be; return what they hold now, or None if another load was faster."""
        run(self.session, sql.SYNC)
        latest = " ".join(map(str, run(self.session, sql.latest_load(self.url.database, self.target))))
        plans = [self._plan(table, given[table.name], latest) for table in SLICE_TABLES]
        for plan in plans:
            if plan.request is not None:
                if self.loader.load(plan.request) is Outcome.TAKEN:
                    self._taken[plan.state] = self._taken.get(plan.state, 0) + 1
                    return None
                changes[plan.table.name] = _added(changes[plan.table.name], plan.change)
        if all(plan.request is None for plan in plans):
            return {plan.table.name: plan.standing.contents for plan in plans}
        # Also what this load left alone: another load that did the opposite would otherwise meet it nowhere.
        run(self.session, sql.SYNC)
        return {t.name: read.contents(self.session, self.url.database, t, self.target) for t in SLICE_TABLES}

    def _plan(self, table: TableSpec, given: GivenRows, latest: str) -> _Plan:
        rows = read.slice_batches(self.session, self.url.database, table, self.target)
        standing = StandingRows(table, rows)
        if given.digest == standing.contents.digest:
            return _Plan(table, standing, _NOTHING)
        writer = BodyWriter(table, self.url.format, tombstones=len(standing) > 0)
        inserted = updated = 0
        for batch in given.batches():
            found = standing.meet(batch)
            writer.write(found.new)
            writer.write(found.changed)
            inserted, updated = inserted + found.new.num_rows, updated + found.changed.num_rows
        if standing.vanished:
            for batch in read.slice_batches(self.session, self.url.database, table, self.target):
                writer.write(standing.unmet(batch), deleted=True)
        body = writer.finish()
        change = TableChange(inserted, updated, deleted=standing.vanished, rows=0)
        if not body.rows:
            return _Plan(table, standing, change)
        state = f"{table.name} {standing.state} {latest}"
        label = change_label(table, self.target, state, self._taken.get(state, 0))
        request = LoadRequest(table.name, label, writer.columns, body, tombstones=len(standing) > 0)
        return _Plan(table, standing, change, state, request)

    def _write_ledger(self, facts: LoadFacts, images: TableChange, digest: SliceDigest) -> None:
        """Write the ledger's row; the same attempt told twice keeps its first row, which has what really changed."""
        if run(self.session, sql.load_exists(self.url.database, self.target, facts.run_id, facts.started)):
            return
        writer = BodyWriter(LOAD, self.url.format, tombstones=False)
        row = ledger_row(self.target, facts, images, digest)
        writer.write(pa.RecordBatch.from_pylist([row], table_schema(LOAD)))
        label = change_label(LOAD, self.target, f"{facts.run_id} {facts.started.isoformat()}", 0)
        self.loader.load(LoadRequest(LOAD.name, label, writer.columns, writer.finish(), tombstones=False))


def ensure_partitions(session: Session, database: str, date: dt.date) -> None:
    """Make the partitions of the date's month where none holds it; one of other bounds made by hand is left to it."""
    for table in PARTITIONED:
        if run(session, sql.partition_exists(database, table, date)):
            continue
        try:
            run(session, sql.add_partition(database, table, date))
        except pymysql.Error as error:
            if "intersect" not in code_and_text(error)[1].lower():
                raise


def _added(before: TableChange, more: TableChange) -> TableChange:
    return TableChange(
        before.inserted + more.inserted, before.updated + more.updated, before.deleted + more.deleted, rows=0
    )

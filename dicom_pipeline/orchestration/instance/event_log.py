"""Dagster's event log in SQLite, with databases that stay open and all events of a date in one commit.

Scope: how events reach the disk. Named in the ``dagster.yaml`` of a home (``instance.py``). Files, tables and rows are
those of Dagster's own storage; each reads what the other wrote. This leans on Dagster's internals, which is why
``pyproject.toml`` holds Dagster to one minor version.

Dagster's storage opens, syncs and closes two databases for every event and compiles its statements anew. A date has
some twenty events: that took longer than the date itself.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._config.config_schema import UserConfigSchema
from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqlEventLogStorageTable, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, StaticPool, bindparam, create_engine, event, func, select

_BATCHED = {
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_CHECK_EVALUATION,
}
_CHECK_KEY = ("asset_key", "check_name", "run_id", "partition")

_Row = dict[str, Any]


class DateEventLogStorage(SqliteEventLogStorage):
    """An event log that keeps the database of all runs open, and that of the latest run.

    What is committed outlives the process at once, and a failure of power as soon as the system has written it.
    """

    def __init__(self, dagster_home: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Take Dagster's home; the databases are where its own storage has them."""
        self._engines: dict[str, Engine] = {}
        self._tables: set[str] = set()
        self._blank: bytes | None = None
        self._held: list[EventLogEntry] | None = None
        super().__init__(os.path.join(dagster_home, "history", "runs"), inst_data)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return the keys of the storage's section of ``dagster.yaml``."""
        return {"dagster_home": dg.StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "DateEventLogStorage":
        """Make the storage from its section of ``dagster.yaml``."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Hold back materializations and evaluations of checks, and store them in one commit at the end."""
        held: list[EventLogEntry] = []
        self._held = held
        try:
            yield
        finally:
            self._held = None
        self.store_event_batch(held)

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event, or keep it for the end of ``together``."""
        if self._held is not None and event.dagster_event_type in _BATCHED:
            self._held.append(event)
        else:
            super().store_event(event)
            self._touch(event.run_id)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run in one commit to each database, as ``store_event`` would one by one."""
        if any(e.dagster_event_type not in _BATCHED or e.run_id != events[0].run_id for e in events):
            super().store_event_batch(events)
        elif events:
            rows = [self._event_to_row(e) for e in events]
            with self.run_connection(events[0].run_id) as connection:
                connection.execute(SqlEventLogStorageTable.insert(), rows)
            with self.index_connection() as connection:
                self._index(connection, events, rows)
            self._touch(events[0].run_id)

    def _touch(self, run_id: str) -> None:
        # Who follows a run watches this file, and a write-ahead log leaves it alone for long.
        os.utime(self.path_for_shard(run_id))

    def _index(self, connection: Connection, events: Sequence[EventLogEntry], rows: list[_Row]) -> None:
        insert = SqlEventLogStorageTable.insert()
        ids = connection.scalars(insert.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True), rows)
        numbered = list(zip(events, rows, ids, strict=True))
        checks = [n for n in numbered if n[0].dagster_event_type is DagsterEventType.ASSET_CHECK_EVALUATION]
        assets = [n for n in numbered if n[0].dagster_event_type is not DagsterEventType.ASSET_CHECK_EVALUATION]
        self._store_asset_event_tags(connection, [a[0] for a in assets], [a[2] for a in assets])
        # An asset shows its latest event only, and of a planned and a done one both leave their trace.
        for entry, _, number in {(a[1]["asset_key"], a[0].dagster_event_type): a for a in assets}.values():
            self._store_asset_event(connection, entry, number)
        if checks:
            targets = _Materializations(connection, numbered)
            _store_evaluations(connection, [_evaluation_row(*check, targets) for check in checks])

    def has_table(self, table_name: str) -> bool:
        """Return whether the table exists; asked of the database until it does."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_index_cols_on_connection(self, conn: Connection) -> bool:
        column = "asset_keys.last_materialization_timestamp"
        if column not in self._tables and super()._has_asset_key_index_cols_on_connection(conn):
            self._tables.add(column)
        return column in self._tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard in self._initialized_dbs and shard in self._engines:
            return self._engines[shard]
        self._close(self._engines.keys() - {INDEX_SHARD_NAME} | {shard})
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=StaticPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare)
        if shard not in self._initialized_dbs:
            if not self._copy_blank(Path(self.path_for_shard(shard))):
                self._initdb(engine)
            self._initialized_dbs.add(shard)
        self._engines[shard] = engine
        return engine

    def _copy_blank(self, path: Path) -> bool:
        """Make a run's database as a copy of an empty one, unless it is there; making each anew takes far longer."""
        if self._blank is None:
            memory = create_engine("sqlite://", poolclass=StaticPool)
            self._initdb(memory)
            with memory.connect() as connection:
                driver: Any = connection.connection.driver_connection
                self._blank = driver.serialize()
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(self._blank)
        try:
            # Fails where another process was faster, whose events must stay.
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def _close(self, shards: set[str]) -> None:
        for shard in shards & self._engines.keys():
            self._engines.pop(shard).dispose()

    def dispose(self) -> None:
        """Close the databases."""
        self._close(set(self._engines))
        super().dispose()


def _prepare(connection: Any, _: object) -> None:
    # A write-ahead log is whole after any crash without a sync for each commit.
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")


class _Materializations:
    """The number of the latest materialization of an asset's partition, which is what an evaluation is about.

    The UI shows a check of a partition as missing unless its evaluation names that number, and it is not known before
    the materialization is stored.
    """

    def __init__(self, connection: Connection, numbered: Sequence[tuple[EventLogEntry, _Row, int]]) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str | None], int | None] = {
            (row["asset_key"], row["partition"]): number
            for entry, row, number in numbered
            if entry.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION
        }

    def latest(self, asset_key: str, partition: str | None) -> int | None:
        """Return the number: from what is stored now, or from what was before."""
        place = (asset_key, partition)
        if place not in self._known:
            columns = SqlEventLogStorageTable.c
            self._known[place] = self._connection.scalar(
                select(func.max(columns.id)).where(
                    columns.asset_key == asset_key,
                    columns.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION.value,
                    columns.partition.is_not_distinct_from(partition),
                )
            )
        return self._known[place]


def _evaluation_row(entry: EventLogEntry, row: _Row, number: int, targets: _Materializations) -> _Row:
    evaluation = entry.get_dagster_event().asset_check_evaluation_data
    status = AssetCheckExecutionRecordStatus
    asset_key = evaluation.asset_key.to_string()
    target = evaluation.target_materialization_data
    about = target.storage_id if target else targets.latest(asset_key, evaluation.partition)
    return {
        "asset_key": asset_key,
        "check_name": evaluation.check_name,
        "partition": evaluation.partition,
        "run_id": entry.run_id,
        "execution_status": (status.SUCCEEDED if evaluation.passed else status.FAILED).value,
        "evaluation_event": row["event"],
        "evaluation_event_timestamp": row["timestamp"],
        "evaluation_event_storage_id": number,
        "materialization_event_storage_id": about,
    }


def _store_evaluations(connection: Connection, rows: list[_Row]) -> None:
    """Put evaluations in the place of what a run announced for the same checks and partitions, if it did."""
    columns = AssetCheckExecutionsTable.c
    announced = [columns[name].is_not_distinct_from(bindparam(f"of_{name}")) for name in _CHECK_KEY]
    keys = [{f"of_{name}": row[name] for name in _CHECK_KEY} for row in rows]
    connection.execute(AssetCheckExecutionsTable.delete().where(*announced), keys)
    connection.execute(AssetCheckExecutionsTable.insert(), rows)

"""The event log of a home: what Dagster's own storage would hold, in few commits, visible while it grows."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage

from dicom_pipeline.orchestration.instance.event_log import _BATCHED, DateEventLogStorage
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

_KEYS = ["2024-01-01", "2024-01-02"]
_DAILY = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-05")
# Numbers and times a database gives by itself, and what an evaluation is about, which Dagster's storage must be told.
_OWN = {
    "asset_check_executions": {"id", "create_timestamp", "materialization_event_storage_id"},
    "asset_keys": {"create_timestamp"},
    "secondary_indexes": {"create_timestamp", "migration_completed"},
}


@dg.multi_asset(
    specs=[dg.AssetSpec(name, partitions_def=_DAILY, skippable=True) for name in ("a", "b")],
    check_specs=[dg.AssetCheckSpec(name, asset="a", partitions_def=_DAILY) for name in ("good", "bad")],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def _assets(context: dg.AssetExecutionContext) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    for key in context.partition_keys:
        for name in ("a", "b"):
            tags = {"dagster/data_version": key}
            yield dg.AssetMaterialization(name, partition=key, metadata={"rows": 1}, tags=tags)
        for name in ("good", "bad"):
            yield dg.AssetCheckEvaluation(dg.AssetKey("a"), name, name == "good", {}, partition=key)


@pytest.fixture(scope="module")
def entries() -> list[EventLogEntry]:
    """Every event of a run of two dates, announced checks among them."""
    tags = dict(zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), _KEYS, strict=True))
    with dg.DagsterInstance.ephemeral() as instance:
        # It fails in the end, since these checks are evaluated, as in a load, by events that are no outputs.
        result = dg.materialize([_assets], instance=instance, tags=tags, raise_on_error=False)
        found = list(instance.all_logs(result.run_id))
    kinds = {entry.dagster_event_type.value for entry in found if entry.dagster_event_type}
    assert {"ASSET_CHECK_EVALUATION_PLANNED", "ASSET_CHECK_EVALUATION", "ASSET_MATERIALIZATION"} <= kinds
    return found


def _own(home: Path) -> DateEventLogStorage:
    return DateEventLogStorage(str(home))


def _dagsters(home: Path) -> SqliteEventLogStorage:
    return SqliteEventLogStorage(str(home / "history" / "runs"))


def _store(storage: DateEventLogStorage, entries: list[EventLogEntry]) -> None:
    for batched, group in groupby(entries, lambda entry: entry.dagster_event_type in _BATCHED):
        if not batched:
            for entry in group:
                storage.store_event(entry)
            continue
        with storage.together():
            for entry in group:
                storage.store_event(entry)


def _contents(home: Path) -> dict[tuple[str, str], list[tuple[object, ...]]]:
    found = {}
    for path in (home / "history" / "runs").glob("*.db"):
        with sqlite3.connect(path) as connection:
            for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
                columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
                shown = ", ".join(f'"{c}"' for c in columns if c not in _OWN.get(table, ()))
                rows = connection.execute(f"select {shown} from {table}").fetchall()
                found[path.name, table] = sorted(rows, key=repr)
    return found


def test_it_holds_what_dagsters_own_storage_would(tmp_path: Path, entries: list[EventLogEntry]) -> None:
    stock = _dagsters(tmp_path / "stock")
    for entry in entries:
        stock.store_event(entry)
    own = _own(tmp_path / "own")
    _store(own, entries)
    own.dispose()
    assert _contents(tmp_path / "own") == _contents(tmp_path / "stock")
    assert len(_contents(tmp_path / "own")["index.db", "asset_check_executions"]) == 4


def test_each_reads_what_the_other_wrote(tmp_path: Path, entries: list[EventLogEntry]) -> None:
    run_id, half = entries[0].run_id, len(entries) // 2
    stock = _dagsters(tmp_path)
    for entry in entries[:half]:
        stock.store_event(entry)
    own = _own(tmp_path)
    _store(own, entries[half:])
    for storage in (stock, own):
        assert list(storage.get_logs_for_run(run_id)) == entries
        assert storage.get_materialized_partitions(dg.AssetKey("b")) == set(_KEYS)


def test_an_evaluation_is_about_the_latest_materialization(tmp_path: Path, entries: list[EventLogEntry]) -> None:
    own = _own(tmp_path)
    check = dg.AssetCheckKey(dg.AssetKey("a"), "good")
    kinds = dg.DagsterEventType
    materialized, evaluated = (
        [e for e in entries if e.dagster_event_type is kind]
        for kind in (kinds.ASSET_MATERIALIZATION, kinds.ASSET_CHECK_EVALUATION)
    )

    def current() -> dict[str | None, bool]:
        return {info.partition_key: info.is_current for info in own.get_asset_check_partition_info([check])}

    _store(own, entries)
    assert current() == dict.fromkeys(_KEYS, True)
    _store(own, materialized[:2])
    assert current() == {_KEYS[0]: False, _KEYS[1]: True}
    _store(own, evaluated)
    assert current() == dict.fromkeys(_KEYS, True)


def test_a_batch_is_stored_as_a_whole_or_not_at_all(tmp_path: Path, entries: list[EventLogEntry]) -> None:
    own, reader = _own(tmp_path), _dagsters(tmp_path)
    materialized = [e for e in entries if e.dagster_event_type is dg.DagsterEventType.ASSET_MATERIALIZATION]
    with own.together():
        for entry in materialized:
            own.store_event(entry)
        assert reader.get_materialized_partitions(dg.AssetKey("a")) == set()
    assert reader.get_materialized_partitions(dg.AssetKey("a")) == set(_KEYS)
    with suppress(KeyboardInterrupt), own.together():
        own.store_event(materialized[0])
        raise KeyboardInterrupt
    assert len(own.get_logs_for_run(materialized[0].run_id)) == len(materialized)
    own.store_event(materialized[0])
    assert len(own.get_logs_for_run(materialized[0].run_id)) == len(materialized) + 1


def test_who_follows_a_run_sees_events_while_the_database_stays_open(
    tmp_path: Path, entries: list[EventLogEntry]
) -> None:
    own, ui = _own(tmp_path), _own(tmp_path)
    own.store_event(entries[0])
    heard = threading.Event()
    calls: list[str] = []

    def hear(entry: EventLogEntry, cursor: str) -> None:
        calls.append(cursor)
        heard.set()

    ui.watch(entries[0].run_id, None, hear)
    try:
        own.store_event(entries[1])
        assert heard.wait(10)
        # Hearing of an event is no event.
        heard.clear()
        assert not heard.wait(0.5)
    finally:
        ui.end_watch(entries[0].run_id, hear)
        ui.dispose()
    assert len(calls) == 2


def test_only_the_first_run_of_a_process_has_its_database_made_by_alembic(
    tmp_path: Path, entries: list[EventLogEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, run_id = _own(tmp_path), entries[0].run_id
    assert own.get_logs_for_run("an earlier run") == []
    with monkeypatch.context() as without:
        without.delattr(SqliteEventLogStorage, "_initdb")
        own.store_event(entries[0])
        assert own.get_logs_for_run(run_id) == entries[:1]
    assert _dagsters(tmp_path).get_logs_for_run(run_id) == entries[:1]


def test_a_date_costs_two_commits(loader: Loader) -> None:
    commits: list[str] = []
    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", lambda connection: commits.append(str(connection.engine.url)))
    counts = []
    for dates in (days("2024-01-01", 2), days("2024-01-01", 12)):
        loader.archive.fill(dates, 1)
        commits.clear()
        loader()
        runs = [url for url in commits if "/history/runs/" in url and "index.db" not in url]
        counts.append((len(runs), sum("index.db" in url for url in commits)))
    (few, few_index), (many, many_index) = counts
    # Reading commits too, and the run's own beginning and end are the same for any number of dates.
    assert many - few <= 10
    assert many_index - few_index <= 10

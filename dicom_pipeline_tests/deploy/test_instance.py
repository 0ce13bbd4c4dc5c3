"""``deploy/dagster.yaml`` on a real PostgreSQL: loads are stored there, and nothing that was printed is."""

import os
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster_postgres import PostgresEventLogStorage

from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days


def _rows(storage: dict[str, str], query: str) -> list[tuple[object, ...]]:
    place = dict(zip(("host", "port", "dbname", "user", "password"), storage.values(), strict=True))
    with psycopg.connect(**place) as connection:  # type: ignore[arg-type]
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_a_load_is_kept_in_postgresql(deployed: Loader, storage: dict[str, str]) -> None:
    dates = days("2024-01-30", 3)
    deployed.archive.fill(dates)
    report = deployed()
    assert not report.failed
    with open_instance(deployed.settings.dagster_home) as instance:
        assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
        key = dg.AssetKey(["default", "dicom_image_meta"])
        assert instance.get_materialized_partitions(key) == {date.isoformat() for date in dates}
        check = dg.AssetCheckKey(key, "warehouse_matches_staging")
        found = instance.event_log_storage.get_asset_check_partition_info([check])
        assert [info.is_current for info in found] == [True] * 3
        runs = instance.get_runs(dg.RunsFilter(job_name="load_default"))
    assert _rows(storage, "select run_id, status from runs where pipeline_name = 'load_default'") == [
        (runs[0].run_id, "SUCCESS")
    ]
    assert not list(deployed.settings.dagster_home.rglob("*.db"))


def test_nothing_that_was_printed_is_kept(
    deployed: Loader, storage: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    deployed.archive.fill(days("2024-01-30", 1))
    deployed()
    kinds = {kind for (kind,) in _rows(storage, "select distinct dagster_event_type from event_logs")}
    assert "ASSET_MATERIALIZATION" in kinds
    with open_instance(deployed.settings.dagster_home) as instance:
        assert isinstance(instance.compute_log_manager, NoOpComputeLogManager)
        for run in instance.get_runs():
            captured = [
                entry.get_dagster_event().logs_captured_data
                for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)
            ]
            for data in captured:
                log = instance.compute_log_manager.get_log_data([run.run_id, "compute_logs", data.file_key])
                assert (log.stdout, log.stderr) == (None, None)
    kept = [path for path in deployed.settings.dagster_home.rglob("*") if path.suffix in {".out", ".err"}]
    assert kept == []


def test_what_the_file_says_is_what_the_instance_does(deployed: Loader) -> None:
    with open_instance(deployed.settings.dagster_home) as instance:
        limits = instance.get_concurrency_config()
        assert limits.run_queue_config is not None
        assert limits.run_queue_config.max_concurrent_runs == 4
        assert limits.run_queue_config.tag_concurrency_limits == [{"key": "dagster/backfill", "limit": 3}]
        assert (limits.pool_config.pool_granularity.value, limits.pool_config.default_pool_limit) == ("run", 1)
        assert instance.run_monitoring_enabled
        assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 2)
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled


def test_a_missing_variable_is_named(deployed: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_PG_HOST")
    with pytest.raises(Exception, match="DAGSTER_PG_HOST"):
        open_instance(deployed.settings.dagster_home)


def test_the_instance_file_holds_no_secret(storage: dict[str, str]) -> None:
    text = (Path(os.path.dirname(__file__)).parents[1] / "deploy/dagster.yaml").read_text(encoding="utf-8")
    assert all("password: {env: " in line for line in text.splitlines() if "password:" in line)

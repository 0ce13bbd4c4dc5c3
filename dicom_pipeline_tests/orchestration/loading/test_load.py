"""The main job on real files and a real PostgreSQL: what the tables hold after any history of an archive."""

import datetime as dt
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from dicom_pipeline.archive.layouts import DateDirectories
from dicom_pipeline.errors import ArchiveError, ConfigurationError, WarehouseUnavailable
from dicom_pipeline.orchestration import failures
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.loading.dates import DateLoader
from dicom_pipeline.orchestration.sources import IndexedSource, date_source
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.schemas import FILES_SCHEMA
from dicom_pipeline.tables.slices import REJECT_COLUMNS
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline.warehouse.base import TableChange
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline.warehouse.postgres.warehouse import PostgresWarehouse
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days, write_instance


def test_every_date_is_loaded_and_accounted_for(loader: Loader) -> None:
    dates = [*days("2024-01-30", 4), dt.date(2024, 6, 1)]
    loader.archive.fill(dates)
    (loader.archive.root / "20240130" / "readme.txt").write_text("no image")
    loader.archive.add(dates[1], "nameless.dcm", PatientID=None)
    report = loader().as_json()
    assert report["dates"] == {"total": 5, "loaded": 5, "failed": []}
    assert report["files"] == {
        "listed": 17,
        "accepted": 15,
        "rejected": 2,
        "rejected_by_reason": {"MissingRequiredField": 1, "NotDicom": 1},
        "read_by": {"scanner": 16, "pydicom": 1},
    }
    assert report["rows"] == {"dicom_image_meta": 15, "dicom_state_meta": 5, "dicom_reject": 2}
    assert loader.rows("select partition_date, path, reason, field from dicom_reject order by partition_date") == [
        (dates[0], "20240130/readme.txt", "NotDicom", None),
        (dates[1], "20240131/nameless.dcm", "MissingRequiredField", "PatientID"),
    ]
    ledger = loader.rows("select files_listed, files_accepted, files_rejected from dicom_load order by partition_date")
    assert ledger == [(4, 3, 1), (4, 3, 1), (3, 3, 0), (3, 3, 0), (3, 3, 0)]


def test_a_second_load_touches_no_row(loader: Loader) -> None:
    loader.archive.fill(days("2024-01-30", 3))
    loader.archive.add(dt.date(2024, 1, 30), "bad.dcm", StudyTime="25:00")
    loader()
    before = loader.physical()
    report = loader()
    assert loader.physical() == before
    assert report.rows == {"dicom_image_meta": 9, "dicom_state_meta": 3, "dicom_reject": 1}


def test_exactly_what_changed_on_the_disk_changes_in_the_tables(loader: Loader) -> None:
    dates = days("2024-01-01", 3)
    loader.archive.fill(dates)
    loader()
    before = loader.physical()
    (loader.archive.root / "20240101" / "1.dcm").unlink()
    write_instance(loader.archive.root / "20240102" / "1.dcm", dates[1], InstanceNumber=1, SliceThickness="2.5")
    loader.archive.add(dates[1], "4.dcm", InstanceNumber=4)
    report = loader()
    changes = {o.date: o.changes["dicom_image_meta"] for o in report.outcomes if o.changes}
    assert (changes[dates[0]].inserted, changes[dates[0]].updated, changes[dates[0]].deleted) == (0, 0, 1)
    assert (changes[dates[1]].inserted, changes[dates[1]].updated, changes[dates[1]].deleted) == (1, 1, 0)
    assert (changes[dates[2]].inserted, changes[dates[2]].updated, changes[dates[2]].deleted) == (0, 0, 0)
    kept = set(map(repr, loader.physical()["dicom_image_meta"])) & set(map(repr, before["dicom_image_meta"]))
    assert len(kept) == 2 + 2 + 3


def test_a_bad_date_neither_stops_nor_hides_the_others(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    dates = days("2024-01-01", 4)
    loader.archive.fill(dates)
    load = DateLoader.load

    def load_or_fail(self: DateLoader, date: dt.date) -> dict[str, TableChange]:
        if date == dates[1]:
            raise RuntimeError("Key (patient_name)=(DOE^JANE) exists")
        return load(self, date)

    monkeypatch.setattr(DateLoader, "load", load_or_fail)
    report = loader()
    assert [outcome.date for outcome in report.failed] == [dates[1]]
    assert "DOE" not in str(report.failed[0].error)
    assert "RuntimeError" in str(report.failed[0].error)
    loaded = loader.rows("select distinct study_date from dicom_image_meta order by 1")
    assert [row[0] for row in loaded] == [dates[0], dates[2], dates[3]]
    with open_instance(loader.settings.dagster_home) as instance:
        key = dg.AssetKey(["default", "dicom_image_meta"])
        assert instance.get_materialized_partitions(key) == {"2024-01-01", "2024-01-03", "2024-01-04"}
        assert instance.get_materialized_partitions(dg.AssetKey(["default", "dicom_metadata"])) == {
            str(date) for date in dates
        }
        runs = instance.get_runs()
        assert [run.status for run in runs if run.job_name == "load_default"] == [dg.DagsterRunStatus.FAILURE]


def test_every_date_has_its_own_checks_and_metadata(loader: Loader) -> None:
    dates = days("2024-01-01", 3)
    loader.archive.fill(dates)
    loader.archive.add(dates[1], "bad.dcm", StudyTime="25:00")
    loader()
    with open_instance(loader.settings.dagster_home) as instance:
        check = dg.AssetCheckKey(dg.AssetKey(["default", "dicom_metadata"]), "rejected_share_below_limit")
        history = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
        by_date = {row.partition: row.status.value for row in history}
        assert by_date == {"2024-01-01": "SUCCEEDED", "2024-01-02": "FAILED", "2024-01-03": "SUCCEEDED"}
        events = instance.fetch_materializations(dg.AssetKey(["default", "dicom_metadata"]), limit=10).records
        rejected = {
            r.partition_key: r.asset_materialization.metadata["rejected/InvalidTimeFormat"].value
            for r in events
            if r.asset_materialization
        }
        assert rejected == {"2024-01-01": 0, "2024-01-02": 1, "2024-01-03": 0}
        overview = instance.get_latest_materialization_event(dg.AssetKey(["default", "archive_overview"]))
        assert overview is not None
        assert overview.asset_materialization is not None
        assert "data:image/png;base64," in str(overview.asset_materialization.metadata["plot"].value)


def test_a_blocked_date_is_not_loaded_and_named(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    dates = days("2024-01-01", 3)
    loader.archive.fill(dates)
    check = DateLoader.check

    def check_after_losing_a_listing(self: DateLoader, date: dt.date) -> list[Findings]:
        if date == dates[1]:
            self.staging.write(self.tenant, "archive_files", date, [], FILES_SCHEMA, {})
            self._known.clear()  # as in a run of the check alone
        return check(self, date)

    monkeypatch.setattr(DateLoader, "check", check_after_losing_a_listing)
    report = loader()
    assert [outcome.date for outcome in report.failed] == [dates[1]]
    assert "every_listed_file_accounted_for" in str(report.failed[0].error)
    assert report.as_json()["dates"] == {"total": 3, "loaded": 2, "failed": ["2024-01-02"]}
    assert loader.rows("select count(*) from dicom_image_meta where study_date = '2024-01-02'") == [(0,)]


def test_staged_rows_are_read_once_and_those_of_an_unchanged_date_never(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    (date,) = days("2024-01-01", 1)
    loader.archive.fill([date])
    read, reads = Staging.read, []

    def counted(staging: Staging, tenant: str, asset: str, *rest: Any) -> pa.RecordBatchReader:
        reads.append((asset, *rest[1:]))
        return read(staging, tenant, asset, *rest)

    monkeypatch.setattr(Staging, "read", counted)
    loader()
    assert [columns for asset, *columns in reads if asset == "dicom_metadata"] == [[None]]
    reads.clear()
    assert loader().failed == []
    assert [asset for asset, *_ in reads if asset == "dicom_metadata"] == []
    (loader.archive.root / f"{date:%Y%m%d}" / "note.txt").write_text("a note " * 100)
    assert loader().failed == []
    assert [columns for asset, *columns in reads if asset == "dicom_metadata"] == [[REJECT_COLUMNS]]


def test_steps_run_alone_do_what_they_do_in_a_row(loader: Loader) -> None:
    """Each step by a loader of its own, which knows nothing but what is staged."""
    date = days("2024-01-01", 1)[0]
    loader.archive.fill([date])
    loader()
    content = loader.content()
    loader.empty()
    archive, staging = Archive(root=str(loader.archive.root)), Staging(loader.settings.staging_directory)

    def alone(step: str) -> Any:
        with Extractor(workers=1) as extractor, closing(create_warehouse(loader.url)) as warehouse:
            source = date_source(archive, staging)
            clock = dt.datetime.now(dt.UTC).replace(tzinfo=None)
            return getattr(DateLoader(archive, source, staging, extractor, warehouse, step, clock, 0.05), step)(date)

    for step in ("list_files", "extract", "check", "load"):
        alone(step)
    assert loader.content() == content
    assert all(found.passed for found in [*alone("check"), *alone("reconcile")])
    loader.empty()
    assert {found.check for found in alone("reconcile") if not found.passed} == {"warehouse_matches_staging"}


def test_a_vanished_directory_empties_its_slice(loader: Loader) -> None:
    dates = days("2024-01-01", 3)
    loader.archive.fill(dates)
    loader()
    for path in (loader.archive.root / "20240102").iterdir():
        path.unlink()
    (loader.archive.root / "20240102").rmdir()
    report = loader()
    assert report.emptied == [dates[1]]
    assert report.rows["dicom_image_meta"] == 6
    assert any("emptied" in note for note in loader.progress.notes)


def test_a_range_loads_only_its_dates(loader: Loader) -> None:
    dates = days("2024-01-01", 5)
    loader.archive.fill(dates)
    loader(dates[1], dates[3])
    assert [row[0] for row in loader.rows("select distinct study_date from dicom_state_meta order by 1")] == dates[1:4]


def test_tenants_do_not_touch_each_other(loader: Loader) -> None:
    loader.archive.fill(days("2024-01-01", 2))
    loader(tenant="a")
    loader(tenant="b")
    loader.archive.add(dt.date(2024, 1, 1), "new.dcm")
    loader(tenant="b")
    counts = loader.rows("select tenant_id, count(*) from dicom_image_meta group by 1 order by 1")
    assert counts == [("a", 6), ("b", 7)]


def test_dates_inside_the_files_decide_where_directories_say_nothing(loader: Loader) -> None:
    dates = [dt.date(1999, 12, 31), dt.date(2024, 1, 1)]
    for number, date in enumerate(dates * 2):
        write_instance(loader.archive.root / "mixed" / f"{number}", date)
    write_instance(loader.archive.root / "mixed" / "undated", dates[0], StudyDate=None)
    (loader.archive.root / "notes.txt").write_text("no image")
    report = loader(layout="any").as_json()
    assert report["files"]["listed"] == 6
    assert report["files"]["rejected_by_reason"] == {"MissingRequiredField": 1, "NotDicom": 1}
    assert loader.rows("select study_date, count(*) from dicom_image_meta group by 1 order by 1") == [
        (dates[0], 2),
        (dates[1], 2),
    ]
    before = loader.physical()
    loader(layout="any")
    assert loader.physical() == before


def test_a_future_study_is_loaded_and_noticed(loader: Loader) -> None:
    date = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=400)
    loader.archive.fill([date])
    report = loader()
    assert report.failed == []
    assert report.rows["dicom_image_meta"] == 3
    assert [f.check for f in report.outcomes[0].findings if not f.passed] == ["dates_plausible"]


def test_an_archive_that_lost_everything_is_not_believed(loader: Loader) -> None:
    loader.archive.fill(days("2024-01-01", 2))
    loader()
    loader.archive.root.rename(loader.archive.root.with_name("unmounted"))
    loader.archive.root.mkdir()
    with pytest.raises(ConfigurationError, match="mounted"):
        loader()
    report = loader(dt.date(2024, 1, 1), dt.date(2024, 1, 2))
    assert report.rows["dicom_image_meta"] == 0


@pytest.mark.parametrize("dates_before", [0, 1, 4])
def test_a_killed_load_is_simply_run_again(loader: Loader, dates_before: int, tmp_path: Path) -> None:
    loader.archive.fill(days("2024-01-01", 6), instances=4)
    command = [str(Path(sys.executable).parent / "dicom-pipeline"), "load", str(loader.archive.root)]
    environment = {**os.environ, "DICOM_PIPELINE_WAREHOUSE": loader.url, "DICOM_PIPELINE_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for _ in range(dates_before):
        process.stderr.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    with open_instance(loader.settings.dagster_home) as instance:
        done = instance.get_materialized_partitions(dg.AssetKey(["default", "dicom_reject"]))
    assert {f"{date}" for date in days("2024-01-01", dates_before)} <= done
    report = loader()
    assert report.as_json()["dates"] == {"total": 6, "loaded": 6, "failed": []}
    killed = loader.content()
    loader.empty()
    loader()
    assert loader.content() == killed
    assert {table: len(rows) for table, rows in killed.items()} == {
        "dicom_image_meta": 24,
        "dicom_state_meta": 6,
        "dicom_reject": 0,
    }
    with open_instance(loader.settings.dagster_home) as instance:
        unfinished = [run for run in instance.get_runs() if not run.is_finished]
    assert unfinished == []


def test_a_date_that_can_have_no_partition_fails_alone(loader: Loader) -> None:
    near, far = dt.date(2024, 1, 1), dt.date(9999, 12, 31)
    loader.archive.fill([near, far], instances=1)
    report = loader()
    assert [(outcome.date, "can be loaded" in str(outcome.error)) for outcome in report.failed] == [(far, True)]
    assert loader.rows("select study_date from dicom_image_meta") == [(near,)]


def test_without_date_directories_files_of_such_dates_are_rejected(loader: Loader) -> None:
    for number, date in enumerate([dt.date(1, 1, 1), dt.date(2024, 1, 5), dt.date(9999, 12, 31)]):
        write_instance(loader.archive.root / f"{number}.dcm", date, StudyDate=date.isoformat().replace("-", ""))
    report = loader(layout="any").as_json()
    assert report["dates"] == {"total": 2, "loaded": 2, "failed": []}
    assert report["files"]["rejected_by_reason"] == {"StudyDateMismatch": 2}
    assert report["rows"] == {"dicom_image_meta": 1, "dicom_state_meta": 1, "dicom_reject": 2}


def test_nothing_is_loaded_by_an_index_that_could_not_be_updated(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_instance(loader.archive.root / "a.dcm", dt.date(2024, 1, 5))
    loader(layout="any")
    write_instance(loader.archive.root / "b.dcm", dt.date(2024, 1, 5))

    def fail(*_: object) -> None:
        raise ArchiveError("a directory inside the archive cannot be listed")

    monkeypatch.setattr(IndexedSource, "refresh", fail)
    with pytest.raises(ArchiveError, match="nothing was loaded"):
        loader(layout="any")


def test_a_warehouse_lost_on_the_way_still_leaves_a_report(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.archive.fill(days("2024-01-01", 1))

    def lost(*_: object) -> None:
        raise WarehouseUnavailable("the connection was lost")

    monkeypatch.setattr(failures, "PAUSES", ())
    monkeypatch.setattr(DateLoader, "load", lost)
    monkeypatch.setattr(PostgresWarehouse, "digest", lost)
    report = loader().as_json()
    assert report["dates"]["failed"] == ["2024-01-01"]
    assert set(report["rows"].values()) == {None}


def test_a_load_lists_the_dates_and_prepares_the_tables_once(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.archive.fill([dt.date(2024, 1, 1), dt.date(2024, 3, 1), dt.date(2024, 5, 1)], 1)
    calls: list[str] = []

    def noted(owner: type, name: str) -> None:
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given: calls.append(name) or real(*given))

    noted(DateDirectories, "dates")
    noted(PostgresWarehouse, "prepare")
    assert loader().as_json()["dates"]["loaded"] == 3
    assert sorted(calls) == ["dates", "prepare"]

"""How dates stand, after real loads of real files into a real PostgreSQL."""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy

from dicom_pipeline.errors import ArchiveError
from dicom_pipeline.orchestration.backfill import status
from dicom_pipeline.orchestration.backfill.status import ArchiveStatus, DateState, look_at_archives
from dicom_pipeline.orchestration.definitions import build_definitions
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.loading.dates import DateLoader
from dicom_pipeline.orchestration.sources import DirectorySource
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.warehouse.base import TableChange
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days, write_instance

DATES = days("2024-01-30", 4)


def look(loader: Loader, **options: object) -> ArchiveStatus:
    archive = Archive.model_validate({"root": str(loader.archive.root), **options.pop("archive", {})})  # type: ignore[dict-item]
    (found,) = look_at_archives(
        loader.settings, [archive], options.pop("first", None), options.pop("last", None), **options
    )  # type: ignore[arg-type]
    return found


def states(found: ArchiveStatus) -> dict[dt.date, str]:
    return {one.date: one.state.value for one in found.dates}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> set[dt.date]:
    """Dates whose load fails, as long as they are in the set."""
    bad: set[dt.date] = set()
    load = DateLoader.load

    def load_or_fail(self: DateLoader, date: dt.date) -> dict[str, TableChange]:
        if date in bad:
            raise ArchiveError("made to fail")
        return load(self, date)

    monkeypatch.setattr(DateLoader, "load", load_or_fail)
    return bad


def test_nothing_loaded_yet_is_missing_and_nothing_is_made(loader: Loader) -> None:
    loader.archive.fill(DATES, 1)
    assert states(look(loader)) == dict.fromkeys(DATES, "missing")
    assert loader.rows("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]


def test_what_is_loaded_is_loaded_and_what_came_later_is_missing(loader: Loader) -> None:
    loader.archive.fill(DATES, 1)
    loader()
    assert look(loader).good
    late = dt.date(2024, 3, 1)
    loader.archive.fill([late], 1)
    found = look(loader)
    assert states(found) == {**dict.fromkeys(DATES, "loaded"), late: "missing"}
    assert found.counts == {"failed": 0, "missing": 1, "stale": 0, "outdated": 0, "loaded": 4}
    assert not found.good


def _added(root: Path) -> None:
    (root / "new.txt").write_text("no image")


def _changed(root: Path) -> None:
    write_instance(root / "1.dcm", DATES[1], PatientID="another and longer")


def _fewer(root: Path) -> None:
    (root / "1.dcm").unlink()


@pytest.mark.parametrize("change", [_added, _changed, _fewer])
def test_a_date_whose_files_are_others_is_stale_until_it_is_loaded_again(
    loader: Loader, change: Callable[[Path], None]
) -> None:
    loader.archive.fill(DATES, 2)
    loader()
    change(loader.archive.root / f"{DATES[1]:%Y%m%d}")
    assert states(look(loader)) == {**dict.fromkeys(DATES, "loaded"), DATES[1]: "stale"}
    assert look(loader, compare_files=False).good
    loader()
    assert look(loader).good


def test_a_vanished_date_is_stale_until_it_is_emptied_and_then_is_no_date_any_more(loader: Loader) -> None:
    loader.archive.fill(DATES, 1)
    loader()
    directory = loader.archive.root / f"{DATES[0]:%Y%m%d}"
    (directory / "1.dcm").unlink()
    directory.rmdir()
    assert [(s.date, s.reason) for s in look(loader).dates if s.state is DateState.STALE] == [
        (DATES[0], "its 1 files are gone")
    ]
    loader()
    assert states(look(loader)) == dict.fromkeys(DATES[1:], "loaded")


def test_a_failed_date_says_why_until_it_is_loaded(loader: Loader, failing: set[dt.date]) -> None:
    loader.archive.fill(DATES, 1)
    loader()
    failing.update(DATES[1:3])
    loader()
    found = look(loader)
    assert states(found) == {d: "failed" if d in failing else "loaded" for d in DATES}
    assert [s.reason for s in found.dates] == ["", "made to fail", "made to fail", ""]
    assert [[s.date for s in some] for some in found.ranges()] == [DATES[1:3]]
    failing.clear()
    loader(DATES[1], DATES[1])
    assert states(look(loader)) == {**dict.fromkeys(DATES, "loaded"), DATES[2]: "failed"}


def test_the_last_failure_of_a_date_is_an_event_of_its_own_in_the_ui(loader: Loader, failing: set[dt.date]) -> None:
    loader.archive.fill(DATES, 1)
    failing.add(DATES[1])
    loader()
    with open_instance(loader.settings.dagster_home) as instance:
        events = instance.fetch_observations(dg.AssetKey(["default", "dicom_image_meta"]), limit=9).records
        assert [
            (e.partition_key, e.asset_observation and e.asset_observation.metadata["failed"].value) for e in events
        ] == [(str(DATES[1]), "made to fail")]


def test_dates_of_an_older_version_are_outdated(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.archive.fill(DATES, 1)
    loader()
    monkeypatch.setattr(status, "__version__", "999")
    found = look(loader)
    assert states(found) == dict.fromkeys(DATES, "outdated")
    assert {s.reason for s in found.dates} == {f"loaded by version {found.dates[0].load.code_version}"}  # type: ignore[union-attr]


def test_another_warehouse_has_nothing_and_another_home_knows_nothing(
    loader: Loader, tmp_path: Path, make_database: Callable[[], object]
) -> None:
    loader.archive.fill(DATES, 1)
    loader()
    elsewhere = Settings(home=loader.settings.home, warehouse=make_database().url)  # type: ignore[attr-defined]
    archive = Archive(root=str(loader.archive.root))
    assert states(look_at_archives(elsewhere, [archive], None, None)[0]) == dict.fromkeys(DATES, "missing")
    anew = Settings(home=tmp_path / "another", warehouse=loader.url)
    assert states(look_at_archives(anew, [archive], None, None)[0]) == dict.fromkeys(DATES, "missing")


def test_a_listing_made_alone_does_not_pass_for_a_load(loader: Loader) -> None:
    loader.archive.fill(DATES, 1)
    loader()
    loader.archive.add(DATES[0], "new.dcm")
    archive = Archive(root=str(loader.archive.root)).covering(DATES)
    definitions = build_definitions(loader.settings.with_archive(archive))
    with open_instance(loader.settings.dagster_home) as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        files = dg.AssetKey(["default", "archive_files"])
        done = job.execute_in_process(instance=instance, partition_key=str(DATES[0]), asset_selection=[files])
        assert done.success
    assert states(look(loader)) == {**dict.fromkeys(DATES, "loaded"), DATES[0]: "stale"}


def test_a_range_and_a_tenant_are_kept_to(loader: Loader) -> None:
    loader.archive.fill(DATES, 1)
    loader(tenant="a")
    found = look(loader, archive={"tenant": "a"}, first=DATES[1], last=DATES[2])
    assert states(found) == dict.fromkeys(DATES[1:3], "loaded")
    assert states(look(loader, archive={"tenant": "b"})) == dict.fromkeys(DATES, "missing")


def test_a_date_that_cannot_be_listed_does_not_hide_the_others(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.archive.fill(DATES, 1)
    loader()
    rows = DirectorySource.rows

    def broken(self: DirectorySource, date: dt.date) -> object:
        if date == DATES[2]:
            raise ArchiveError("the archive's directory 20240201 cannot be read")
        return rows(self, date)

    monkeypatch.setattr(DirectorySource, "rows", broken)
    found = {s.date: s for s in look(loader).dates}
    assert states(look(loader)) == {**dict.fromkeys(DATES, "loaded"), DATES[2]: "stale"}
    assert "20240201" in found[DATES[2]].reason


def test_dates_inside_the_files_are_looked_up_anew(loader: Loader) -> None:
    for number, date in enumerate(DATES):
        write_instance(loader.archive.root / f"{number}.dcm", date)
    loader(layout="any")
    archive = {"layout": "any", "first_date": dt.date(2024, 1, 1)}
    assert look(loader, archive=archive).good
    write_instance(loader.archive.root / "new.dcm", DATES[3])
    assert states(look(loader, archive=archive)) == {**dict.fromkeys(DATES, "loaded"), DATES[3]: "stale"}


def test_the_command_tells_machines_and_people(loader: Loader, tmp_path: Path) -> None:
    loader.archive.fill(DATES, 1)
    loader()
    loader.archive.add(DATES[0], "new.dcm")
    command = [sys.executable, "-c", "from dicom_pipeline.cli import main; main()", "status"]
    command += ["--home", str(tmp_path / "home"), "--warehouse", loader.url]
    machine = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert machine.returncode == 1, machine.stderr
    (told,) = json.loads(machine.stdout)["archives"]
    assert told["counts"] == {"failed": 0, "missing": 0, "stale": 1, "outdated": 0, "loaded": 3}
    assert [d["date"] for d in told["dates"]] == [str(d) for d in DATES]
    assert told["dates"][0]["state"] == "stale"
    assert told["dates"][1]["load"]["files"] == {"listed": 1, "accepted": 1, "rejected": 0}
    person = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "files came, changed or vanished" in person.stdout
    assert "2024-01-30" in person.stdout
    fine = subprocess.run([*command, "--from", "2024-01-31"], capture_output=True, text=True, check=False)
    assert (fine.returncode, "stale" in fine.stdout) == (0, True)
    unknown = subprocess.run([*command, "--tenant", "x"], capture_output=True, text=True, check=False)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "default" in unknown.stderr


def test_the_history_of_all_dates_is_asked_for_at_once(loader: Loader) -> None:
    """A query a date would take minutes for ten years."""
    loader.archive.fill(days("2024-01-01", 40), 1)
    loader()
    asked: list[str] = []
    with closing(create_warehouse(loader.url)) as warehouse, open_instance(loader.settings.dagster_home) as instance:
        engine = instance.event_log_storage._engine("index")  # type: ignore[attr-defined]
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        archive = Archive(root=str(loader.archive.root))
        assert status.archive_status(loader.settings, archive, warehouse, instance).counts["loaded"] == 40
    assert len(asked) < 20

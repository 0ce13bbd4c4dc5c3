"""Checks that look over all dates."""

import datetime as dt
from dataclasses import replace

import dagster as dg
import pytest

from dicom_pipeline.dicom.hashes import hash_uid
from dicom_pipeline.orchestration.definitions import build_definitions, conflicts_job_name
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.loading import standing
from dicom_pipeline.orchestration.loading.dates import DateLoader
from dicom_pipeline.quality.catalogue import STANDING_CHECKS
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.settings import Archive
from dicom_pipeline.warehouse.postgres.warehouse import PostgresWarehouse
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

NAMES = {check.name for check in STANDING_CHECKS}
CONFLICTS = {"sop_instance_in_one_place", "study_of_one_patient"}


def latest(loader: Loader) -> dict[str, dg.AssetCheckEvaluation]:
    """Return the last evaluation of each check, as the UI shows it with the overview."""
    keys = [dg.AssetCheckKey(dg.AssetKey(["default", "archive_overview"]), name) for name in sorted(NAMES)]
    with open_instance(loader.settings.dagster_home) as instance:
        found = {}
        for key in keys:
            for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=1):
                found[key.name] = record.event.dagster_event.asset_check_evaluation_data
        return found


def test_a_load_of_the_whole_archive_ends_with_a_look_over_all_dates_which_only_warns(loader: Loader) -> None:
    first, second = days("2024-01-01", 2)
    loader.archive.add(first, SOPInstanceUID="1.2.77")
    loader()
    before = latest(loader)
    assert before.keys() == NAMES
    assert all(evaluation.passed for evaluation in before.values())
    loader.archive.add(second, SOPInstanceUID="1.2.77", StudyInstanceUID=f"1.2.{first:%Y%m%d}", PatientID="MRN-OTHER")
    report = loader()
    assert report.failed == []
    assert not any("conflicts" in note for note in loader.progress.notes)
    after = latest(loader)
    for name in CONFLICTS:
        assert not after[name].passed
        assert after[name].severity is dg.AssetCheckSeverity.WARN
        assert not after[name].blocking
        assert {n: after[name].metadata[n].value for n in ("offending", "images")} == {"offending": 1, "images": 2}
    assert after["study_of_one_patient"].metadata["uid_hashes"].value == [hash_uid(f"1.2.{first:%Y%m%d}")]
    assert "1.2.77" not in str(after)
    assert "MRN-OTHER" not in str(after)


def test_a_load_of_a_range_does_not_look_over_all_dates(loader: Loader) -> None:
    [date] = days("2024-01-01", 1)
    loader.archive.fill([date])
    loader(date, date)
    assert latest(loader) == {}


def look(loader: Loader, **archive: object) -> dict[str, dg.AssetCheckEvaluation]:
    """Run the checks over all dates, as their schedule does."""
    described = Archive.model_validate({"root": str(loader.archive.root), **archive})
    job = build_definitions(loader.settings.with_archive(described)).resolve_job_def(conflicts_job_name(described))
    with open_instance(loader.settings.dagster_home) as instance:
        assert job.execute_in_process(instance=instance).success
    return latest(loader)


def counts(evaluation: dg.AssetCheckEvaluation) -> dict[str, object]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def test_yesterday_is_missed_until_it_is_loaded_even_as_an_empty_day(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    yesterday = days("2024-05-01", 1)[0]
    monkeypatch.setattr(standing, "expected_date", lambda archive, now: yesterday if archive.schedule else None)
    assert look(loader)["yesterday_is_loaded"].passed
    missed = look(loader, schedule="03:00")["yesterday_is_loaded"]
    assert (missed.passed, missed.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert counts(missed) == {"expected": 1, "missing": 1}
    archive = Archive(root=str(loader.archive.root), start_date=yesterday)
    job = build_definitions(loader.settings.with_archive(archive)).resolve_job_def("load_default")
    with open_instance(loader.settings.dagster_home) as instance:
        assert job.execute_in_process(instance=instance, partition_key=str(yesterday)).success
    assert look(loader, schedule="03:00")["yesterday_is_loaded"].passed


def test_dates_that_failed_are_counted_until_they_are_loaded(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    dates = days("2024-01-01", 4)
    loader.archive.fill(dates)
    loader()
    load, reconcile = DateLoader.load, DateLoader.reconcile

    def load_or_fail(self: DateLoader, date: dt.date) -> object:
        if date == dates[1]:
            raise RuntimeError("broken")
        return load(self, date)

    def reconcile_or_differ(self: DateLoader, date: dt.date) -> list[Findings]:
        found = reconcile(self, date)
        return [replace(f, passed=False) for f in found] if date == dates[2] else found

    with monkeypatch.context() as broken:
        broken.setattr(DateLoader, "load", load_or_fail)
        broken.setattr(DateLoader, "reconcile", reconcile_or_differ)
        assert len(loader().failed) == 2
    archive = {"first_date": "2024-01-01"}
    failed = look(loader, **archive)["no_date_failed"]
    assert (failed.passed, failed.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert counts(failed) == {"failed": 2, "loaded": 2}
    loader()
    assert counts(look(loader, **archive)["no_date_failed"]) == {"failed": 0, "loaded": 4}


def test_a_check_that_cannot_look_tells_no_text_of_others(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Key (patient_id)=(CANARY)")

    monkeypatch.setattr(PostgresWarehouse, "studies_of_several_patients", fail)
    archive = Archive(root=str(loader.archive.root))
    job = build_definitions(loader.settings.with_archive(archive)).resolve_job_def(conflicts_job_name(archive))
    with open_instance(loader.settings.dagster_home) as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        events = str(instance.all_logs(result.run_id))
    assert "unexpected RuntimeError" in events
    assert "CANARY" not in events

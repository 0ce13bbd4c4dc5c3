"""Checks that look beyond a date: those of each date that is loaded, and those of all dates."""

import datetime as dt

import dagster as dg
import pytest

from dicom_pipeline.dicom.hashes import hash_uid
from dicom_pipeline.orchestration.definitions import build_definitions, conflicts_job_name
from dicom_pipeline.orchestration.instance import open_instance
from dicom_pipeline.quality.catalogue import STANDING_CHECKS
from dicom_pipeline.settings import Archive
from dicom_pipeline.warehouse.postgres.warehouse import PostgresWarehouse
from dicom_pipeline_tests.orchestration.loading import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

NAMES = {check.name for check in STANDING_CHECKS}


def latest(loader: Loader, *asset: str, partition: str | None = None) -> dict[str, dg.AssetCheckEvaluation]:
    """Return the last evaluation of each check of conflicts, as the UI shows it with the asset."""
    keys = [dg.AssetCheckKey(dg.AssetKey(["default", *asset]), name) for name in sorted(NAMES)]
    with open_instance(loader.settings.dagster_home) as instance:
        found = {}
        for key in keys:
            for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=20):
                evaluation = record.event.dagster_event.asset_check_evaluation_data
                if evaluation.partition == partition:
                    found.setdefault(key.name, evaluation)
        return found


def look_over_all_dates(loader: Loader) -> None:
    archive = Archive(root=str(loader.archive.root))
    job = build_definitions(loader.settings.with_archive(archive)).resolve_job_def(conflicts_job_name(archive))
    with open_instance(loader.settings.dagster_home) as instance:
        assert job.execute_in_process(instance=instance).success


@pytest.mark.parametrize("over_all_dates", [False, True], ids=["of the date", "of all dates"])
def test_a_conflict_with_another_date_is_found_and_only_warns(loader: Loader, over_all_dates: bool) -> None:
    first, second = days("2024-01-01", 2)

    def evaluations(date: dt.date) -> dict[str, dg.AssetCheckEvaluation]:
        if not over_all_dates:
            return latest(loader, "dicom_image_meta", partition=date.isoformat())
        look_over_all_dates(loader)
        return latest(loader, "archive_overview")

    loader.archive.add(first, SOPInstanceUID="1.2.77")
    loader()
    before = evaluations(first)
    assert before.keys() == NAMES
    assert all(evaluation.passed for evaluation in before.values())
    loader.archive.add(second, SOPInstanceUID="1.2.77", StudyInstanceUID=f"1.2.{first:%Y%m%d}", PatientID="MRN-OTHER")
    report = loader(second, second)
    assert report.failed == []
    assert not any("overview" in note for note in loader.progress.notes)
    after = evaluations(second)
    for name in NAMES:
        assert not after[name].passed
        assert after[name].severity is dg.AssetCheckSeverity.WARN
        assert not after[name].blocking
        assert {n: after[name].metadata[n].value for n in ("offending", "images")} == {"offending": 1, "images": 2}
    assert after["study_of_one_patient"].metadata["uid_hashes"].value == [hash_uid(f"1.2.{first:%Y%m%d}")]
    assert "1.2.77" not in str(after)
    assert "MRN-OTHER" not in str(after)


def test_a_load_does_not_look_over_all_dates(loader: Loader) -> None:
    loader.archive.fill(days("2024-01-01", 1))
    loader()
    assert latest(loader, "archive_overview") == {}


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

import datetime as dt

import dagster as dg
import psycopg
import pytest

from dicom_pipeline.orchestration.definitions import build_definitions
from dicom_pipeline.orchestration.instance.instance import holds_events, open_instance
from dicom_pipeline.quality.catalogue import PARTITIONED_CHECKS
from dicom_pipeline.settings import Archive
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

_DATE = dt.date(2024, 1, 31)


def _check_alone(loader: Loader, asset: str, check: str) -> dg.ExecuteInProcessResult:
    """Run one check of the loaded date and nothing else, as its button in the UI does."""
    archive = Archive(root=str(loader.archive.root), first_date=_DATE)
    definitions = build_definitions(loader.settings.with_archive(archive))
    key = dg.AssetCheckKey(dg.AssetKey(["default", asset]), check)
    selection = dg.AssetSelection.checks(key)
    job = dg.define_asset_job("check_alone", selection, executor_def=dg.in_process_executor)
    with open_instance(loader.settings.dagster_home) as instance:
        resolved = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job])).resolve_job_def("check_alone")
        tags = {"dagster/partition": _DATE.isoformat()}
        return resolved.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def test_a_check_runs_alone_on_what_is_staged(loader: Loader) -> None:
    loader.archive.fill([_DATE])
    loader()
    result = _check_alone(loader, "dicom_metadata", "uids_well_formed")
    assert result.success
    assert not result.get_asset_materialization_events()
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert evaluations["uids_well_formed"].passed
    assert evaluations["uids_well_formed"].partition == _DATE.isoformat()


def test_reconciling_alone_notices_what_others_did_to_the_tables(loader: Loader) -> None:
    loader.archive.fill([_DATE])
    loader()
    assert _check_alone(loader, "dicom_image_meta", "warehouse_matches_staging").success
    with psycopg.connect(loader.url) as connection:
        connection.execute("delete from dicom_image_meta where sop_uid = (select min(sop_uid) from dicom_image_meta)")
    result = _check_alone(loader, "dicom_image_meta", "warehouse_matches_staging")
    assert not result.success
    failed = {e.asset_key.path[-1] for e in result.get_asset_check_evaluations() if not e.passed}
    assert "dicom_image_meta" in failed
    assert not result.get_asset_materialization_events()


@pytest.mark.parametrize("storage", ["ours", "dagsters"])
def test_each_date_shows_what_its_checks_found_the_last_time(loader: Loader, storage: str) -> None:
    if storage == "dagsters":
        loader.settings.dagster_home.mkdir(parents=True)
        (loader.settings.dagster_home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    dates = days("2024-01-30", 3)
    loader.archive.fill(dates)
    loader.archive.add(dates[1], "broken.dcm", Modality=None, SOPInstanceUID=None)
    for _ in range(2):
        loader()
    every = {date.isoformat() for date in dates}
    with open_instance(loader.settings.dagster_home) as instance:
        assert holds_events(instance) is (storage == "ours")
        for check in PARTITIONED_CHECKS:
            key = dg.AssetCheckKey(dg.AssetKey(["default", check.asset]), check.name)
            shown = {i.partition_key: i for i in instance.event_log_storage.get_asset_check_partition_info([key])}
            assert shown.keys() == every
            assert all(info.is_current for info in shown.values()), check.name
            failed = {p for p, info in shown.items() if info.latest_execution_status.value == "FAILED"}
            assert failed == ({dates[1].isoformat()} if check.name == "rejected_share_below_limit" else set())

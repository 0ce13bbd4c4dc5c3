import datetime as dt

import dagster as dg
import psycopg

from dicom_pipeline.orchestration.definitions import build_definitions
from dicom_pipeline.orchestration.instance import open_instance
from dicom_pipeline.settings import Archive
from dicom_pipeline_tests.orchestration.loading import Loader

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

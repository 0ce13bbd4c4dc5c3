"""The one assembly of everything Dagster loads.

Scope: from settings to ``dg.Definitions``; the command, the code location and the tests all come through here and
override by arguments. Nothing is opened: a code location loads without archive, staging or warehouse.
"""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from dicom_pipeline.orchestration.loading.archive_assets import index_asset, overview_asset
from dicom_pipeline.orchestration.loading.assets import DateObserver, load_assets
from dicom_pipeline.orchestration.loading.standing import standing_checks
from dicom_pipeline.orchestration.partitions import partitions_of
from dicom_pipeline.orchestration.resources import ExtractorResource, StagingIOManager, WarehouseIOManager
from dicom_pipeline.orchestration.specs import warehouse_key
from dicom_pipeline.orchestration.watching.alerts import failure_sensor
from dicom_pipeline.orchestration.watching.schedules import daily_schedule, standing_schedule
from dicom_pipeline.orchestration.watching.sensors import watch_sensor
from dicom_pipeline.settings import Archive, Settings, warehouse_variable
from dicom_pipeline.warehouse.url import warehouse_kind

TENANT_TAG = "dicom_pipeline/tenant"
"""Tag of every run of an archive's jobs, for limits and filters."""

EXAMPLE_ARCHIVE = Archive(tenant="default", root="archive")
"""Stands in where no archive is configured, so that the graph can be looked at before anything else is done."""


def load_job_name(archive: Archive) -> str:
    """Return the name of the job that loads dates of the archive."""
    return f"load_{archive.key_name}"


def overview_job_name(archive: Archive) -> str:
    """Return the name of the job that draws the archive's overview."""
    return f"overview_{archive.key_name}"


def conflicts_job_name(archive: Archive) -> str:
    """Return the name of the job that looks for conflicts over all dates of the archive."""
    return f"conflicts_{archive.key_name}"


def daily_job_name(archive: Archive) -> str:
    """Return the name of the job that the daily schedule starts, index first (layout ``any``)."""
    return f"daily_{archive.key_name}"


def index_job_name(archive: Archive) -> str:
    """Return the name of the job that brings the archive's index up to date (layout ``any``)."""
    return f"index_{archive.key_name}"


def build_definitions(
    settings: Settings, *, observer: DateObserver | None = None, resource_overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Return the definitions of every archive.

    Args:
        settings: What to build; without archives an example stands in.
        observer: Called with the outcome of each date.
        resource_overrides: Resources that replace the configured ones, by key.
    """
    archives = settings.all_archives or (EXAMPLE_ARCHIVE,)
    parts = [archive_definitions(archive, settings, observer) for archive in archives]
    return dg.Definitions.merge(*parts, shared_definitions(shared_resources(settings) | dict(resource_overrides or {})))


def shared_resources(settings: Settings) -> dict[str, Any]:
    """Return the resources of all archives, by key."""
    staging = StagingIOManager(root=str(settings.staging_directory.absolute()))
    warehouses: list[tuple[str | None, str | None]] = [(None, settings.warehouse), *settings.warehouses.items()]
    return {
        **{warehouse_key(name): _warehouse_resource(settings, name, url) for name, url in warehouses},
        "staging": staging,
        # Assets of other people that name no IO manager are staged too, never pickled.
        "io_manager": staging,
        "extractor": ExtractorResource(reader=settings.reader, workers=settings.workers, threads=settings.threads),
    }


def shared_definitions(resources: Mapping[str, Any]) -> dg.Definitions:
    """Return what all archives have in common: the resources, and how steps are executed."""
    # One process a run, also for what is materialized by hand: starting another costs more than a date does.
    return dg.Definitions(resources=resources, executor=dg.in_process_executor)


def archive_definitions(archive: Archive, settings: Settings, observer: DateObserver | None = None) -> dg.Definitions:
    """Return the definitions of one archive; they need those that all share."""
    with warnings.catch_warnings():
        # Backfill policies are beta and partitioned checks preview in Dagster 1.13; both are needed and tested here.
        warnings.filterwarnings("ignore", category=dg.BetaWarning)
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)
        return _archive_definitions(archive, settings, observer)


def _archive_definitions(archive: Archive, settings: Settings, observer: DateObserver | None) -> dg.Definitions:
    partitions = partitions_of(archive)
    load = load_assets(archive, settings, partitions, observer)
    overview = overview_asset(archive, warehouse_kind(settings.warehouse_of(archive)))
    assets = [load, overview]
    # The load evaluates its checks itself, date by date; announced ones would cost Dagster as much again as the date.
    dates = dg.AssetSelection.assets(load).without_checks()
    # The checks over all dates look at every image, which the overview doesn't.
    overall = dg.AssetSelection.assets(overview).without_checks()
    conflicts = dg.AssetSelection.checks_for_assets(overview)
    told = "Load dates of {}: list, extract, check, load, reconcile."
    load_job = _job(archive, load_job_name(archive), dates, told)
    looks = _job(archive, conflicts_job_name(archive), conflicts, "Look over all dates of {}.")
    jobs = [load_job, _job(archive, overview_job_name(archive), overall, "Draw the overview of {}."), looks]
    daily, index_job = load_job, None
    if archive.layout == "any":
        index = index_asset(archive, settings.reader)
        assets.append(index)
        indexed = dg.AssetSelection.assets(index)
        index_job = _job(archive, index_job_name(archive), indexed, "Learn which date each file of {} has.")
        daily = _job(archive, daily_job_name(archive), dates | indexed, "Update the index of {}, load a date.")
        jobs += [index_job, daily]
    return dg.Definitions(
        assets=assets,
        asset_checks=[standing_checks(archive)],
        jobs=jobs,
        schedules=[daily_schedule(archive, daily), standing_schedule(archive, looks)],
        sensors=[watch_sensor(archive, settings, partitions, load_job, index_job), failure_sensor(archive)],
    )


def _job(archive: Archive, name: str, selection: dg.AssetSelection, told: str) -> Any:
    return dg.define_asset_job(
        name,
        selection,
        description=told.format(archive.tenant),
        tags={TENANT_TAG: archive.tenant},
        executor_def=dg.in_process_executor,
    )


def _warehouse_resource(settings: Settings, name: str | None, given: str | None) -> WarehouseIOManager:
    """Name the environment variable where it is the source: Dagster stores configured values, also passwords."""
    url: Any = given
    if url is not None and os.environ.get(warehouse_variable(name)) == url:
        url = dg.EnvVar(warehouse_variable(name))
    return WarehouseIOManager(
        url=url, home=str(settings.home.absolute()), allow_schema_evolution=settings.allow_schema_evolution
    )

"""The main job from a shell: every date of an archive through the assets, in this process.

Scope: which dates, in which runs, and what they add up to. The same definitions and the same instance as the UI's, so
that what was done is there to be seen afterwards.
"""

import datetime as dt
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import dagster as dg

from dicom_pipeline.archive.layouts import DateListing
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.fields import SLICE_TABLES, TableSpec
from dicom_pipeline.errors import ArchiveError, ConfigurationError, WarehouseError
from dicom_pipeline.orchestration.definitions import (
    build_definitions,
    conflicts_job_name,
    index_job_name,
    load_job_name,
    overview_job_name,
)
from dicom_pipeline.orchestration.failures import ONCE_TAG
from dicom_pipeline.orchestration.instance.instance import end_orphaned_runs, open_instance, process_tags
from dicom_pipeline.orchestration.loading.dates import DateOutcome
from dicom_pipeline.orchestration.loading.interrupts import Interrupts
from dicom_pipeline.orchestration.loading.report import LoadReport
from dicom_pipeline.orchestration.partitions import run_tags, runs_of
from dicom_pipeline.orchestration.resources import WarehouseIOManager
from dicom_pipeline.orchestration.sources import EARLIEST_DATE, MOST_DAYS_AHEAD, can_be_loaded, date_source
from dicom_pipeline.orchestration.specs import warehouse_key
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline.warehouse.base import Slice, Warehouse

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class LoadProgress(Protocol):
    """Who watches a load."""

    def note(self, text: str) -> None:
        """Say something about the load as a whole."""

    def begin(self, dates: int) -> None:
        """Say how many dates there are."""

    def done(self, outcome: DateOutcome) -> None:
        """Say what became of a date."""


def load_archive(
    settings: Settings, archive: Archive, first: dt.date | None, last: dt.date | None, progress: LoadProgress
) -> LoadReport:
    """Load every date of the archive from ``first`` to ``last`` (both included, None means no limit).

    Dates that have rows but no files any more are loaded too, as empty ones.

    Raises:
        ConfigurationError: Archive or warehouse cannot be used at all; nothing was started.
        WarehouseError: Likewise.
        ArchiveError: The archive cannot be listed, or its index not brought up to date; no date was loaded.
    """
    started = time.monotonic()
    _check_root(archive)
    staging = Staging(settings.staging_directory)
    manager = warehouse_manager(settings, archive)
    with (
        Interrupts() as interrupts,
        closing(manager.client()) as warehouse,
        open_instance(settings.dagster_home) as instance,
        Extractor(settings.reader, settings.workers, settings.threads) as extractor,
    ):
        # Opened once: a run that did so itself would connect, and prepare the tables, for every gap between dates.
        resources = {
            "extractor": extractor,
            warehouse_key(archive.warehouse): dg.IOManagerDefinition.hardcoded_io_manager(manager),
        }
        report = LoadReport(archive.tenant, warehouse.display_url)
        if end_orphaned_runs(instance):
            progress.note("a former load was killed; what it left undone is done now")
        if archive.layout == "any":
            progress.note("looking for new and changed files")
            _update_index(_Jobs(settings, archive, resources, report, progress, interrupts), instance)
        archive, listing = _listing(archive, staging)
        archive, dates = _plan(archive, listing.dates, warehouse, first, last)
        report.emptied = sorted(set(dates) - set(listing.dates))
        _tell(progress, listing.outside, report.emptied)
        settings.remember(archive)
        progress.begin(len(dates))
        jobs = _Jobs(settings, archive, resources, report, progress, interrupts)
        _refuse_far_dates(jobs, dates)
        for chunk in runs_of([date for date in dates if can_be_loaded(date)], settings.partitions_per_run_of(archive)):
            _run_dates(jobs, instance, chunk)
        _look_over_all(jobs, instance, whole=first is None and last is None)
        report.rows = _rows_now(report, warehouse)
    report.seconds = time.monotonic() - started
    return report


def _look_over_all(jobs: "_Jobs", instance: dg.DagsterInstance, *, whole: bool) -> None:
    """Draw the overview, and after a load of the whole archive look for conflicts over all dates.

    That look groups over every image: little beside reading the archive, but not beside a date.
    """
    if not _run(jobs, instance, overview_job_name(jobs.archive), {}):
        jobs.progress.note("the overview could not be drawn; its run in the UI says why")
    if whole and not _run(jobs, instance, conflicts_job_name(jobs.archive), {}):
        jobs.progress.note("conflicts over all dates could not be looked for; the run in the UI says why")


def warehouse_manager(settings: Settings, archive: Archive) -> WarehouseIOManager:
    """Return the door to the archive's warehouse, for use outside of any run."""
    return WarehouseIOManager(
        url=settings.warehouse_of(archive),
        home=str(settings.home.absolute()),
        allow_schema_evolution=settings.allow_schema_evolution,
    )


def _check_root(archive: Archive) -> None:
    try:
        LocalStore(str(Path(archive.root).absolute())).check()
    except ArchiveError as error:
        raise ConfigurationError(str(error)) from None


def _listing(archive: Archive, staging: Staging) -> tuple[Archive, DateListing]:
    """Return the archive with partitions for the dates it has files for, and those dates."""
    listing = date_source(archive, staging).listing()
    archive = _covering(archive, listing.dates)
    if archive.layout == "any":
        # Files without a date count under the first partition, which has just been settled.
        listing = date_source(archive, staging).listing()
    return archive, listing


def _plan(
    archive: Archive, in_archive: list[dt.date], warehouse: Warehouse, first: dt.date | None, last: dt.date | None
) -> tuple[Archive, list[dt.date]]:
    """Return the archive with partitions for all its dates, and the dates to load."""
    loaded = warehouse.dates(archive.tenant)
    unlimited = first is None and last is None
    if unlimited and not in_archive and len(loaded) > 1 and not any(Path(archive.root).iterdir()):
        raise ConfigurationError(
            f"the archive is empty, but the warehouse has rows of {len(loaded)} dates of {archive.tenant}: is its file"
            " system mounted? If the files are really gone, name the range with --from and --to"
        )
    start = archive.start_date or dt.date.min
    wanted = sorted(d for d in {*in_archive, *loaded} if max(first or start, start) <= d <= (last or dt.date.max))
    return _covering(archive, {*in_archive, *loaded}), wanted


def _covering(archive: Archive, dates: Iterable[dt.date]) -> Archive:
    return archive.covering([date for date in dates if can_be_loaded(date)])


def _tell(progress: LoadProgress, outside: int, emptied: list[dt.date]) -> None:
    if outside:
        progress.note(f"{outside} entries beside the date directories belong to no date and are left alone")
    if emptied:
        progress.note(f"{len(emptied)} dates have rows but no files any more: their slices are emptied")


class _Jobs:
    """The archive's definitions, watched: outcomes go to the report and to whoever looks on."""

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        resources: Mapping[str, Any],
        report: LoadReport,
        progress: LoadProgress,
        interrupts: Interrupts,
    ) -> None:
        self.report = report
        self.progress = progress
        self.interrupts = interrupts
        self.archive = archive
        self.patient = True
        # The other archives matter for their names only.
        _ = settings.with_archive(archive).all_archives
        alone = settings.model_copy(update={"archives": (archive,), "remembered": ()})
        self.definitions = build_definitions(alone, observer=self.observe, resource_overrides=resources)

    def observe(self, outcome: DateOutcome) -> None:
        # What did not pass within one run is not waited for again in each of the following.
        self.patient = self.patient and not outcome.transient
        self.report.outcomes.append(outcome)
        self.progress.done(outcome)
        self.interrupts.heed()


def _update_index(jobs: _Jobs, instance: dg.DagsterInstance) -> None:
    """Bring the index up to date, or load nothing: an old index would hide what is new and say that all is well."""
    if not _run(jobs, instance, index_job_name(jobs.archive), {}):
        raise ArchiveError(
            "the index of the archive's study dates could not be brought up to date, nothing was loaded: its run in"
            " the UI says why (`dicom-pipeline ui`)"
        )


def _refuse_far_dates(jobs: _Jobs, dates: list[dt.date]) -> None:
    for date in dates:
        if not can_be_loaded(date):
            reason = f"only dates from {EARLIEST_DATE} to {MOST_DAYS_AHEAD} days ahead can be loaded"
            jobs.observe(DateOutcome(date, error=f"{reason}: correct the name of its directory"))


def _run_dates(jobs: _Jobs, instance: dg.DagsterInstance, dates: list[dt.date]) -> None:
    """Run one chunk; a date the run never came to has failed too."""
    _run(jobs, instance, load_job_name(jobs.archive), run_tags(dates))
    known = {outcome.date for outcome in jobs.report.outcomes}
    for date in dates:
        if date not in known:
            jobs.observe(DateOutcome(date, error="the run ended before it came to this date; see the run in the UI"))


def _run(jobs: _Jobs, instance: dg.DagsterInstance, name: str, tags: dict[str, str]) -> bool:
    """Run a job in this process and return whether it succeeded; how its dates fared the observer knows.

    Ctrl-C ends it here and now.
    """
    job = jobs.definitions.resolve_job_def(name)
    result = job.execute_in_process(
        instance=instance,
        tags={**process_tags(), **tags, **({} if jobs.patient else {ONCE_TAG: "true"})},
        run_config=_QUIET,
        raise_on_error=False,
    )
    jobs.interrupts.heed()
    if _was_interrupted(result):
        raise KeyboardInterrupt
    return result.success


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Dagster takes an interrupt for itself and reports a run that failed for a reason of that name."""
    reasons = (getattr(event.event_specific_data, "failure_reason", None) for event in result.all_events)
    return any(reason is not None and reason.value == "UNEXPECTED_TERMINATION" for reason in reasons)


def _rows_now(report: LoadReport, warehouse: Warehouse) -> Mapping[str, int | None]:
    try:
        return {
            spec.name: sum(_rows_of(o, spec, report.tenant, warehouse) for o in report.outcomes)
            for spec in SLICE_TABLES
        }
    except WarehouseError:
        # What became of the dates must be told all the same.
        return dict.fromkeys(spec.name for spec in SLICE_TABLES)


def _rows_of(outcome: DateOutcome, spec: TableSpec, tenant: str, warehouse: Warehouse) -> int:
    if outcome.changes is not None:
        return outcome.changes[spec.name].rows
    return warehouse.digest(spec, Slice(tenant, outcome.date)).rows

"""The main job from a shell: every date of an archive through the assets, in this process.

Scope: which dates, in which runs, and what they add up to. The same definitions and the same instance as the UI's, so
that what was done is there to be seen afterwards.
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import dagster as dg

from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.fields import SLICE_TABLES
from dicom_pipeline.errors import ArchiveError, ConfigurationError
from dicom_pipeline.orchestration.dates import DateOutcome
from dicom_pipeline.orchestration.definitions import (
    build_definitions,
    index_job_name,
    load_job_name,
    overview_job_name,
)
from dicom_pipeline.orchestration.instance import end_orphaned_runs, open_instance, process_tags
from dicom_pipeline.orchestration.partitions import key_of
from dicom_pipeline.orchestration.resources import WarehouseIOManager
from dicom_pipeline.orchestration.sources import date_source
from dicom_pipeline.quality.catalogue import Severity
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


@dataclass(slots=True)
class LoadReport:
    """What a load did.

    Attributes:
        rows: Rows now in the slices of the load's dates, by table.
        emptied: Dates whose files have disappeared altogether: their slices are empty now.
    """

    tenant: str
    warehouse: str
    outcomes: list[DateOutcome] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    emptied: list[dt.date] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> list[DateOutcome]:
        """The dates that were not loaded, or not as they should be."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    def as_json(self) -> dict[str, Any]:
        """Return the report as the command's ``--json`` prints it."""
        summaries = [o.metadata for o in self.outcomes if o.metadata is not None]
        reasons: Counter[str] = Counter()
        for summary in summaries:
            reasons.update(summary.rejected_by_reason)
        findings = [f for outcome in self.outcomes for f in outcome.findings]
        return {
            "tenant": self.tenant,
            "warehouse": self.warehouse,
            "dates": {
                "total": len(self.outcomes),
                "loaded": len(self.outcomes) - len(self.failed),
                "failed": [key_of(outcome.date) for outcome in self.failed],
            },
            "files": {
                "listed": sum(s.listed for s in summaries),
                "accepted": sum(s.accepted for s in summaries),
                "rejected": sum(s.rejected for s in summaries),
                "rejected_by_reason": dict(sorted(reasons.items())),
            },
            "rows": self.rows,
            "checks": {
                "passed": sum(f.passed for f in findings),
                "warned": sum(not f.passed and f.severity is Severity.WARN for f in findings),
                "failed": sum(not f.passed and f.severity is Severity.ERROR for f in findings),
            },
            "seconds": round(self.seconds, 3),
        }


def load_archive(
    settings: Settings, archive: Archive, first: dt.date | None, last: dt.date | None, progress: LoadProgress
) -> LoadReport:
    """Load every date of the archive from ``first`` to ``last`` (both included, None means no limit).

    Dates that have rows but no files any more are loaded too, as empty ones.

    Raises:
        ConfigurationError: Archive or warehouse cannot be used at all; nothing was started.
        WarehouseError: Likewise.
    """
    started = time.monotonic()
    _check_root(archive)
    staging = Staging(settings.staging_directory)
    warehouse = warehouse_of(settings)
    report = LoadReport(archive.tenant, warehouse.display_url)
    with (
        open_instance(settings.dagster_home) as instance,
        Extractor(reader=settings.reader, workers=settings.workers) as extractor,
    ):
        if end_orphaned_runs(instance):
            progress.note("a former load was killed; what it left undone is done now")
        if archive.layout == "any":
            progress.note("looking for new and changed files")
            _run(_Jobs(settings, archive, extractor, report, progress), instance, index_job_name(archive), {})
        archive = archive.covering(date_source(archive, staging).dates())
        source = date_source(archive, staging)
        in_archive = source.dates()
        archive, dates = _plan(archive, in_archive, warehouse, first, last)
        report.emptied = sorted(set(dates) - set(in_archive))
        _tell(progress, source.outside(), report.emptied)
        settings.remember(archive)
        progress.begin(len(dates))
        jobs = _Jobs(settings, archive, extractor, report, progress)
        for chunk in runs_of(dates, settings.partitions_per_run):
            _run_dates(jobs, instance, chunk)
        _run(jobs, instance, overview_job_name(archive), {})
    report.rows = _rows_now(report, warehouse)
    warehouse.close()
    report.seconds = time.monotonic() - started
    return report


def warehouse_of(settings: Settings) -> Warehouse:
    """Connect the warehouse the settings name, outside of any run.

    Raises:
        ConfigurationError: The URL is not usable.
        WarehouseError: It cannot be reached, or its tables differ.
    """
    home = str(settings.home.absolute())
    return WarehouseIOManager(
        url=settings.warehouse, home=home, allow_schema_evolution=settings.allow_schema_evolution
    ).client()


def _check_root(archive: Archive) -> None:
    try:
        LocalStore(str(Path(archive.root).absolute())).check()
    except ArchiveError as error:
        raise ConfigurationError(str(error)) from None


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
    return archive.covering(sorted({*in_archive, *loaded})), wanted


def _tell(progress: LoadProgress, outside: int, emptied: list[dt.date]) -> None:
    if outside:
        progress.note(f"{outside} entries beside the date directories belong to no date and are left alone")
    if emptied:
        progress.note(f"{len(emptied)} dates have rows but no files any more: their slices are emptied")


def runs_of(dates: list[dt.date], most: int) -> Iterator[list[dt.date]]:
    """Yield the dates in runs: consecutive days, at most ``most`` of them (a run's range has no gaps)."""
    chunk: list[dt.date] = []
    for date in dates:
        if chunk and (len(chunk) == most or date - chunk[-1] != dt.timedelta(days=1)):
            yield chunk
            chunk = []
        chunk.append(date)
    if chunk:
        yield chunk


class _Jobs:
    """The archive's definitions, watched: outcomes go to the report and to whoever looks on."""

    def __init__(
        self, settings: Settings, archive: Archive, extractor: Extractor, report: LoadReport, progress: LoadProgress
    ) -> None:
        self.report = report
        self.progress = progress
        self.archive = archive
        self.definitions = build_definitions(
            settings.with_archive(archive),
            observer=self.observe,
            resource_overrides={"extractor": extractor},
        )

    def observe(self, outcome: DateOutcome) -> None:
        self.report.outcomes.append(outcome)
        self.progress.done(outcome)


def _run_dates(jobs: _Jobs, instance: dg.DagsterInstance, dates: list[dt.date]) -> None:
    """Run one chunk; a date the run never came to has failed too."""
    tags = {
        "dagster/asset_partition_range_start": key_of(dates[0]),
        "dagster/asset_partition_range_end": key_of(dates[-1]),
    }
    _run(
        jobs, instance, load_job_name(jobs.archive), tags if len(dates) > 1 else {"dagster/partition": key_of(dates[0])}
    )
    known = {outcome.date for outcome in jobs.report.outcomes}
    for date in dates:
        if date not in known:
            jobs.observe(DateOutcome(date, error="the run ended before it came to this date; see the run in the UI"))


def _run(jobs: _Jobs, instance: dg.DagsterInstance, name: str, tags: dict[str, str]) -> None:
    """Run a job in this process; how its dates fared the observer knows. Ctrl-C ends it here and now."""
    job = jobs.definitions.resolve_job_def(name)
    result = job.execute_in_process(
        instance=instance, tags={**process_tags(), **tags}, run_config=_QUIET, raise_on_error=False
    )
    if _was_interrupted(result):
        raise KeyboardInterrupt


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Dagster takes an interrupt for itself and reports a run that failed for a reason of that name."""
    reasons = (getattr(event.event_specific_data, "failure_reason", None) for event in result.all_events)
    return any(reason is not None and reason.value == "UNEXPECTED_TERMINATION" for reason in reasons)


def _rows_now(report: LoadReport, warehouse: Warehouse) -> dict[str, int]:
    rows = dict.fromkeys((spec.name for spec in SLICE_TABLES), 0)
    for outcome in report.outcomes:
        for spec in SLICE_TABLES:
            if outcome.changes is not None:
                rows[spec.name] += outcome.changes[spec.name].rows
            else:
                rows[spec.name] += warehouse.digest(spec, Slice(report.tenant, outcome.date)).rows
    return rows

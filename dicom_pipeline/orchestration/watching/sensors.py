"""The sensor of an archive that has changed dates loaded.

Scope: what Dagster's daemon asks of us between runs, and what it is to start. How changes are found is in ``watch.py``,
what they are compared with in ``listed.py``.
"""

import datetime as dt
import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from dicom_pipeline.errors import ArchiveError, PipelineError
from dicom_pipeline.orchestration.failures import told
from dicom_pipeline.orchestration.instance.instance import end_orphaned_runs
from dicom_pipeline.orchestration.partitions import date_of, key_of, run_tags, runs_of
from dicom_pipeline.orchestration.sources import date_source
from dicom_pipeline.orchestration.watching.listed import UNDER_WAY, died, listed_dates
from dicom_pipeline.orchestration.watching.watch import Asked, Cursor, Found, Watch, ask
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.tables.staging import Staging

_WATCH_SECONDS = 60
_MOST_RUNS = 5
"""Runs that a look asks for at most, and that may be under way before another asks for none."""
_MOST_TIMES = 3
_LATEST_RUNS = 200
_SENSOR = "dagster/sensor_name"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def watch_name(archive: Archive) -> str:
    """Return the name of the sensor that looks for changed dates."""
    return f"watch_{archive.key_name}"


def watch_sensor(
    archive: Archive, settings: Settings, partitions: dg.DailyPartitionsDefinition, load: Any, index: Any | None
) -> dg.SensorDefinition:
    """Return the sensor that has changed dates loaded; it runs by itself where the archive says ``watch``.

    Args:
        archive: Which one.
        settings: Where its index is, and how many dates a run takes.
        partitions: Which dates can be loaded.
        load: The job that loads dates.
        index: The job that brings the index up to date (layout ``any``).
    """

    @dg.sensor(
        name=watch_name(archive),
        jobs=[job for job in (load, index) if job is not None],
        description=f"Looks for late, changed and deleted files of {archive.tenant} and has their dates loaded again.",
        minimum_interval_seconds=_WATCH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if archive.watch else dg.DefaultSensorStatus.STOPPED,
    )
    def look_for_changes(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor = Cursor.read(context.cursor)
        try:
            under_way = _follow_runs(context.instance, archive, cursor)
            found = _look(context.instance, archive, settings, partitions, cursor)
        except Exception as error:
            failed = told(error)
        else:
            free = max(0, _MOST_RUNS - len(under_way))
            loading = {date for run in under_way for date in _dates_of(run)}
            waiting = sorted(found.due.keys() - loading)
            chunks = list(runs_of(waiting, settings.partitions_per_run_of(archive)))[:free]
            for chunk in chunks:
                ask(cursor, found.due, chunk)
            requests = [_request(load.name, chunk, cursor) for chunk in chunks]
            if index is not None and found.new_round:
                requests.append(dg.RunRequest(f"index/{cursor.began}", job_name=index.name))
            reason = None if requests else _nothing(found)
            return dg.SensorResult(requests or None, skip_reason=reason, cursor=cursor.write())
        # Its stack and cause would be stored with the tick.
        raise PipelineError(failed) from None

    return look_for_changes


def _look(
    instance: dg.DagsterInstance,
    archive: Archive,
    settings: Settings,
    partitions: dg.DailyPartitionsDefinition,
    cursor: Cursor,
) -> Found:
    source = date_source(archive, Staging(settings.staging_directory))
    listed = listed_dates(instance, archive)
    last = date_of(partitions.get_last_partition_key() or key_of(dt.date.min))
    watch = Watch(source, quiet=60 * archive.quiet_minutes, every=60 * archive.watch_minutes)
    try:
        there = source.listing().dates
    except ArchiveError:
        if archive.layout != "any":
            raise
        # There is no index yet, or none that can be read: a round begins, and with it one is made.
        there = []
    if not there:
        # That is what a file system looks like that is not mounted.
        return watch.wait(cursor, int(time.time()))
    dates = [d for d in {*there, *listed} if archive.first_partition <= d <= last]
    return watch.look(cursor, dates, listed, int(time.time()))


def _follow_runs(instance: dg.DagsterInstance, archive: Archive, cursor: Cursor) -> list[dg.DagsterRun]:
    """Return the sensor's runs that are under way; dates whose run died are free to be asked for again."""
    end_orphaned_runs(instance)
    runs = instance.get_runs(dg.RunsFilter(tags={_SENSOR: watch_name(archive)}), limit=_LATEST_RUNS)
    latest: dict[dt.date, dg.DagsterRun] = {}
    for run in runs:
        for date in _dates_of(run):
            latest.setdefault(date, run)
    for date, asked in cursor.asked.items():
        if date in latest and died(latest[date]) and asked.token and asked.times < _MOST_TIMES:
            cursor.asked[date] = Asked("", asked.times)
    return [run for run in runs if run.status in UNDER_WAY]


def _dates_of(run: dg.DagsterRun) -> Iterator[dt.date]:
    keys = [run.tags.get(name) or run.tags.get("dagster/partition") for name in _RANGE]
    if keys[0] and keys[1]:
        first, last = date_of(keys[0]), date_of(keys[1])
        yield from (first + dt.timedelta(days=n) for n in range((last - first).days + 1))


def _request(job: str, dates: Sequence[dt.date], cursor: Cursor) -> dg.RunRequest:
    tokens = "/".join(f"{key_of(date)}:{cursor.asked[date]}" for date in dates)
    key = f"{key_of(dates[0])}/{len(dates)}/{hashlib.sha256(tokens.encode()).hexdigest()[:12]}"
    return dg.RunRequest(key, job_name=job, tags=run_tags(dates))


def _nothing(found: Found) -> str:
    if not found.looked:
        return "the archive has no date to look at: is its file system mounted?"
    return (
        f"looked at {found.looked} dates: {len(found.due)} changed ones wait for runs that are under way,"
        f" {found.settling} are not quiet yet, {found.troubles} could not be listed"
    )

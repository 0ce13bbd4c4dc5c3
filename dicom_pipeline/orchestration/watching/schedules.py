"""The schedules of an archive: yesterday every day, and a look over all dates some hours later.

Scope: when Dagster's daemon starts which job, by the clock of the place the archive is at. Schedules run by themselves
where the archive has a ``schedule``; elsewhere they wait to be started in the UI.
"""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from dicom_pipeline.orchestration.partitions import key_of
from dicom_pipeline.settings import Archive

_USUAL_TIME = "03:00"
_LOADED_WITHIN = dt.timedelta(hours=2)
_LOOK_AFTER = dt.timedelta(hours=3)


def daily_schedule(archive: Archive, job: Any) -> dg.ScheduleDefinition:
    """Return the schedule that has yesterday loaded, as it was where the archive is."""

    @dg.schedule(
        name=f"daily_{archive.key_name}",
        job=job,
        cron_schedule=_cron(_time(archive)),
        execution_timezone=archive.timezone,
        description=f"Loads yesterday's date of {archive.tenant} ({archive.timezone}).",
        default_status=_status(archive),
    )
    def load_yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        date = archive.yesterday(context.scheduled_execution_time)
        if date < archive.first_partition:
            return dg.SkipReason(f"yesterday, {key_of(date)}, is before the archive's start date")
        return dg.RunRequest(run_key=key_of(date), partition_key=key_of(date))

    return load_yesterday


def standing_schedule(archive: Archive, job: Any) -> dg.ScheduleDefinition:
    """Return the schedule of the checks over all dates, when yesterday should be loaded."""
    return dg.ScheduleDefinition(
        name=f"standing_{archive.key_name}",
        job=job,
        cron_schedule=_cron((dt.datetime.combine(dt.date(2000, 1, 1), _time(archive)) + _LOOK_AFTER).time()),
        execution_timezone=archive.timezone,
        description=f"Looks over all dates of {archive.tenant}: conflicts, failed dates, yesterday missing.",
        default_status=_status(archive),
    )


def expected_date(archive: Archive, now: dt.datetime) -> dt.date | None:
    """Return the latest date that the daily schedule should have loaded by now; None where it does not run."""
    if archive.schedule is None:
        return None
    due = now.astimezone(ZoneInfo(archive.timezone)).replace(tzinfo=None) - _LOADED_WITHIN
    late_enough = due.time() >= _time(archive)
    date = due.date() - dt.timedelta(days=1 if late_enough else 2)
    return date if date >= archive.first_partition else None


def _time(archive: Archive) -> dt.time:
    return dt.time.fromisoformat(archive.schedule or _USUAL_TIME)


def _cron(time: dt.time) -> str:
    return f"{time.minute} {time.hour} * * *"


def _status(archive: Archive) -> dg.DefaultScheduleStatus:
    return dg.DefaultScheduleStatus.RUNNING if archive.schedule else dg.DefaultScheduleStatus.STOPPED

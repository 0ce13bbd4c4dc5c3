"""When yesterday is loaded, and which day that is, in places whose clocks change."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from dicom_pipeline.orchestration.definitions import build_definitions
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.watching.schedules import expected_date
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days


def defined(**archive: object) -> dg.Definitions:
    described = Archive.model_validate({"root": "/a", **archive})
    return build_definitions(Settings(archives=(described,)))


def requested(definitions: dg.Definitions, moment: dt.datetime, tmp_path: Path) -> list[str | None]:
    """Return the partitions that the daily schedule asks for, once Dagster has found them to exist."""
    schedule, repository = definitions.resolve_schedule_def("daily_default"), definitions.get_repository_def()
    with (
        open_instance(tmp_path / "dagster") as instance,
        dg.build_schedule_context(instance, scheduled_execution_time=moment, repository_def=repository) as context,
    ):
        data = schedule.evaluate_tick(context)
    return [request.tags["dagster/partition"] for request in data.run_requests or []]


@pytest.mark.parametrize(
    ("zone", "moment", "date"),
    [
        ("UTC", "2024-05-02T02:30", "2024-05-01"),
        ("Europe/Berlin", "2024-03-31T03:30", "2024-03-30"),  # the night without 02:30
        ("Europe/Berlin", "2024-10-27T02:30", "2024-10-26"),  # the night with two of them
        ("America/New_York", "2024-03-11T00:00", "2024-03-10"),
        ("Pacific/Kiritimati", "2024-01-01T00:30", "2023-12-31"),  # still December 31 in the morning, by UTC
        ("Pacific/Pago_Pago", "2024-01-01T23:30", "2023-12-31"),
    ],
)
def test_yesterday_is_the_day_before_where_the_archive_is(tmp_path: Path, zone: str, moment: str, date: str) -> None:
    there = dt.datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone))
    schedule = defined(timezone=zone)
    for given in (there, there.astimezone(dt.UTC)):
        assert requested(schedule, given, tmp_path) == [date]


def test_nothing_is_loaded_before_the_start_date(tmp_path: Path) -> None:
    schedule = defined(start_date="2024-05-02")
    assert requested(schedule, dt.datetime(2024, 5, 2, 3, tzinfo=dt.UTC), tmp_path) == []
    assert requested(schedule, dt.datetime(2024, 5, 3, 3, tzinfo=dt.UTC), tmp_path) == ["2024-05-02"]


def test_the_time_and_the_clock_are_the_archives() -> None:
    schedule = defined(schedule="13:30", timezone="Asia/Tokyo").resolve_schedule_def("daily_default")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 13 * * *", "Asia/Tokyo")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert defined().resolve_schedule_def("daily_default").default_status is dg.DefaultScheduleStatus.STOPPED


def test_all_dates_are_looked_over_some_hours_later() -> None:
    archive = Archive(root="/a", schedule="22:15", timezone="Asia/Tokyo")
    schedule = build_definitions(Settings(archives=(archive,))).resolve_schedule_def("standing_default")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("15 1 * * *", "Asia/Tokyo")
    assert schedule.job_name == "conflicts_default"


@pytest.mark.parametrize(
    ("time", "moment", "date"),
    [
        ("03:00", "2024-05-02T04:59", "2024-04-30"),
        ("03:00", "2024-05-02T05:00", "2024-05-01"),
        ("23:30", "2024-05-03T01:29", "2024-04-30"),
        ("23:30", "2024-05-03T01:30", "2024-05-01"),
        ("23:30", "2024-05-02T23:45", "2024-04-30"),
    ],
)
def test_a_date_is_expected_two_hours_after_its_load_begins(time: str, moment: str, date: str) -> None:
    archive = Archive(root="/a", schedule=time, timezone="Asia/Tokyo")
    now = dt.datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Asia/Tokyo")).astimezone(dt.UTC)
    assert expected_date(archive, now) == dt.date.fromisoformat(date)


def test_nothing_is_expected_of_an_archive_without_a_schedule_or_before_its_start() -> None:
    now = dt.datetime(2024, 5, 2, 12, tzinfo=dt.UTC)
    assert expected_date(Archive(root="/a"), now) is None
    assert expected_date(Archive(root="/a", schedule="03:00", start_date="2024-05-02"), now) is None


def test_the_daily_job_of_an_archive_without_directories_of_dates_finds_new_files(loader: Loader) -> None:
    [date] = days("2024-05-01", 1)
    loader.archive.add(date, "new.dcm")
    archive = Archive(root=str(loader.archive.root), layout="any", start_date="2024-01-01")
    definitions = build_definitions(loader.settings.with_archive(archive))
    schedule = definitions.resolve_schedule_def("daily_default")
    assert schedule.job_name == "daily_default"
    with open_instance(loader.settings.dagster_home) as instance:
        job = definitions.resolve_job_def(schedule.job_name)
        assert job.execute_in_process(instance=instance, partition_key="2024-05-01").success
    assert loader.rows("select study_date from dicom_image_meta") == [(date,)]

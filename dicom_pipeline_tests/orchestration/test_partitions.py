import datetime as dt

from dicom_pipeline.orchestration.partitions import date_of, key_of, partitions_of, runs_of
from dicom_pipeline.settings import Archive
from dicom_pipeline_tests.orchestration.small_archive import days

TODAY = dt.date(2024, 3, 5)


def test_partitions_reach_from_the_first_partition_to_today() -> None:
    archive = Archive(root="x", start_date=dt.date(2024, 1, 1))
    keys = partitions_of(archive, TODAY).get_partition_keys(dt.datetime(2024, 3, 5, 12, tzinfo=dt.UTC))
    assert (keys[0], keys[-1]) == ("2024-01-01", "2024-03-05")


def test_a_date_in_the_future_has_a_partition_once_the_archive_has_it() -> None:
    archive = Archive(root="x").covering([dt.date(2023, 5, 6), dt.date(2024, 4, 1)])
    keys = partitions_of(archive, TODAY).get_partition_keys(dt.datetime(2024, 3, 5, 12, tzinfo=dt.UTC))
    assert (keys[0], keys[-1]) == ("2023-01-01", "2024-04-01")


def test_keys_and_dates_translate_both_ways() -> None:
    assert date_of(key_of(dt.date(987, 1, 2))) == dt.date(987, 1, 2)


def test_runs_take_consecutive_days_and_no_more_than_allowed() -> None:
    dates = [*days("2024-01-01", 5), *days("2024-02-01", 2), dt.date(2024, 3, 1)]
    assert [len(run) for run in runs_of(dates, 3)] == [3, 2, 2, 1]
    assert [date for run in runs_of(dates, 3) for date in run] == dates

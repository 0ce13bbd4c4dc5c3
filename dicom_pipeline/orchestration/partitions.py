"""Daily partitions: one date, one key, for every asset of an archive.

Scope: the partitions definition of an archive, the translation between keys and dates, and which dates can share a run.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg

from dicom_pipeline.settings import Archive


def partitions_of(archive: Archive, today: dt.date | None = None) -> dg.DailyPartitionsDefinition:
    """Return the archive's daily partitions, from its start date to today, or to its last date if that is later.

    Files do carry study dates in the future; a partition must exist for them to be loaded and noticed.
    """
    today = today or dt.datetime.now(dt.UTC).date()
    ahead = max(0, (archive.last_date - today).days) if archive.last_date else 0
    return dg.DailyPartitionsDefinition(start_date=archive.first_partition.isoformat(), end_offset=1 + ahead)


def key_of(date: dt.date) -> str:
    """Return the partition key of a date."""
    return date.isoformat()


def date_of(key: str) -> dt.date:
    """Return the date of a partition key."""
    return dt.date.fromisoformat(key)


def runs_of(dates: Sequence[dt.date], most: int) -> Iterator[list[dt.date]]:
    """Yield the dates in runs: consecutive days, at most ``most`` of them (a run's range has no gaps)."""
    chunk: list[dt.date] = []
    for date in dates:
        if chunk and (len(chunk) == most or date - chunk[-1] != dt.timedelta(days=1)):
            yield chunk
            chunk = []
        chunk.append(date)
    if chunk:
        yield chunk


def run_tags(dates: Sequence[dt.date]) -> dict[str, str]:
    """Return the tags that give a run these consecutive dates."""
    if len(dates) == 1:
        return {"dagster/partition": key_of(dates[0])}
    return {
        "dagster/asset_partition_range_start": key_of(dates[0]),
        "dagster/asset_partition_range_end": key_of(dates[-1]),
    }

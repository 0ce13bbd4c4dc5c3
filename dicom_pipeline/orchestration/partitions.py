"""Daily partitions: one date, one key, for every asset of an archive.

Scope: the partitions definition of an archive and the translation between keys and dates.
"""

import datetime as dt

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

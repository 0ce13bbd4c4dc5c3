"""What Dagster's storage remembers of each date of an archive.

Scope: three questions to the event log, each one query for all dates: as what a date was listed last, whether its load
came after that, and whether it failed since. The event of a failed date is made in ``assets.py``; what follows from
the answers for a date's state is in ``status.py``.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import dagster as dg
from dagster._core.events import DagsterEventType

from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.orchestration.loading.dates import FILES_ASSET
from dicom_pipeline.orchestration.metadata import FAILURE
from dicom_pipeline.orchestration.partitions import date_of, key_of
from dicom_pipeline.orchestration.specs import asset_key
from dicom_pipeline.settings import Archive

OUTCOME_ASSET = IMAGE.name
"""The asset whose events tell how a date ended: its materialization is the load's, its observation a failure."""

_VERSION = "dagster/data_version"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class DateHistory:
    """What happened to a date, by the order of events.

    Attributes:
        loaded: Whether it was ever loaded.
        fingerprint: Of the listing that the latest load was made from; None if that is not known.
        failed: Whether the latest attempt failed.
    """

    loaded: bool = False
    fingerprint: str | None = None
    failed: bool = False


def read_history(instance: dg.DagsterInstance, archive: Archive) -> dict[dt.date, DateHistory]:
    """Return what is remembered of every date of the archive."""
    files, outcome = asset_key(archive, FILES_ASSET), asset_key(archive, OUTCOME_ASSET)
    materialized, observed = DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION
    storage = instance.event_log_storage
    listings = storage.get_latest_storage_id_by_partition(files, materialized)
    versions = storage.get_latest_tags_by_partition(files, materialized, [_VERSION])
    loads = storage.get_latest_storage_id_by_partition(outcome, materialized)
    failures = storage.get_latest_storage_id_by_partition(outcome, observed)
    found = {}
    for key in loads.keys() | failures.keys():
        loaded = loads.get(key, -1)
        # A listing made after the load is that of another attempt, or was made alone.
        known = listings.get(key, loaded) < loaded
        fingerprint = versions.get(key, {}).get(_VERSION) if known else None
        found[date_of(key)] = DateHistory(key in loads, fingerprint, failures.get(key, -1) > loaded)
    return found


def latest_event(instance: dg.DagsterInstance) -> int:
    """Return the number of the latest event there is, for ``outcomes_since``."""
    return instance.event_log_storage.get_maximum_record_id() or 0


def outcomes_since(
    instance: dg.DagsterInstance, archive: Archive, event: int
) -> tuple[dict[dt.date, int], dict[dt.date, int]]:
    """Return which dates were loaded and which failed since an event, with the number of each one's own event."""
    key, storage = asset_key(archive, OUTCOME_ASSET), instance.event_log_storage
    kinds = DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION
    loaded, failed = (storage.get_latest_storage_id_by_partition(key, kind, after_cursor=event) for kind in kinds)
    good = {date_of(k): n for k, n in loaded.items() if n > failed.get(k, -1)}
    bad = {date_of(k): n for k, n in failed.items() if n > loaded.get(k, -1)}
    return good, bad


def failures_of(instance: dg.DagsterInstance, archive: Archive, dates: Sequence[dt.date]) -> dict[dt.date, str]:
    """Return what was said when these dates failed last; a date that never did is left out."""
    key = asset_key(archive, OUTCOME_ASSET)
    latest = instance.event_log_storage.get_latest_storage_id_by_partition(
        key, DagsterEventType.ASSET_OBSERVATION, partitions={key_of(date) for date in dates} or {""}
    )
    found: dict[dt.date, str] = {}
    numbers = iter(sorted(latest.values()))
    while some := list(islice(numbers, _AT_ONCE)):
        records = instance.fetch_observations(dg.AssetRecordsFilter(key, storage_ids=some), limit=len(some)).records
        found.update(_told(records))
    return found


def _told(records: Sequence[dg.EventLogRecord]) -> Iterator[tuple[dt.date, str]]:
    for record in records:
        observation = record.event_log_entry.asset_observation
        if observation is not None and observation.partition is not None:
            metadata: Mapping[str, dg.MetadataValue] = observation.metadata
            yield date_of(observation.partition), str(metadata[FAILURE].value) if FAILURE in metadata else ""

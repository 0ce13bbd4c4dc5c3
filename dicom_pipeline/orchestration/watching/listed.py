"""The latest listing of each date that Dagster's storage has on record, as what files are compared with.

Scope: a few questions to the event log, each one query for all dates. A listing counts if the date was loaded after it,
or if that was tried with these files and failed for good: then it is not to be tried again before they change.
"""

import datetime as dt
from collections.abc import Mapping

import dagster as dg

from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.orchestration.failures import RETRY_RUN_TAG
from dicom_pipeline.orchestration.loading.dates import FILES_ASSET
from dicom_pipeline.orchestration.partitions import date_of
from dicom_pipeline.orchestration.specs import asset_key
from dicom_pipeline.orchestration.watching.watch import Listed
from dicom_pipeline.settings import Archive

_VERSION = "dagster/data_version"
_AT_ONCE = 500
UNDER_WAY = frozenset(
    {
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    }
)
"""How a run stands that has not ended."""


def listed_dates(instance: dg.DagsterInstance, archive: Archive) -> dict[dt.date, Listed]:
    """Return the latest listing of each date, whoever made it; without a fingerprint if the date is to be loaded."""
    key, kind = asset_key(archive, FILES_ASSET), dg.DagsterEventType.ASSET_MATERIALIZATION
    storage = instance.event_log_storage
    events = storage.get_latest_storage_id_by_partition(key, kind)
    versions = storage.get_latest_tags_by_partition(key, kind, [_VERSION])
    loads = storage.get_latest_storage_id_by_partition(asset_key(archive, IMAGE.name), kind)
    open_ones = {name: event for name, event in events.items() if loads.get(name, -1) < event}
    untried = _untried(instance, key, open_ones)
    return {
        date_of(name): Listed("" if name in untried else versions.get(name, {}).get(_VERSION, ""), event)
        for name, event in events.items()
    }


def died(run: dg.DagsterRun) -> bool:
    """Tell whether a run ended before its time: not well, not by a person, and not for a reason that stays."""
    return run.status is dg.DagsterRunStatus.FAILURE and run.tags.get(RETRY_RUN_TAG) != "false"


def _untried(instance: dg.DagsterInstance, key: dg.AssetKey, events: Mapping[str, int]) -> set[str]:
    """Return which of the partitions were listed alone, or by a run that died before it had loaded them."""
    if not events:
        return set()
    latest = sorted(events.values())[-_AT_ONCE:]
    records = instance.fetch_materializations(dg.AssetRecordsFilter(key, storage_ids=latest), limit=len(latest)).records
    runs = instance.get_runs(dg.RunsFilter(run_ids=list({record.run_id for record in records})))
    again = {run.run_id for run in runs if died(run) or run.status is dg.DagsterRunStatus.SUCCESS}
    return {str(record.partition_key) for record in records if record.run_id in again}

"""The assets that have a partition a date: listing, metadata and the three tables.

Scope: the operation that takes the dates of a run one by one. What happens to a date is in ``dates.py``, what is shown
about it in ``metadata.py``, what the assets say of themselves in ``specs.py``. The five assets are one operation: a
date goes its whole way, only the next one's files are read meanwhile (``ahead.py``), so that a bad date neither stops
nor hides the others, and events are stored as dates are done, those of half a second in one commit.
"""

import datetime as dt
import time
from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

import dagster as dg

from dicom_pipeline.dicom.fields import SLICE_TABLES
from dicom_pipeline.orchestration import metadata
from dicom_pipeline.orchestration.backfill.history import OUTCOME_ASSET
from dicom_pipeline.orchestration.failures import is_transient, told, told_without_values
from dicom_pipeline.orchestration.instance.instance import PROCESS_TAG, process_tags, stored_together
from dicom_pipeline.orchestration.loading.ahead import DatesAhead
from dicom_pipeline.orchestration.loading.attempts import Attempt, Attempts
from dicom_pipeline.orchestration.loading.checks import check_specs, evaluation, with_targets
from dicom_pipeline.orchestration.loading.dates import FILES_ASSET, DateLoader, DateOutcome
from dicom_pipeline.orchestration.partitions import date_of, key_of
from dicom_pipeline.orchestration.resources import StagingIOManager, WarehouseIOManager
from dicom_pipeline.orchestration.sources import date_source
from dicom_pipeline.orchestration.specs import asset_key, date_specs, pool_name, warehouse_key
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.metadata import METADATA_ASSET
from dicom_pipeline.warehouse.url import warehouse_kind

DateObserver = Callable[[DateOutcome], None]
"""Called with the outcome of each date as soon as it is known, in the process of the run."""

_TOGETHER_SECONDS = 0.5
"""For how long events of finished dates wait for those of others: each commit costs as much as a small date."""

DateEvent = dg.AssetMaterialization | dg.AssetCheckEvaluation | dg.AssetObservation


def load_assets(
    archive: Archive, settings: Settings, partitions: dg.PartitionsDefinition, observer: DateObserver | None
) -> dg.AssetsDefinition:
    """Return the operation behind listing, metadata and tables, for any number of dates a run.

    Its checks gate inside it: a date that a blocking check refuses is not loaded, and fails. At the end the run fails
    if any date did, and says which.
    """
    attempts = Attempts()

    @dg.multi_asset(
        name=f"{archive.key_name}_load",
        specs=date_specs(archive, partitions, warehouse_kind(settings.warehouse_of(archive))),
        check_specs=check_specs(archive, partitions),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.multi_run(settings.partitions_per_run_of(archive)),
        required_resource_keys={warehouse_key(archive.warehouse), "staging", "extractor"},
        pool=pool_name(archive),
    )
    def load_dates(context: dg.AssetExecutionContext) -> Iterator[DateEvent]:
        warehouse: WarehouseIOManager = getattr(context.resources, warehouse_key(archive.warehouse))
        staging: StagingIOManager = context.resources.staging
        extractor: Extractor = context.resources.extractor
        if PROCESS_TAG not in context.run.tags:
            # Started by a daemon: whoever finds the run after its process was killed must be able to tell.
            context.instance.add_run_tags(context.run.run_id, process_tags())
        attempt = attempts.begin(context)
        with told_without_values(context):
            loader = DateLoader(
                archive=archive,
                source=date_source(archive, staging.staging),
                staging=staging.staging,
                extractor=extractor,
                warehouse=warehouse.client(),
                run_id=context.run.run_id,
                clock=dt.datetime.now(dt.UTC).replace(tzinfo=None),
                reject_limit=settings.reject_limit_of(archive),
            )
        stages = _Stages.of(context.selected_asset_keys, context.selected_asset_check_keys)
        with _beginning(loader, [date_of(key) for key in attempt.keys], stages) as beginning:
            keys = deque(attempt.keys)
            while keys:
                outcomes: list[tuple[DateOutcome, bool]] = []
                until = time.monotonic() + _TOGETHER_SECONDS
                try:
                    with stored_together(context.instance):
                        while keys and (not outcomes or time.monotonic() < until):
                            key = keys.popleft()
                            outcome = DateOutcome(date_of(key))
                            events = list(_date_events(loader, beginning, outcome, stages, attempt))
                            last_word = attempt.note(key, outcome)
                            outcomes.append((outcome, last_word))
                            yield from with_targets(events, context.instance)
                            if outcome.error is not None and last_word:
                                yield _failure(archive, outcome.date, outcome.error)
                finally:
                    # Also where their events cannot be stored: the dates are loaded all the same.
                    if observer is not None:
                        for outcome in (outcome for outcome, last_word in outcomes if last_word):
                            observer(outcome)
                for outcome, _ in outcomes:
                    if outcome.error is not None:
                        context.log.error("%s %s: %s", archive.tenant, key_of(outcome.date), outcome.error)
        attempt.end(context)

    return load_dates


@dataclass(frozen=True, slots=True)
class _Stages:
    """Which parts of the way a run was asked for; the tables are one transaction and come together.

    Checks come with what they are about, and can be asked for alone: then they look at what is staged and loaded.
    """

    listing: bool
    extraction: bool
    check: bool
    tables: bool
    reconcile: bool

    @classmethod
    def of(cls, assets: AbstractSet[dg.AssetKey], checks: AbstractSet[dg.AssetCheckKey]) -> "_Stages":
        names = {key.path[-1] for key in assets}
        checked = {key.asset_key.path[-1] for key in checks}
        slices = {spec.name for spec in SLICE_TABLES}
        tables = bool(names & slices)
        return cls(
            listing=FILES_ASSET in names,
            extraction=METADATA_ASSET in names,
            check=METADATA_ASSET in names | checked or tables,
            tables=tables,
            reconcile=tables or bool(checked & slices),
        )


_Beginning: TypeAlias = DatesAhead | DateLoader
"""Who lists and extracts a date."""


def _beginning(loader: DateLoader, dates: list[dt.date], stages: _Stages) -> AbstractContextManager[_Beginning]:
    """Return who lists and extracts the dates of a run: ahead of the other steps, if there is something to go ahead."""
    if len(dates) > 1 and stages.listing and stages.extraction:
        return DatesAhead(loader, dates)
    return nullcontext(loader)


def _failure(archive: Archive, date: dt.date, error: str) -> dg.AssetObservation:
    """Return the event that says why a date failed."""
    key, values = asset_key(archive, OUTCOME_ASSET), metadata.failure_metadata(error)
    return dg.AssetObservation(key, partition=key_of(date), metadata=values)


def _date_events(
    loader: DateLoader, beginning: _Beginning, outcome: DateOutcome, stages: _Stages, attempt: Attempt
) -> Iterator[DateEvent]:
    """Take one date as far as it goes; its error ends up in the outcome, never in an exception."""
    started = time.monotonic()
    try:
        attempt.refuse_if_hopeless()
        yield from _date_steps(loader, beginning, outcome, stages)
    except Exception as error:
        outcome.error, outcome.transient = told(error), is_transient(error)
    loader.forget(outcome.date)
    outcome.seconds = time.monotonic() - started


def _date_steps(
    loader: DateLoader, beginning: _Beginning, outcome: DateOutcome, stages: _Stages
) -> Iterator[DateEvent]:
    date, key = outcome.date, key_of(outcome.date)

    def materialized(name: str, values: metadata.MetadataValues, version: str | None = None) -> dg.AssetMaterialization:
        tags = {"dagster/data_version": version} if version else None
        return dg.AssetMaterialization(asset_key(loader.archive, name), partition=key, metadata=values, tags=tags)

    if stages.listing:
        outcome.listing = beginning.list_files(date)
        values = metadata.listing_metadata(outcome.listing)
        yield materialized(FILES_ASSET, values, outcome.listing.fingerprint)
    if stages.extraction:
        outcome.metadata = beginning.extract(date)
        yield materialized(METADATA_ASSET, metadata.extraction_metadata(outcome.metadata, loader.tenant))
    if stages.check:
        outcome.findings += loader.check(date)
        yield from (evaluation(loader.archive, key, f) for f in outcome.findings)
        if outcome.blocked_by:
            outcome.error = f"refused by the check {', '.join(outcome.blocked_by)}; nothing was loaded"
            return
    if stages.tables:
        started = time.monotonic()
        outcome.changes = loader.load(date)
        seconds = time.monotonic() - started
        for name, change in outcome.changes.items():
            yield materialized(name, metadata.change_metadata(change, seconds))
    if stages.reconcile:
        after = loader.reconcile(date)
        outcome.findings += after
        yield from (evaluation(loader.archive, key, f) for f in after)
        if outcome.blocked_by:
            outcome.error = f"loaded, but the check {', '.join(outcome.blocked_by)} failed: load the date again"

"""The assets of one archive: listing, metadata, the three tables, the index and the overview.

Scope: asset definitions and the step that takes the dates of a run one by one. What happens to a date is in
``dates.py``; what is shown about it in ``metadata.py``. The five partitioned assets are one operation: a date goes
its whole way before the next begins, so that a bad date neither stops nor hides the others, and each date's events
are stored as soon as it is done.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import dagster as dg

from dicom_pipeline import __version__
from dicom_pipeline.dicom.fields import IMAGE, REJECT, SLICE_TABLES, STATE
from dicom_pipeline.errors import PipelineError, place_of
from dicom_pipeline.orchestration import metadata
from dicom_pipeline.orchestration.checks import check_specs, evaluation
from dicom_pipeline.orchestration.dates import FILES_ASSET, METADATA_ASSET, DateLoader, DateOutcome
from dicom_pipeline.orchestration.partitions import date_of, key_of
from dicom_pipeline.orchestration.resources import StagingIOManager, WarehouseIOManager
from dicom_pipeline.orchestration.sources import IndexedSource, date_source
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.tables.extraction import Extractor

OVERVIEW_ASSET = "archive_overview"
INDEX_ASSET = "archive_index"
OWNERS = ["team:imaging-data"]

DateObserver = Callable[[DateOutcome], None]
"""Called with the outcome of each date as soon as it is known, in the process of the run."""

DateEvent = dg.AssetMaterialization | dg.AssetCheckEvaluation


def asset_key(archive: Archive, name: str) -> dg.AssetKey:
    """Return the key of one of the archive's assets: the tenant, then the name."""
    return dg.AssetKey([archive.tenant, name])


def load_assets(
    archive: Archive, settings: Settings, partitions: dg.PartitionsDefinition, observer: DateObserver | None
) -> dg.AssetsDefinition:
    """Return the operation behind listing, metadata and tables, for any number of dates a run.

    Its checks gate inside it: a date that a blocking check refuses is not loaded, and fails. At the end the run fails
    if any date did, and says which.
    """

    @dg.multi_asset(
        name=f"{archive.key_name}_load",
        specs=_load_specs(archive, partitions),
        check_specs=check_specs(archive, partitions),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.multi_run(settings.partitions_per_run),
    )
    def load_dates(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[WarehouseIOManager],
        staging: dg.ResourceParam[StagingIOManager],
        extractor: dg.ResourceParam[Extractor],
    ) -> Iterator[DateEvent]:
        loader = DateLoader(
            archive=archive,
            source=date_source(archive, staging.staging),
            staging=staging.staging,
            extractor=extractor,
            warehouse=warehouse.client(),
            run_id=context.run.run_id,
            clock=dt.datetime.now(dt.UTC).replace(tzinfo=None),
            reject_limit=settings.reject_limit,
        )
        stages = _Stages.of(context.selected_asset_keys, context.selected_asset_check_keys)
        failed: list[str] = []
        for key in context.partition_keys:
            outcome = DateOutcome(date_of(key))
            yield from _date_events(loader, outcome, stages)
            if outcome.error is not None:
                failed.append(key)
                context.log.error("%s %s: %s", archive.tenant, key, outcome.error)
            if observer is not None:
                observer(outcome)
        if failed:
            total = len(context.partition_keys)
            raise dg.Failure(f"{len(failed)} of {total} dates failed: {', '.join(failed)}", allow_retries=False)

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


def _date_events(loader: DateLoader, outcome: DateOutcome, stages: _Stages) -> Iterator[DateEvent]:
    """Take one date as far as it goes; its error ends up in the outcome, never in an exception."""
    try:
        yield from _date_steps(loader, outcome, stages)
    except PipelineError as error:
        outcome.error = str(error)
    except Exception as error:  # an exception of a library may carry a patient's data: only its type is told
        outcome.error = f"unexpected {type(error).__name__} in {place_of(error)}; run `dicom-pipeline doctor`"


def _date_steps(loader: DateLoader, outcome: DateOutcome, stages: _Stages) -> Iterator[DateEvent]:
    date, key = outcome.date, key_of(outcome.date)

    def materialized(name: str, values: metadata.MetadataValues, version: str | None = None) -> dg.AssetMaterialization:
        tags = {"dagster/data_version": version} if version else None
        return dg.AssetMaterialization(asset_key(loader.archive, name), partition=key, metadata=values, tags=tags)

    if stages.listing:
        outcome.listing = loader.list_files(date)
        values = metadata.listing_metadata(outcome.listing)
        yield materialized(FILES_ASSET, values, outcome.listing.fingerprint)
    if stages.extraction:
        outcome.metadata = loader.extract(date)
        yield materialized(METADATA_ASSET, metadata.extraction_metadata(outcome.metadata))
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


def _load_specs(archive: Archive, partitions: dg.PartitionsDefinition) -> list[dg.AssetSpec]:
    files_from = [asset_key(archive, INDEX_ASSET)] if archive.layout == "any" else []
    key = asset_key(archive, METADATA_ASSET)
    return [
        _spec(
            archive,
            FILES_ASSET,
            "Every file the archive holds for the date: path, size, time of modification.",
            partitions=partitions,
            deps=files_from,
            kinds={"file"},
            columns=metadata.files_columns(),
            io_manager="staging",
        ),
        _spec(
            archive,
            METADATA_ASSET,
            "One row a file, accepted with typed values or rejected with its reason (Parquet in staging).",
            partitions=partitions,
            deps=[asset_key(archive, FILES_ASSET)],
            kinds={"python", "arrow", "parquet"},
            columns=metadata.metadata_columns(),
            io_manager="staging",
        ),
        *(
            _spec(
                archive,
                table.name,
                f"{table.comment}. Loading replaces exactly the date's slice, all tables in one transaction.",
                partitions=partitions,
                deps=[key],
                kinds={"postgres", "table"},
                columns=metadata.table_columns(table),
                io_manager="warehouse",
            )
            for table in (IMAGE, STATE, REJECT)
        ),
    ]


def _spec(
    archive: Archive,
    name: str,
    description: str,
    *,
    partitions: dg.PartitionsDefinition | None,
    deps: list[dg.AssetKey],
    kinds: set[str],
    columns: dg.TableSchema | None,
    io_manager: str,
) -> dg.AssetSpec:
    values: dict[str, dg.TableSchema | str] = {}
    if columns is not None:
        values["dagster/column_schema"] = columns
    if io_manager == "warehouse":
        values["dagster/table_name"] = name
    return dg.AssetSpec(
        asset_key(archive, name),
        deps=deps,
        description=description,
        metadata=values,
        group_name=archive.key_name,
        owners=OWNERS,
        kinds=kinds,
        code_version=__version__,
        partitions_def=partitions,
        skippable=True,
    ).with_io_manager_key(io_manager)


def index_asset(archive: Archive) -> dg.AssetsDefinition:
    """Return the asset that learns the study date of new and changed files (layout ``any``)."""
    spec = _spec(
        archive,
        INDEX_ASSET,
        "Which study date each file of the archive has; reads new and changed files only.",
        partitions=None,
        deps=[],
        kinds={"python", "parquet"},
        columns=None,
        io_manager="staging",
    )

    @dg.multi_asset(name=f"{archive.key_name}_index", specs=[spec])
    def archive_index(
        context: dg.AssetExecutionContext, staging: dg.ResourceParam[StagingIOManager]
    ) -> Iterator[dg.MaterializeResult[None]]:
        del context
        source = date_source(archive, staging.staging)
        if not isinstance(source, IndexedSource):
            raise TypeError("only the layout 'any' has an index")
        change = source.refresh()
        yield dg.MaterializeResult(
            asset_key=spec.key,
            metadata={
                "added": change.added,
                "changed": change.changed,
                "removed": change.removed,
            },
        )

    return archive_index


def overview_asset(archive: Archive) -> dg.AssetsDefinition:
    """Return the asset that draws instances by date and modality from the warehouse."""
    spec = _spec(
        archive,
        OVERVIEW_ASSET,
        "Dates, series and instances in the warehouse, and a plot of instances by date and modality.",
        partitions=None,
        deps=[asset_key(archive, STATE.name), asset_key(archive, IMAGE.name)],
        kinds={"python", "postgres"},
        columns=None,
        io_manager="staging",
    )

    @dg.multi_asset(name=f"{archive.key_name}_overview", specs=[spec])
    def archive_overview(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[WarehouseIOManager]
    ) -> Iterator[dg.MaterializeResult[None]]:
        del context
        overview = warehouse.client().overview(archive.tenant)
        yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata.overview_metadata(overview))

    return archive_overview

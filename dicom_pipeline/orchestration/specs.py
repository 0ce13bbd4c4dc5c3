"""What the assets of an archive are called and how they describe themselves.

Scope: keys, names, owners, groups, kinds, column schemas and dependencies: the lineage as the UI draws it. What the
assets do is in ``assets.py`` (dates) and ``archive_assets.py`` (the archive as a whole).
"""

from collections.abc import Mapping

import dagster as dg

from dicom_pipeline import __version__
from dicom_pipeline.archive.index_file import SCHEMA as INDEX_SCHEMA
from dicom_pipeline.dicom.fields import IMAGE, REJECT, SLICE_TABLES, STATE, TableSpec
from dicom_pipeline.orchestration import metadata, reason_page
from dicom_pipeline.orchestration.loading.dates import FILES_ASSET
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.metadata import METADATA_ASSET

OVERVIEW_ASSET = "archive_overview"
INDEX_ASSET = "archive_index"
OWNERS = ["team:imaging-data"]
_KINDS = {"postgresql": "postgres", "doris": "doris"}
"""Databases as Dagster's UI calls them."""


def asset_key(archive: Archive, name: str) -> dg.AssetKey:
    """Return the key of one of the archive's assets: the tenant, then the name."""
    return dg.AssetKey([archive.tenant, name])


def warehouse_key(name: str | None) -> str:
    """Return the key of the resource that is the warehouse of that name, an IO manager; None is the shared one."""
    return f"warehouse_{name}" if name else "warehouse"


def pool_name(archive: Archive) -> str:
    """Return the name of the concurrency pool that the archive's loads are in."""
    return f"load_{archive.key_name}"


def date_specs(archive: Archive, partitions: dg.PartitionsDefinition, database: str) -> list[dg.AssetSpec]:
    """Return the assets that have a partition a date: listing, metadata and the tables of a kind of database."""
    tables = _table_specs(archive, partitions, database)
    return [_files_spec(archive, partitions), _metadata_spec(archive, partitions), *tables]


def _files_spec(archive: Archive, partitions: dg.PartitionsDefinition) -> dg.AssetSpec:
    return _spec(
        archive,
        FILES_ASSET,
        "Every file the archive holds for the date: path, size, time of modification.",
        partitions=partitions,
        deps=[INDEX_ASSET] if archive.layout == "any" else [],
        kinds={"file"},
        columns=metadata.files_columns(),
    )


def _metadata_spec(archive: Archive, partitions: dg.PartitionsDefinition) -> dg.AssetSpec:
    return _spec(
        archive,
        METADATA_ASSET,
        "One row a file, accepted with typed values or rejected with its reason (Parquet in staging).",
        partitions=partitions,
        deps=[FILES_ASSET],
        kinds={"python", "arrow", "parquet"},
        columns=metadata.metadata_columns(),
    )


def _table_specs(archive: Archive, partitions: dg.PartitionsDefinition, database: str) -> list[dg.AssetSpec]:
    return [
        _spec(
            archive,
            table.name,
            _told(table),
            partitions=partitions,
            deps=[METADATA_ASSET],
            kinds={_KINDS[database], "table"},
            columns=metadata.table_columns(table),
            io_manager=warehouse_key(archive.warehouse),
            metadata_values={"dagster/table_name": table.name},
        )
        for table in SLICE_TABLES
    ]


def _told(table: TableSpec) -> str:
    text = f"{table.comment}. Loading replaces exactly the date's slice; readers see the old one or the new one."
    return f"{text}\n\n{reason_page.table_of_reasons()}" if table is REJECT else text


def index_spec(archive: Archive) -> dg.AssetSpec:
    """Return the asset that knows each file's study date (layout ``any``)."""
    return _spec(
        archive,
        INDEX_ASSET,
        "Which study date each file of the archive has; reads new and changed files only.",
        partitions=None,
        deps=[],
        kinds={"python", "parquet"},
        columns=metadata.arrow_columns(INDEX_SCHEMA),
    )


def overview_spec(archive: Archive, database: str) -> dg.AssetSpec:
    """Return the asset that shows what the warehouse holds of the archive."""
    return _spec(
        archive,
        OVERVIEW_ASSET,
        "Dates, series and instances in the warehouse, and a plot of instances by date and modality.",
        partitions=None,
        deps=[STATE.name, IMAGE.name],
        kinds={"python", _KINDS[database]},
        columns=metadata.overview_columns(),
    )


def _spec(
    archive: Archive,
    name: str,
    description: str,
    *,
    partitions: dg.PartitionsDefinition | None,
    deps: list[str],
    kinds: set[str],
    columns: dg.TableSchema,
    io_manager: str = "staging",
    metadata_values: Mapping[str, str] | None = None,
) -> dg.AssetSpec:
    values: dict[str, dg.TableSchema | str] = {"dagster/column_schema": columns, **(metadata_values or {})}
    return dg.AssetSpec(
        asset_key(archive, name),
        deps=[asset_key(archive, dep) for dep in deps],
        description=description,
        metadata=values,
        group_name=archive.key_name,
        owners=OWNERS,
        kinds=kinds,
        code_version=__version__,
        partitions_def=partitions,
        skippable=True,
    ).with_io_manager_key(io_manager)

"""The assets that are about an archive as a whole: its index of dates and its overview.

Scope: the two operations without partitions. What they show is decided in ``metadata.py``.
"""

from collections.abc import Iterator

import dagster as dg

from dicom_pipeline.orchestration import metadata
from dicom_pipeline.orchestration.failures import told_without_values
from dicom_pipeline.orchestration.resources import StagingIOManager, WarehouseIOManager
from dicom_pipeline.orchestration.sources import IndexedSource, date_source
from dicom_pipeline.orchestration.specs import index_spec, overview_spec, warehouse_key
from dicom_pipeline.settings import Archive


def index_asset(archive: Archive, reader: str) -> dg.AssetsDefinition:
    """Return the asset that learns the study date of new and changed files (layout ``any``) with the reader named."""
    spec = index_spec(archive)

    @dg.multi_asset(name=f"{archive.key_name}_index", specs=[spec])
    def archive_index(
        context: dg.AssetExecutionContext, staging: dg.ResourceParam[StagingIOManager]
    ) -> Iterator[dg.MaterializeResult[None]]:
        with told_without_values(context):
            source = date_source(archive, staging.staging)
            if not isinstance(source, IndexedSource):
                raise TypeError("only the layout 'any' has an index")
            values = metadata.index_metadata(source.refresh(reader))
        yield dg.MaterializeResult(asset_key=spec.key, metadata=values)

    return archive_index


def overview_asset(archive: Archive, database: str) -> dg.AssetsDefinition:
    """Return the asset that draws instances by date and modality from the warehouse, a kind of database."""
    spec = overview_spec(archive, database)

    @dg.multi_asset(
        name=f"{archive.key_name}_overview", specs=[spec], required_resource_keys={warehouse_key(archive.warehouse)}
    )
    def archive_overview(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        warehouse: WarehouseIOManager = getattr(context.resources, warehouse_key(archive.warehouse))
        with told_without_values(context):
            values = metadata.overview_metadata(warehouse.client().overview(archive.tenant))
        yield dg.MaterializeResult(asset_key=spec.key, metadata=values)

    return archive_overview

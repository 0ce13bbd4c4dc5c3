"""The checks over all dates of an archive, with its overview.

Scope: the operation that asks the warehouse for conflicts and shows what it answers as checks of
``archive_overview``. They have no partitions and block nothing. They look at every image, so they have a job of their
own, which ends a load of the whole archive from a shell and no load of a range.
"""

from collections.abc import Callable, Iterator

import dagster as dg

from dicom_pipeline.orchestration.checks import severity_of
from dicom_pipeline.orchestration.failures import told_without_values
from dicom_pipeline.orchestration.metadata import findings_metadata
from dicom_pipeline.orchestration.resources import WarehouseIOManager
from dicom_pipeline.orchestration.specs import asset_key, warehouse_key
from dicom_pipeline.quality.catalogue import STANDING_CHECKS
from dicom_pipeline.quality.conflicts import Conflict, conflict_findings
from dicom_pipeline.settings import Archive
from dicom_pipeline.warehouse.base import Warehouse

_FINDERS: dict[str, Callable[[Warehouse, str], Conflict]] = {
    "sop_instance_in_one_place": lambda warehouse, tenant: warehouse.instances_in_several_places(tenant),
    "study_of_one_patient": lambda warehouse, tenant: warehouse.studies_of_several_patients(tenant),
}


def standing_checks(archive: Archive) -> dg.AssetChecksDefinition:
    """Return the archive's checks over all dates; each can be run alone."""
    specs = [
        dg.AssetCheckSpec(check.name, asset=asset_key(archive, check.asset), description=check.description)
        for check in STANDING_CHECKS
    ]

    @dg.multi_asset_check(
        name=f"{archive.key_name}_standing",
        specs=specs,
        can_subset=True,
        required_resource_keys={warehouse_key(archive.warehouse)},
    )
    def check_all_dates(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse: WarehouseIOManager = getattr(context.resources, warehouse_key(archive.warehouse))
        for spec in specs:
            if spec.key in context.selected_asset_check_keys:
                yield _result(context, spec, archive.tenant, warehouse)

    return check_all_dates


def _result(
    context: dg.AssetCheckExecutionContext, spec: dg.AssetCheckSpec, tenant: str, warehouse: WarehouseIOManager
) -> dg.AssetCheckResult:
    with told_without_values(context):
        findings = conflict_findings(spec.name, _FINDERS[spec.name](warehouse.client(), tenant))
    return dg.AssetCheckResult(
        passed=findings.passed,
        asset_key=spec.asset_key,
        check_name=spec.name,
        severity=severity_of(findings),
        metadata=findings_metadata(findings),
    )

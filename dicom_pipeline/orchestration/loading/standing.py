"""The checks over all dates of an archive, with its overview.

Scope: the operation that asks the warehouse for conflicts and for the date that is due, and the event log for failed
dates, and shows what they answer as checks of ``archive_overview``. They have no partitions and block nothing. Some
look at every image, so they have a job of their own, which ends a load of the whole archive from a shell and no load
of a range, and which a schedule starts every day.
"""

import datetime as dt
from collections.abc import Callable, Iterator

import dagster as dg

from dicom_pipeline.dicom.fields import IMAGE, LOAD
from dicom_pipeline.orchestration.failures import told_without_values
from dicom_pipeline.orchestration.loading.checks import severity_of
from dicom_pipeline.orchestration.metadata import findings_metadata
from dicom_pipeline.orchestration.partitions import partitions_of
from dicom_pipeline.orchestration.resources import WarehouseIOManager
from dicom_pipeline.orchestration.specs import asset_key, warehouse_key
from dicom_pipeline.orchestration.watching.schedules import expected_date
from dicom_pipeline.quality.catalogue import STANDING_CHECKS, WAREHOUSE_CHECKS
from dicom_pipeline.quality.conflicts import conflict_findings
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.quality.progress import due_date_findings, failed_dates_findings
from dicom_pipeline.settings import Archive
from dicom_pipeline.warehouse.base import Slice, Warehouse

_Look = Callable[[str, Archive, Warehouse, dg.DagsterInstance], Findings]


def _instances(check: str, archive: Archive, warehouse: Warehouse, instance: dg.DagsterInstance) -> Findings:
    del instance
    return conflict_findings(check, warehouse.instances_in_several_places(archive.tenant))


def _studies(check: str, archive: Archive, warehouse: Warehouse, instance: dg.DagsterInstance) -> Findings:
    del instance
    return conflict_findings(check, warehouse.studies_of_several_patients(archive.tenant))


def _due_date(check: str, archive: Archive, warehouse: Warehouse, instance: dg.DagsterInstance) -> Findings:
    del check, instance
    date = expected_date(archive, dt.datetime.now(dt.UTC))
    if date is None:
        return due_date_findings(expected=False, loaded=False)
    ledger = warehouse.read(LOAD, [Slice(archive.tenant, date)], ["partition_date"]).read_all()
    return due_date_findings(expected=True, loaded=ledger.num_rows > 0)


def _failed_dates(check: str, archive: Archive, warehouse: Warehouse, instance: dg.DagsterInstance) -> Findings:
    del check, warehouse
    failed = failed_dates(instance, archive)
    loaded = instance.get_materialized_partitions(asset_key(archive, IMAGE.name))
    return failed_dates_findings(len(failed), len(loaded - failed))


_LOOKS: dict[str, _Look] = {
    "sop_instance_in_one_place": _instances,
    "study_of_one_patient": _studies,
    "yesterday_is_loaded": _due_date,
    "no_date_failed": _failed_dates,
}


def failed_dates(instance: dg.DagsterInstance, archive: Archive) -> set[str]:
    """Return the partitions whose latest load failed, or whose rows were found not to be as they should."""
    partitions = partitions_of(archive)
    key = asset_key(archive, IMAGE.name)
    statuses = instance.get_status_by_partition(key, partitions.get_partition_keys(), partitions) or {}
    failed = {name for name, status in statuses.items() if status is not None and status.name == "FAILED"}
    checks = [dg.AssetCheckKey(asset_key(archive, check.asset), check.name) for check in WAREHOUSE_CHECKS]
    for info in instance.event_log_storage.get_asset_check_partition_info(checks):
        if info.partition_key is not None and info.latest_execution_status.name == "FAILED":
            failed.add(info.partition_key)
    return failed


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
                yield _result(context, spec, archive, warehouse)

    return check_all_dates


def _result(
    context: dg.AssetCheckExecutionContext, spec: dg.AssetCheckSpec, archive: Archive, warehouse: WarehouseIOManager
) -> dg.AssetCheckResult:
    with told_without_values(context):
        findings = _LOOKS[spec.name](spec.name, archive, warehouse.client(), context.instance)
    return dg.AssetCheckResult(
        passed=findings.passed,
        asset_key=spec.asset_key,
        check_name=spec.name,
        severity=severity_of(findings),
        metadata=findings_metadata(findings),
    )

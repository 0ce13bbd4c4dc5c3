"""The rules of ``quality/`` over one date as Dagster's asset checks.

Scope: specifications and evaluations, one a rule and date; those over all dates are in ``standing.py``. The rules
themselves are in ``quality/``; which of them block is said there. Blocking rules gate inside the load (``assets.py``),
so that they hold for every date of a run.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster_shared.record import copy

from dicom_pipeline.orchestration.instance.instance import holds_events
from dicom_pipeline.orchestration.metadata import findings_metadata
from dicom_pipeline.quality.catalogue import PARTITIONED_CHECKS, Severity
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.settings import Archive

_Event = TypeVar("_Event", bound=dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation)


def check_specs(archive: Archive, partitions: dg.PartitionsDefinition) -> list[dg.AssetCheckSpec]:
    """Return the specification of every check of the archive's partitioned assets."""
    return [
        dg.AssetCheckSpec(
            name=check.name,
            asset=dg.AssetKey([archive.tenant, check.asset]),
            description=check.description,
            blocking=check.blocking,
            partitions_def=partitions,
        )
        for check in PARTITIONED_CHECKS
    ]


def evaluation(archive: Archive, partition_key: str, findings: Findings) -> dg.AssetCheckEvaluation:
    """Return what a rule found on one date as the evaluation Dagster stores."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey([archive.tenant, findings.asset]),
        check_name=findings.check,
        passed=findings.passed,
        severity=severity_of(findings),
        metadata=findings_metadata(findings),
        blocking=findings.spec.blocking,
        partition=partition_key,
    )


def with_targets(events: Iterable[_Event], instance: dg.DagsterInstance) -> Iterator[_Event]:
    """Yield a date's events; each evaluation names the materialization it is about, which is stored by then.

    Dagster does so for results of checks it runs itself, and shows a partition's check as missing without. The storage
    of a home adds it on its own.
    """
    if holds_events(instance):
        yield from events
        return
    targets: dict[tuple[dg.AssetKey, str | None], AssetCheckEvaluationTargetMaterializationData | None] = {}
    for event in events:
        if not isinstance(event, dg.AssetCheckEvaluation):
            targets.pop((event.asset_key, event.partition), None)
            yield event
            continue
        place = (event.asset_key, event.partition)
        if place not in targets:
            targets[place] = _latest_materialization(instance, *place)
        yield copy(event, target_materialization_data=targets[place])


def _latest_materialization(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, partition: str | None
) -> AssetCheckEvaluationTargetMaterializationData | None:
    wanted = dg.AssetRecordsFilter(asset_key=asset_key, asset_partitions=[partition] if partition else None)
    found = instance.fetch_materializations(wanted, limit=1).records
    if not found:
        return None
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=found[0].storage_id, run_id=found[0].run_id, timestamp=found[0].timestamp
    )


def severity_of(findings: Findings) -> dg.AssetCheckSeverity:
    """Return Dagster's word for how grave the result is."""
    return dg.AssetCheckSeverity.ERROR if findings.severity is Severity.ERROR else dg.AssetCheckSeverity.WARN

"""The rules of ``quality/`` over one date as Dagster's asset checks.

Scope: specifications and evaluations, one a rule and date; those over all dates are in ``standing.py``. The rules
themselves are in ``quality/``; which of them block is said there. Blocking rules gate inside the load (``assets.py``),
so that they hold for every date of a run.
"""

import dagster as dg

from dicom_pipeline.orchestration.metadata import findings_metadata
from dicom_pipeline.quality.catalogue import PARTITIONED_CHECKS, Severity
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.settings import Archive


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


def severity_of(findings: Findings) -> dg.AssetCheckSeverity:
    """Return Dagster's word for how grave the result is."""
    return dg.AssetCheckSeverity.ERROR if findings.severity is Severity.ERROR else dg.AssetCheckSeverity.WARN

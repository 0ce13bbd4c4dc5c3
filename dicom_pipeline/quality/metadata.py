"""The checks before the load: one pass over the staged rows of one date.

Scope: which rules run over ``dicom_metadata``, and what they need to know of its partition.
"""

import datetime as dt
from dataclasses import dataclass, replace

import pyarrow as pa

from dicom_pipeline.quality.accounting import EveryListedFileAccountedFor, RejectedShareBelowLimit
from dicom_pipeline.quality.findings import Findings, RowRule
from dicom_pipeline.quality.identity import SeriesConsistent, SopInstanceUidUnique
from dicom_pipeline.quality.rows import StagedRows
from dicom_pipeline.quality.shape import rows_follow_schema
from dicom_pipeline.quality.values import (
    codes_are_defined_terms,
    dates_plausible,
    pixel_attributes_agree,
    uids_well_formed,
)
from dicom_pipeline.tables.schemas import metadata_schema

DEFAULT_REJECT_LIMIT = 0.05


@dataclass(frozen=True, slots=True)
class DateFacts:
    """What the rules must know of the partition beside its rows.

    Attributes:
        tenant_id: The archive's tenant.
        date: The partition's study date.
        files_listed: How many files ``archive_files`` listed for it.
        today: The latest date a study can have.
        reject_limit: Share (0 to 1) of damaged files above which the date is in error.
    """

    tenant_id: str
    date: dt.date
    files_listed: int
    today: dt.date
    reject_limit: float = DEFAULT_REJECT_LIMIT


class MetadataChecks:
    """Every rule over the staged rows of one date, which pass by once.

    Memory grows with the number of paths, instances and series of the date, not with the rest of the rows.
    """

    def __init__(self, facts: DateFacts) -> None:
        self._facts = facts
        self.restart()

    def restart(self) -> None:
        """Forget all rows."""
        self._rules = _rules(self._facts)
        self._other_schema = 0

    def observe(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows; those that do not have ``metadata_schema()`` cannot be looked at."""
        if not batch.schema.equals(metadata_schema()):
            self._other_schema += 1
            return
        rows = StagedRows(batch)
        for rule in self._rules:
            rule.observe(rows)

    def findings(self) -> list[Findings]:
        """Return one finding for each of ``METADATA_CHECKS``, in their order.

        All have failed where rows could not be looked at.
        """
        findings = [finding for rule in self._rules for finding in rule.findings()]
        if not self._other_schema:
            return findings
        return [_not_looked_at(finding, self._other_schema) for finding in findings]


def _rules(facts: DateFacts) -> tuple[RowRule, ...]:
    return (
        EveryListedFileAccountedFor(facts.files_listed),
        rows_follow_schema(facts.tenant_id, facts.date),
        SopInstanceUidUnique(),
        RejectedShareBelowLimit(facts.reject_limit),
        SeriesConsistent(),
        uids_well_formed(),
        codes_are_defined_terms(),
        pixel_attributes_agree(),
        dates_plausible(facts.today),
    )


def _not_looked_at(finding: Findings, batches: int) -> Findings:
    counts = {**finding.counts, "batches_of_another_schema": batches}
    return replace(finding, passed=False, counts=counts)

"""What is known of a date once its staged rows have passed by, whoever read them for whatever reason.

Scope: putting the observers of ``tables/`` and ``quality/`` side by side. They look on while a date is extracted, so
that check, load and reconciliation need not read the staged file for themselves; for a step run alone it is read once.
"""

import datetime as dt
from dataclasses import dataclass, field

import pyarrow as pa

from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.quality.metadata import DateFacts, MetadataChecks
from dicom_pipeline.tables.contents import SliceContents
from dicom_pipeline.tables.digest import SliceDigest
from dicom_pipeline.tables.metadata import OutcomeCounter, OutcomeCounts
from dicom_pipeline.tables.slices import SliceObserver


class DateObserver:
    """Looks at all staged rows of a date for the sake of every later step; a ``RowObserver``."""

    def __init__(self, facts: DateFacts, run_id: str, clock: dt.datetime) -> None:
        self._checks = MetadataChecks(facts)
        self._slice = SliceObserver(facts.tenant_id, facts.date, run_id, clock)
        self._outcomes = OutcomeCounter()

    def restart(self) -> None:
        """Forget all rows."""
        for observer in (self._checks, self._slice, self._outcomes):
            observer.restart()

    def observe(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows of ``metadata_schema()``."""
        for observer in (self._checks, self._slice, self._outcomes):
            observer.observe(batch)

    def known(self) -> "KnownDate":
        """Return what all rows seen amount to."""
        series = self._slice.series()
        return KnownDate(self._outcomes.counts(), self._checks.findings(), series, self._slice.digests(series))


@dataclass(frozen=True, slots=True)
class KnownDate:
    """A staged date.

    Attributes:
        outcomes: How many rows came out how.
        findings: What the checks before the load found.
        series: The rows of ``dicom_state_meta``.
        digests: Count and digest of the rows of each table, by table.
        read_back: What a load of these rows read from tables that it found to hold them already, by table.
    """

    outcomes: OutcomeCounts
    findings: list[Findings]
    series: pa.Table
    digests: dict[str, SliceDigest]
    read_back: dict[str, SliceContents] = field(default_factory=dict)

"""What a load from a shell did, date by date and in sum.

Scope: the report and its form for machines. How a person sees it is in ``console.py``.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dicom_pipeline.orchestration.loading.dates import DateOutcome
from dicom_pipeline.orchestration.partitions import key_of
from dicom_pipeline.quality.catalogue import Severity


@dataclass(slots=True)
class LoadReport:
    """What a load did.

    Attributes:
        rows: Rows now in the slices of the load's dates, by table; None where the warehouse could not be asked.
        emptied: Dates whose files have disappeared altogether: their slices are empty now.
    """

    tenant: str
    warehouse: str
    outcomes: list[DateOutcome] = field(default_factory=list)
    rows: Mapping[str, int | None] = field(default_factory=dict)
    emptied: list[dt.date] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> list[DateOutcome]:
        """The dates that were not loaded, or not as they should be."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    def as_json(self) -> dict[str, Any]:
        """Return the report as the command's ``--json`` prints it."""
        return {
            "tenant": self.tenant,
            "warehouse": self.warehouse,
            "dates": {
                "total": len(self.outcomes),
                "loaded": len(self.outcomes) - len(self.failed),
                "failed": [key_of(outcome.date) for outcome in self.failed],
            },
            "files": self._files(),
            "rows": dict(self.rows),
            "checks": self._checks(),
            "seconds": round(self.seconds, 3),
        }

    def _files(self) -> dict[str, Any]:
        summaries = [o.metadata for o in self.outcomes if o.metadata is not None]
        reasons: Counter[str] = Counter()
        read_by: Counter[str] = Counter(scanner=0, pydicom=0)
        for summary in summaries:
            reasons.update(summary.rejected_by_reason)
            read_by.update(summary.read_by)
        return {
            "listed": sum(s.listed for s in summaries),
            "accepted": sum(s.accepted for s in summaries),
            "rejected": sum(s.rejected for s in summaries),
            "rejected_by_reason": dict(sorted(reasons.items())),
            "read_by": dict(read_by),
        }

    def _checks(self) -> dict[str, int]:
        findings = [f for outcome in self.outcomes for f in outcome.findings]
        return {
            "passed": sum(f.passed for f in findings),
            "warned": sum(not f.passed and f.severity is Severity.WARN for f in findings),
            "failed": sum(not f.passed and f.severity is Severity.ERROR for f in findings),
        }

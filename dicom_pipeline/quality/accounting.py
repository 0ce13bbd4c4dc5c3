"""Whether every listed file became a row, and how many of them were refused.

Scope: rules about counts of files. What the rows hold is the other modules' affair.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.reasons import REASONS, Reason
from dicom_pipeline.quality.catalogue import Severity
from dicom_pipeline.quality.findings import Findings, report
from dicom_pipeline.quality.rows import StagedRows
from dicom_pipeline.tables.distinct import UniqueTexts

_HARMLESS = tuple(reason.value for reason, info in REASONS.items() if not info.damaged)


class EveryListedFileAccountedFor:
    """Files listed = rows accepted + rows rejected, each path once."""

    def __init__(self, files_listed: int) -> None:
        self._listed = files_listed
        self._rows = 0
        self._accepted = 0
        self._rejected = 0
        self._nameless = 0
        self._paths = UniqueTexts()

    def observe(self, rows: StagedRows) -> None:
        """Look at the next rows."""
        self._rows += rows.count
        self._accepted += rows.is_accepted.true_count
        self._rejected += rows.is_rejected.true_count
        self._nameless += rows.column("path").null_count
        self._paths.add(rows.column("path"))

    def findings(self) -> list[Findings]:
        """Report files listed, rows by outcome, and what does not add up."""
        repeated = sum(count - 1 for count in self._paths.repeated().values())
        counts = {
            "files_listed": self._listed,
            "rows": self._rows,
            "accepted": self._accepted,
            "rejected": self._rejected,
            "missing_rows": max(0, self._listed - self._rows),
            "surplus_rows": max(0, self._rows - self._listed),
            "rows_without_outcome": self._rows - self._accepted - self._rejected,
            "repeated_paths": repeated + max(0, self._nameless - 1),
        }
        wrong = ("missing_rows", "surplus_rows", "rows_without_outcome", "repeated_paths")
        return [report("every_listed_file_accounted_for", sum(counts[name] for name in wrong), counts)]


class RejectedShareBelowLimit:
    """Damaged files are a smaller share of the DICOM files than ``limit`` (0 to 1), and better none."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._accepted = 0
        self._damaged = 0
        self._identical_copies = 0

    def observe(self, rows: StagedRows) -> None:
        """Look at the next rows."""
        self._accepted += rows.is_accepted.true_count
        if not rows.is_rejected.true_count:
            return
        harmless = pc.is_in(rows.rejected.column("reason"), pa.array(_HARMLESS, pa.string()))
        copies = _identical_copies(rows.rejected)
        self._identical_copies += copies.true_count
        self._damaged += pc.invert(pc.or_(harmless, copies)).true_count

    def findings(self) -> list[Findings]:
        """Report the share; a warning up to and at the limit, an error above it."""
        files = self._accepted + self._damaged + self._identical_copies
        share = self._damaged / files if files else 0.0
        counts = {
            "dicom_files": files,
            "damaged": self._damaged,
            "identical_copies": self._identical_copies,
            "share": share,
            "limit": self._limit,
        }
        severity = Severity.ERROR if share > self._limit else Severity.WARN
        return [Findings("rejected_share_below_limit", self._damaged == 0, severity, counts)]


def _identical_copies(rejected: pa.RecordBatch) -> pa.BooleanArray:
    """Return which rejected rows are files with the same bytes as an accepted one: nothing was lost with them."""
    findings = rejected.column("findings")
    is_copy = pc.equal(pc.struct_field(pc.list_flatten(findings), "reason"), Reason.IDENTICAL_COPY.value)
    mask = np.zeros(rejected.num_rows, bool)
    mask[pc.list_parent_indices(findings).filter(is_copy).to_numpy()] = True
    return pa.array(mask)

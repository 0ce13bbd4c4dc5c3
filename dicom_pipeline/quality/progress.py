"""Whether loading goes on as it should: the last date that was due, and the dates that failed.

Scope: what these two checks over all dates report. What is due and what failed is known in ``orchestration/``.
"""

from dicom_pipeline.quality.catalogue import CHECKS_BY_KEY
from dicom_pipeline.quality.findings import Findings

_ASSET = "archive_overview"


def due_date_findings(*, expected: bool, loaded: bool) -> Findings:
    """Return what ``yesterday_is_loaded`` reports.

    Args:
        expected: Whether a date is due at all.
        loaded: Whether the ledger has it.
    """
    missing = expected and not loaded
    return _findings("yesterday_is_loaded", missing, {"expected": int(expected), "missing": int(missing)})


def failed_dates_findings(failed: int, loaded: int) -> Findings:
    """Return what ``no_date_failed`` reports: how many dates failed when tried last, and how many are well."""
    return _findings("no_date_failed", failed > 0, {"failed": failed, "loaded": loaded})


def _findings(check: str, bad: bool, counts: dict[str, int | float]) -> Findings:
    return Findings(check, not bad, CHECKS_BY_KEY[_ASSET, check].severity, counts, asset=_ASSET)

"""What should be one thing in the whole archive and is several: the checks that look beyond a date.

Scope: the value type between the database, which finds conflicts, and whoever shows them. The queries are the
warehouse's.
"""

from dataclasses import dataclass

from dicom_pipeline.quality.catalogue import CHECKS_BY_KEY, Asset
from dicom_pipeline.quality.findings import SAMPLE_SIZE, Findings


@dataclass(frozen=True, slots=True)
class Conflict:
    """One kind of conflict among the rows of a tenant, of all dates or of what is on one date.

    Attributes:
        offending: How many things conflict: instances or studies.
        images: How many rows of ``dicom_image_meta`` they have together.
        uid_hashes: Hashes of studies or series to find them by, not more than ``SAMPLE_SIZE`` need be given.
    """

    offending: int
    images: int
    uid_hashes: tuple[str, ...] = ()


def conflict_findings(check: str, conflict: Conflict, asset: Asset = "archive_overview") -> Findings:
    """Return what a check of conflicts reports, on a date's images or on all: it passes if nothing conflicts."""
    return Findings(
        check,
        passed=conflict.offending == 0,
        severity=CHECKS_BY_KEY[asset, check].severity,
        counts={"offending": conflict.offending, "images": conflict.images},
        uid_hashes=conflict.uid_hashes[:SAMPLE_SIZE],
        asset=asset,
    )

"""Conflicts among all images of a tenant, found where the images are.

Scope: running the queries; what comes back is two numbers and a sample of hashes, never a UID.
"""

from dicom_pipeline.quality.conflicts import Conflict
from dicom_pipeline.quality.findings import SAMPLE_SIZE
from dicom_pipeline.warehouse.doris import sql
from dicom_pipeline.warehouse.doris.connection import run
from dicom_pipeline.warehouse.doris.read import Session


def find_conflict(session: Session, database: str, tenant_id: str, conflict: tuple[str, str, str]) -> Conflict:
    """Count one kind of conflict; ``conflict`` is one of those named in ``sql.py``."""
    offending, images = run(session, sql.conflicts(database, tenant_id, conflict))[0]
    hashes = run(session, sql.conflict_hashes(database, tenant_id, conflict, SAMPLE_SIZE)) if int(offending) else []
    return Conflict(int(offending), int(images), tuple(shown for (shown,) in hashes))

"""A file belongs to the date that is written in it: rows of other dates are rejected.

Scope: the rule ``StudyDateMismatch`` on batches of ``metadata_schema()``. Where a partition's files lie is the
business of ``archive/``.
"""

import datetime as dt

import pyarrow as pa

from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.tables.rows import ACCEPTED, reject_where


def reject_other_dates(batch: pa.RecordBatch, date: dt.date) -> pa.RecordBatch:
    """Return the batch with accepted rows of another study date than ``date`` turned into rejected ones."""
    import pyarrow.compute as pc

    accepted = pc.equal(batch.column("outcome"), ACCEPTED)
    same_date = pc.fill_null(pc.equal(batch.column("study_date"), pa.scalar(date, pa.date32())), False)
    mask = pc.and_(accepted, pc.invert(same_date))
    return reject_where(batch, mask, Reason.STUDY_DATE_MISMATCH, "StudyDate")

"""Whether staged rows have the shape of the field table: required values, bounds, tenant and date.

Scope: what makes a row unfit to load whatever its content means. Whether the content makes sense is ``values.py``.
"""

import datetime as dt
from functools import partial, reduce

import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.reasons import REASONS
from dicom_pipeline.quality.conditions import Condition, RowConditions
from dicom_pipeline.tables.rows import ACCEPTED, REJECTED

REJECTING_REASONS: tuple[str, ...] = tuple(reason.value for reason, info in REASONS.items() if info.rejects)


def accepted(batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return which rows are accepted files."""
    return pc.equal(batch.column("outcome"), ACCEPTED)


def rejected(batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return which rows are rejected files."""
    return pc.equal(batch.column("outcome"), REJECTED)


def rows_follow_schema(tenant_id: str, date: dt.date) -> RowConditions:
    """Return the rule that each row has the shape its outcome demands, in this tenant's partition of this date."""
    conditions: dict[str, Condition] = {
        "null_path": lambda batch: batch.column("path").is_null(),
        "unknown_outcome": lambda batch: _is_not_one_of(batch.column("outcome"), (ACCEPTED, REJECTED)),
        "accepted_with_reason": lambda batch: pc.and_(accepted(batch), batch.column("reason").is_valid()),
        "rejected_without_known_reason": _rejected_without_known_reason,
        "rejected_with_values": _rejected_with_values,
        "other_tenant": lambda batch: pc.not_equal(batch.column("tenant_id"), tenant_id),
        "other_date": lambda batch: pc.not_equal(batch.column("study_date"), pa.scalar(date)),
    }
    for field in HEADER_FIELDS:
        if not field.nullable:
            conditions[f"null_{field.name}"] = partial(_required_is_null, field.name)
        if field.bound is not None:
            conditions[f"too_long_{field.name}"] = partial(_too_long, field.name, field.bound)
    return RowConditions("rows_follow_schema", conditions)


def _is_not_one_of(column: pa.Array, allowed: tuple[str, ...]) -> pa.BooleanArray:
    return pc.invert(pc.is_in(column, pa.array(allowed, column.type)))


def _rejected_without_known_reason(batch: pa.RecordBatch) -> pa.BooleanArray:
    return pc.and_(rejected(batch), _is_not_one_of(batch.column("reason"), REJECTING_REASONS))


def _rejected_with_values(batch: pa.RecordBatch) -> pa.BooleanArray:
    present = (batch.column(field.name).is_valid() for field in HEADER_FIELDS)
    return pc.and_(rejected(batch), reduce(pc.or_, present))


def _required_is_null(name: str, batch: pa.RecordBatch) -> pa.BooleanArray:
    return pc.and_(accepted(batch), batch.column(name).is_null())


def _too_long(name: str, bound: int, batch: pa.RecordBatch) -> pa.BooleanArray:
    return pc.greater(pc.binary_length(batch.column(name)), bound)

"""Whether staged rows have the shape of the field table: required values, bounds, tenant and date.

Scope: what makes a row unfit to load whatever its content means. Whether the content makes sense is ``values.py``.
"""

import datetime as dt
from functools import partial, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.reasons import REASONS
from dicom_pipeline.quality.conditions import Condition, RowConditions
from dicom_pipeline.quality.rows import StagedRows
from dicom_pipeline.tables.flat import is_flat, text_places
from dicom_pipeline.tables.rows import ACCEPTED, REJECTED

REJECTING_REASONS: tuple[str, ...] = tuple(reason.value for reason, info in REASONS.items() if info.rejects)


def rows_follow_schema(tenant_id: str, date: dt.date) -> RowConditions:
    """Return the rule that each row has the shape its outcome demands, in this tenant's partition of this date."""
    conditions: dict[str, Condition] = {
        "null_path": lambda rows: rows.column("path").is_null() if rows.column("path").null_count else None,
        "unknown_outcome": _unknown_outcome,
        "accepted_with_reason": _accepted_with_reason,
        "rejected_without_known_reason": _rejected_without_known_reason,
        "rejected_with_values": _rejected_with_values,
        "other_tenant": partial(_other_than, "tenant_id", pa.scalar(tenant_id)),
        "other_date": partial(_other_than, "study_date", pa.scalar(date)),
    }
    for field in HEADER_FIELDS:
        if not field.nullable:
            conditions[f"null_{field.name}"] = partial(_required_is_null, field.name)
        if field.bound is not None:
            conditions[f"too_long_{field.name}"] = partial(_too_long, field.name, field.bound)
    return RowConditions("rows_follow_schema", conditions)


def _is_not_one_of(column: pa.Array, allowed: tuple[str, ...]) -> pa.BooleanArray:
    return pc.invert(pc.is_in(column, pa.array(allowed, column.type)))


def _unknown_outcome(rows: StagedRows) -> pa.BooleanArray | None:
    if rows.is_accepted.true_count + rows.is_rejected.true_count == rows.count:
        return None
    return _is_not_one_of(rows.column("outcome"), (ACCEPTED, REJECTED))


def _accepted_with_reason(rows: StagedRows) -> pa.BooleanArray | None:
    reasons = rows.column("reason")
    return None if reasons.null_count == rows.count else pc.and_(rows.is_accepted, reasons.is_valid())


def _rejected_without_known_reason(rows: StagedRows) -> pa.BooleanArray | None:
    if not rows.is_rejected.true_count:
        return None
    return pc.and_(rows.is_rejected, _is_not_one_of(rows.column("reason"), REJECTING_REASONS))


def _rejected_with_values(rows: StagedRows) -> pa.BooleanArray | None:
    if not rows.rejected_have_values:
        return None
    present = (rows.column(field.name).is_valid() for field in HEADER_FIELDS)
    return pc.and_(rows.is_rejected, reduce(pc.or_, present))


def _other_than(name: str, value: pa.Scalar, rows: StagedRows) -> pa.BooleanArray | None:
    column = rows.valued.column(name)
    if is_flat(column) and column[0].equals(value.cast(column.type)):
        return None
    return pc.not_equal(rows.column(name), value)


def _required_is_null(name: str, rows: StagedRows) -> pa.BooleanArray | None:
    if not rows.valued.column(name).null_count:
        return None
    return pc.and_(rows.is_accepted, rows.column(name).is_null())


def _too_long(name: str, bound: int, rows: StagedRows) -> pa.BooleanArray | None:
    if np.diff(text_places(rows.valued.column(name))).max(initial=0) <= bound:
        return None
    return pc.greater(pc.binary_length(rows.column(name)), bound)

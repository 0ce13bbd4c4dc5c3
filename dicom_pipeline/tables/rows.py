"""Rows of ``dicom_metadata``: made of records and rejections, and turned from accepted into rejected.

Scope: the one place that knows how a row of ``metadata_schema()`` is filled, so that a rejected row looks the same
whoever rejects it: every value column NULL, and path, outcome, reason, field and file size telling the rest. No
files, no rules about values.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.paths import display_path
from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Finding, Record, Rejection
from dicom_pipeline.tables.schemas import FINDING, metadata_schema

ACCEPTED = "accepted"
REJECTED = "rejected"

Outcome: TypeAlias = Record | Rejection

_VALUE_COLUMNS = frozenset(f.name for f in HEADER_FIELDS)
_NO_VALUES: tuple[object, ...] = (None,) * len(HEADER_FIELDS)


def metadata_batch(entries: Sequence[FileEntry], outcomes: Sequence[Outcome]) -> pa.RecordBatch:
    """Return one row for each entry, in their order.

    Raises:
        pa.ArrowException, ValueError, TypeError, OverflowError: A record holds a value its column cannot.
    """
    rejections = [outcome if isinstance(outcome, Rejection) else None for outcome in outcomes]
    values = [outcome.values if isinstance(outcome, Record) else _NO_VALUES for outcome in outcomes]
    columns: list[Sequence[object]] = [
        [display_path(entry.path) for entry in entries],
        [ACCEPTED if rejection is None else REJECTED for rejection in rejections],
        [None if rejection is None else rejection.reason.value for rejection in rejections],
        [None if rejection is None else rejection.field for rejection in rejections],
        [entry.size for entry in entries],
        *(zip(*values, strict=True) if values else ((),) * len(HEADER_FIELDS)),
        [_findings(outcome.findings) if isinstance(outcome, Record) else [] for outcome in outcomes],
    ]
    schema = metadata_schema()
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def accepted_batch(
    files: pa.RecordBatch, values: Sequence[pa.Array], findings: Mapping[int, Sequence[Finding]]
) -> pa.RecordBatch:
    """Return rows of accepted files.

    Args:
        files: Their rows of ``FILES_SCHEMA``.
        values: The columns of ``HEADER_FIELDS``, in order.
        findings: Their findings, by the row's number; only of rows that have some.
    """
    rows, schema = files.num_rows, metadata_schema()
    arrays = [
        files.column("path"),
        pa.repeat(ACCEPTED, rows),
        pa.nulls(rows, pa.string()),
        pa.nulls(rows, pa.string()),
        files.column("size"),
        *values,
        _sparse_findings(rows, findings),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def reject_where(
    batch: pa.RecordBatch,
    mask: pa.BooleanArray,
    reason: Reason,
    field: str | None,
    findings: Sequence[Finding] = (),
) -> pa.RecordBatch:
    """Return the batch with the rows under ``mask`` (no NULLs in it) turned into rejected rows, the others as they are.

    Args:
        batch: Rows of ``metadata_schema()``.
        mask: One boolean a row; true rejects it.
        reason: Why, for all of them.
        field: Keyword of the attribute that was the reason, if one was.
        findings: What the rejected rows' findings become.
    """
    if not mask.true_count:
        return batch
    import pyarrow.compute as pc

    written = {"outcome": REJECTED, "reason": reason.value, "field": field, "findings": _findings(findings)}
    columns = []
    for column, column_field in zip(batch.columns, batch.schema, strict=True):
        if column_field.name in written or column_field.name in _VALUE_COLUMNS:
            replacement = pa.scalar(written.get(column_field.name), column_field.type)
            columns.append(pc.if_else(mask, replacement, column))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _sparse_findings(rows: int, findings: Mapping[int, Sequence[Finding]]) -> pa.ListArray:
    ends = np.zeros(rows + 1, np.int32)
    flat: list[dict[str, str]] = []
    for row in sorted(findings):
        ends[row + 1] = len(findings[row])
        flat += _findings(findings[row])
    return pa.ListArray.from_arrays(pa.array(np.cumsum(ends, dtype=np.int32)), pa.array(flat, FINDING))


def _findings(findings: Sequence[Finding]) -> list[dict[str, str]]:
    return [{"field": finding.field, "reason": finding.reason.value} for finding in findings]

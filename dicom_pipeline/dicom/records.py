"""One header to one row of values, or to the reason why its file is refused.

Scope: what a row and a refusal are, and the order in which the columns are judged. How each column is read is in
``dicom/rules.py``.
"""

from dataclasses import dataclass
from datetime import datetime

from dicom_pipeline.dicom.fields import HEADER_FIELDS, Field
from dicom_pipeline.dicom.header import Header
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.rules import READERS, Finding, OnInvalidValue, Reader, Reading, Refused

__all__ = ["JUDGED_ORDER", "REFUSING_ORDER", "Finding", "OnInvalidValue", "Record", "Rejection", "build_record"]

REFUSING_ORDER: tuple[str, ...] = (
    # What both tables need.
    "patient_id",
    "study_uid",
    "series_uid",
    "sop_uid",
    "study_date",
    # What only the series row holds.
    "modality",
    "patient_name",
    "patient_sex",
    "patient_birth_time",
    "patient_age",
    "study_time",
    "study_id",
    "study_description",
    "series_time",
    "series_description",
    "body_part_examined",
    "protocol_name",
    # What only the image row holds.
    "content_time",
    "image_type",
    "image_orientation_patient",
    "image_position_patient",
    "photometric_interpretation",
    "rescale_type",
    "window_center",
    "window_width",
    "sop_class_uid",
    "transfer_syntax_uid",
)
"""The columns whose value can refuse a file, in the order they are judged: of several defects the first is the reason.

All other columns follow in the order of the field table.
"""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a file is refused, and the keyword of the attribute that is the reason."""

    reason: Reason
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The row of an accepted file: values in the order of ``HEADER_FIELDS``, and the findings of reading them."""

    values: tuple[object, ...]
    findings: tuple[Finding, ...]


def build_record(
    header: Header, *, tenant_id: str, file_size: int, policy: OnInvalidValue, clock: datetime
) -> Record | Rejection:
    """Return the row that a header amounts to, or why its file is refused; never raises for what a header holds.

    Args:
        header: What a reader took from the file.
        tenant_id: The archive's tenant, at most 64 bytes.
        file_size: Bytes of the file.
        policy: What an optional value that cannot be stored does.
        clock: The run's clock reading, UTC without a zone.
    """
    reading = Reading(header, tenant_id, file_size, policy, clock)
    row: list[object] = [None] * len(_PLAN)
    try:
        for position, column, read in _PLAN:
            row[position] = read(reading, column)
    except Refused as refused:
        return Rejection(refused.reason, refused.field)
    return Record(tuple(row), tuple(reading.findings))


def _plan() -> tuple[tuple[int, Field, Reader], ...]:
    rank = {name: position for position, name in enumerate(REFUSING_ORDER)}
    steps = [(position, column, READERS[column.rule]) for position, column in enumerate(HEADER_FIELDS)]
    return tuple(sorted(steps, key=lambda step: rank.get(step[1].name, len(rank) + step[0])))


_PLAN = _plan()

JUDGED_ORDER: tuple[str, ...] = tuple(column.name for _, column, _ in _PLAN)
"""All columns in the order they are judged, which is that of a record's findings."""

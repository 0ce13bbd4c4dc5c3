"""Whether values make sense by the standard: UIDs, codes, pixel attributes, dates.

Scope: rules about the values of one row, all of them warnings, since they are wrong in the archive itself. NULL is
never a finding here, but for Rows and Columns of an object that has pixels. Rejected rows have no values.
"""

import datetime as dt
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.quality.conditions import RowConditions
from dicom_pipeline.quality.rows import StagedRows
from dicom_pipeline.quality.terms import MODALITIES, PATIENT_SEXES
from dicom_pipeline.tables.flat import is_flat, text_places

_UIDS = ("study_uid", "series_uid", "sop_uid", "sop_class_uid", "transfer_syntax_uid")
_UID_PATTERN = r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$"
_UID_LENGTH = 64
_DOT, _ZERO = np.uint8(ord(".")), np.uint8(ord("0"))


def uids_well_formed() -> RowConditions:
    """Return the rule that UIDs follow PS3.5 9.1; counts by column."""
    return RowConditions("uids_well_formed", {f"malformed_{name}": partial(_malformed_uid, name) for name in _UIDS})


def _malformed_uid(name: str, rows: StagedRows) -> pa.BooleanArray | None:
    uids = rows.valued.column(name)
    if not _is_malformed(uids[:1] if is_flat(uids) else uids):
        return None
    uids = rows.column(name)
    well_formed = pc.match_substring_regex(uids, _UID_PATTERN)
    return pc.or_(pc.invert(well_formed), pc.greater(pc.binary_length(uids), _UID_LENGTH))


def _is_malformed(uids: pa.StringArray) -> bool:
    """Tell whether any UID is malformed, from the bytes of all of them at once; a false alarm costs but time."""
    places = text_places(uids)
    widths = np.diff(places)
    if not len(widths):
        return False
    if widths.min() < 1 or widths.max() > _UID_LENGTH:
        return True
    data = np.frombuffer(uids.buffers()[2], np.uint8, int(places[-1] - places[0]), int(places[0]))
    is_dot = data == _DOT
    if not (is_dot | (data - _ZERO < 10)).all():
        return True
    edge = np.zeros(len(data) + 1, bool)
    edge[places - places[0]] = True
    begins, last = edge[:-1].copy(), edge[1:].copy()
    stray_dots = is_dot & last
    begins[1:] |= is_dot[:-1]
    last[:-1] |= is_dot[1:]
    leading_zeros = (data == _ZERO) & begins & ~last
    return bool((stray_dots | (is_dot & begins) | leading_zeros).any())


def codes_are_defined_terms() -> RowConditions:
    """Return the rule that Modality and Patient's Sex are terms of the standard."""
    terms = {"modality": MODALITIES, "patient_sex": PATIENT_SEXES}
    return RowConditions(
        "codes_are_defined_terms",
        {f"undefined_{name}": partial(_undefined_term, name, pa.array(sorted(codes))) for name, codes in terms.items()},
    )


def _undefined_term(name: str, terms: pa.Array, rows: StagedRows) -> pa.BooleanArray:
    codes = rows.column(name)
    return pc.and_(codes.is_valid(), pc.invert(pc.is_in(codes, terms)))


def pixel_attributes_agree() -> RowConditions:
    """Return the rule over Rows, Columns, Bits Allocated, Bits Stored and High Bit (PS3.3 C.7.6.3, PS3.5 8.1.1).

    Bits Allocated tells that there are pixels: the staged columns do not say whether Pixel Data itself is there.
    """
    return RowConditions(
        "pixel_attributes_agree",
        {
            "no_rows": partial(_pixels_without, "width"),  # width holds Rows
            "no_columns": partial(_pixels_without, "columns"),
            "stored_over_allocated": lambda rows: pc.greater(rows.column("bits_stored"), rows.column("bits_allocated")),
            "high_bit_not_stored_less_one": lambda rows: pc.not_equal(
                rows.column("high_bit"), pc.subtract(rows.column("bits_stored"), 1)
            ),
        },
    )


def _pixels_without(name: str, rows: StagedRows) -> pa.BooleanArray:
    some = pc.fill_null(pc.greater(rows.column(name), 0), False)
    return pc.and_(rows.column("bits_allocated").is_valid(), pc.invert(some))


def dates_plausible(today: dt.date) -> RowConditions:
    """Return the rule that nobody was examined before birth or after ``today``."""
    return RowConditions(
        "dates_plausible",
        {
            "born_after_study": lambda rows: pc.greater(rows.column("patient_birth_date"), rows.column("study_date")),
            "study_after_today": lambda rows: pc.greater(rows.column("study_date"), pa.scalar(today)),
        },
    )

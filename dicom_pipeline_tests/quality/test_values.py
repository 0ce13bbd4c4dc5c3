"""Values make sense by the standard."""

import datetime as dt
import re

import pydicom.sr.codedict
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.quality.catalogue import Severity
from dicom_pipeline.quality.terms import MODALITIES, PATIENT_SEXES
from dicom_pipeline.quality.values import (
    codes_are_defined_terms,
    dates_plausible,
    pixel_attributes_agree,
    uids_well_formed,
)
from dicom_pipeline_tests.quality.staged import DATE, TODAY, good_row, hashes, judged, rejected_row

RULES = {
    "uids_well_formed": uids_well_formed,
    "codes_are_defined_terms": codes_are_defined_terms,
    "pixel_attributes_agree": pixel_attributes_agree,
    "dates_plausible": lambda: dates_plausible(TODAY),
}


@pytest.mark.parametrize("name", RULES)
def test_good_rejected_and_no_rows_pass(name: str) -> None:
    assert judged(RULES[name](), []).passed
    found = judged(RULES[name](), [good_row(1), rejected_row(), good_row(2)])
    assert found.passed
    assert found.counts == {"rows": 3, "offending": 0}


@pytest.mark.parametrize(
    ("rule", "changes", "condition"),
    [
        ("uids_well_formed", {"study_uid": "1.02.3"}, "malformed_study_uid"),
        ("uids_well_formed", {"series_uid": "1.2."}, "malformed_series_uid"),
        ("uids_well_formed", {"sop_uid": " 1.2"}, "malformed_sop_uid"),
        ("uids_well_formed", {"sop_class_uid": "1.2\n"}, "malformed_sop_class_uid"),
        ("uids_well_formed", {"transfer_syntax_uid": "ExplicitVRLittleEndian"}, "malformed_transfer_syntax_uid"),
        ("uids_well_formed", {"study_uid": "1." + "2" * 63}, "malformed_study_uid"),
        ("codes_are_defined_terms", {"modality": "ct"}, "undefined_modality"),
        ("codes_are_defined_terms", {"patient_sex": "W"}, "undefined_patient_sex"),
        ("pixel_attributes_agree", {"width": 0}, "no_rows"),
        ("pixel_attributes_agree", {"columns": None}, "no_columns"),
        ("pixel_attributes_agree", {"bits_stored": 17, "high_bit": 16}, "stored_over_allocated"),
        ("pixel_attributes_agree", {"high_bit": 12}, "high_bit_not_stored_less_one"),
        ("dates_plausible", {"patient_birth_date": DATE + dt.timedelta(1)}, "born_after_study"),
        ("dates_plausible", {"study_date": TODAY + dt.timedelta(1)}, "study_after_today"),
    ],
)
def test_bad_rows_warn(rule: str, changes, condition: str) -> None:
    bad = good_row(9, **({"series_uid": "1.9"} | changes))
    found = judged(RULES[rule](), [good_row(1), bad, good_row(2)])
    assert found.check == rule
    assert not found.passed
    assert found.severity is Severity.WARN
    assert found.counts == {"rows": 3, condition: 1, "offending": 1}
    assert found.uid_hashes == hashes(bad["series_uid"])


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("uids_well_formed", {"study_uid": "0.1", "series_uid": "1." + "2" * 62}),
        ("codes_are_defined_terms", {"modality": None, "patient_sex": None}),
        ("codes_are_defined_terms", {"modality": "DS", "patient_sex": "O"}),
        ("pixel_attributes_agree", {"bits_allocated": None, "width": None, "columns": 0}),
        ("pixel_attributes_agree", {"bits_stored": None, "high_bit": None}),
        ("pixel_attributes_agree", {"bits_allocated": 1, "bits_stored": 1, "high_bit": 0, "width": 1, "columns": 1}),
        ("dates_plausible", {"patient_birth_date": DATE}),
        ("dates_plausible", {"patient_birth_date": None}),
        ("dates_plausible", {"study_date": TODAY}),
    ],
)
def test_unusual_rows_pass(rule: str, changes) -> None:
    assert judged(RULES[rule](), [good_row(**changes)]).passed


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(alphabet="0123.x ", max_size=8) | st.just("1." + "9" * 63), min_size=1, max_size=8))
def test_uids_against_a_plain_reading_of_the_standard(uids: list[str]) -> None:
    def well_formed(uid: str) -> bool:
        parts = uid.split(".")
        return len(uid) <= 64 and all(re.fullmatch("[0-9]+", p) and (p == "0" or p[0] != "0") for p in parts)

    found = judged(uids_well_formed(), [good_row(n, series_uid=uid) for n, uid in enumerate(uids)])
    assert found.counts["offending"] == sum(not well_formed(uid) for uid in uids)


def test_terms_hold_the_standards_context_group() -> None:
    """CID 33 Modality of PS3.16 is a subset of the defined terms of PS3.3."""
    group = pydicom.sr.codedict.codes.cid33
    codes = {getattr(group, keyword).value for keyword in group.dir()}
    assert len(codes) > 60
    assert codes <= MODALITIES
    assert len(MODALITIES) == 79 + 18
    assert {"M", "F", "O"} == PATIENT_SEXES


components = st.lists(st.sampled_from(["0", "1", "10", "01", "00", "", "9" * 30]), max_size=4).map(".".join)


@settings(deadline=None)
@given(st.lists(st.one_of(components, st.text("01.a\n\x00é", max_size=4)), min_size=1, max_size=6))
def test_uids_are_judged_alike_one_by_one_and_together(uids: list[str]) -> None:
    well_formed = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*", re.ASCII)
    wrong = sum(not well_formed.fullmatch(uid) or len(uid) > 64 for uid in uids)
    rows = [good_row(number, sop_uid=uid) for number, uid in enumerate(uids)]
    assert judged(uids_well_formed(), rows, batch_size=len(rows)).counts["offending"] == wrong

"""What is told of refused rows: columns and counts, and nothing that was in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_pipeline.warehouse.doris.rejected_rows import describe_rejected

COLUMNS = ("patient_name", "patient_id", "study_date", "sop_instance_uid")
LONG = (
    "Reason: column_name[patient_name], the length of input is too long than schema. first 32 bytes of input str: "
    "[DOE^JOHN no partition is null] schema length: 64; actual length: 70; . src line [DOE^JOHN 1970]; "
)
NULL = "Reason: column(sop_instance_uid) values is null while columns is not nullable. src line [DOE^JOHN NULL]; "
STRICT = (
    "Reason: column(study_date) value is incorrect while strict mode is true, src value is null. src line [DOE^JOHN]; "
)
NOWHERE = "Reason: no partition for this tuple. tuple=+-----+\n|DOE^JOHN|\n+----+. src line []; "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LONG, "1 too long (patient_name)"),
        (NULL, "1 NULL (sop_instance_uid)"),
        (STRICT, "1 not convertible (study_date)"),
        (NOWHERE, "1 without a partition"),
        ("Reason: Parse json data failed: DOE^JOHN. src line [DOE^JOHN]; ", "1 not convertible"),
        ("Reason: something new about column(patient_id). src line [x]; ", "1 of another kind (patient_id)"),
        (LONG.replace("patient_name", "doe_john"), "1 too long"),
        ("Reason: cut in the mid", "1 of another kind"),
        ("", ""),
        ("<html>DOE^JOHN</html>", ""),
        ("TOO MUCH ERROR! already reach 50. show no more next error.", ""),
    ],
)
def test_kinds(text: str, told: str) -> None:
    assert describe_rejected(text, COLUMNS) == told


def test_kinds_are_counted_and_their_columns_named_once() -> None:
    other = LONG.replace("patient_name", "patient_id")
    text = "\n".join([NULL, LONG, LONG, other, NOWHERE])
    told = describe_rejected(text, COLUMNS)
    assert told == "3 too long (patient_id, patient_name), 1 NULL (sop_instance_uid), 1 without a partition"


def test_only_the_beginning_of_a_line_begins_an_entry() -> None:
    assert describe_rejected("src line [Reason: too long]", COLUMNS) == ""


@given(st.lists(st.sampled_from(["Reason: ", "column(", ")", "too long", ". src line [", "\n", "ZZZ", "column_name["])))
def test_no_value_is_ever_told(pieces: list[str]) -> None:
    assert "ZZZ" not in describe_rejected("".join(pieces), COLUMNS)

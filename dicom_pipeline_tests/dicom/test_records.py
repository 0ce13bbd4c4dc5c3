"""One header to one row: the acceptance cases, both policies, the order of judgement, and hostile headers."""

import struct
from collections.abc import Mapping
from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_pipeline.dicom.fields import HEADER_FIELDS, SPECIFIC_CHARACTER_SET, Field, Kind, Rule
from dicom_pipeline.dicom.header import Element, Header
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import (
    REFUSING_ORDER,
    Finding,
    OnInvalidValue,
    Record,
    Rejection,
    build_record,
)

REJECT, NULL = OnInvalidValue
CLOCK = datetime(2024, 5, 6, 7, 8, 9, 101112)  # noqa: DTZ001 - UTC without a zone, as the tables store it
FIELDS = {f.name: f for f in HEADER_FIELDS}
COLUMNS = {f.keyword: f.name for f in HEADER_FIELDS if f.keyword and f.rule is not Rule.STUDY_DATE_TEXT}
MINIMAL = {
    "PatientID": "P1",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
    "SOPInstanceUID": "1.2.3.4.5",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "StudyDate": "20230115",
}
REQUIRED = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")

Values = Mapping[str, str | bytes | Element | None]


def header_of(values: Values, *, charset: str = "ISO_IR 192", transfer_syntax: str | None = None) -> Header:
    """Return the header of a minimal valid file with these attributes by keyword; None takes one away."""
    elements = {SPECIFIC_CHARACTER_SET: Element("CS", charset.encode())}
    for keyword, value in {**MINIMAL, **values}.items():
        column = FIELDS[COLUMNS[keyword]]
        assert column.tag is not None
        assert column.vr is not None
        if isinstance(value, Element):
            elements[column.tag] = value
        elif value is not None:
            elements[column.tag] = Element(column.vr, value.encode() if isinstance(value, str) else value)
    return Header(elements, little_endian=True, transfer_syntax_uid=transfer_syntax)


def outcome_of(values: Values, policy: OnInvalidValue = REJECT, tenant: str = "1234567890") -> Record | Rejection:
    return build_record(header_of(values), tenant_id=tenant, file_size=1234, policy=policy, clock=CLOCK)


def row_of(values: Values, policy: OnInvalidValue = REJECT, tenant: str = "1234567890") -> dict[str, object]:
    record = outcome_of(values, policy, tenant)
    assert isinstance(record, Record)
    return dict(zip(FIELDS, record.values, strict=True))


def findings_of(values: Values, policy: OnInvalidValue = REJECT) -> tuple[Finding, ...]:
    record = outcome_of(values, policy)
    assert isinstance(record, Record)
    return record.findings


def value_and_findings(
    keyword: str, value: str | bytes | Element, policy: OnInvalidValue
) -> tuple[object, list[Reason]]:
    findings = findings_of({keyword: value}, policy)
    assert {f.field for f in findings} <= {keyword}
    return row_of({keyword: value}, policy)[COLUMNS[keyword]], [f.reason for f in findings]


def us(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}H", *numbers)


class TestAcceptance:
    def test_a_minimal_file_has_identifiers_date_and_constants_and_nothing_else(self) -> None:
        row = row_of({})
        assert {name: value for name, value in row.items() if value is not None} == {
            "tenant_id": "1234567890",
            "patient_id": "P1",
            "study_uid": "1.2.3",
            "series_uid": "1.2.3.4",
            "sop_uid": "1.2.3.4.5",
            "study_uid_hash": "14152512315557983588",
            "series_uid_hash": row["series_uid_hash"],
            "study_date": date(2023, 1, 15),
            "study_date_origin": "20230115",
            "accession_number": "X32CRC3610635598",
            "transfer_syntax_uid": "1.2.840.10008.1.2",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
            "image_status": "ACTIVE",
            "space_size": 1234,
            "created_time": CLOCK,
            "updated_time": CLOCK,
        }
        assert findings_of({}) == ()

    @pytest.mark.parametrize("keyword", REQUIRED)
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (None, Reason.MISSING_REQUIRED_FIELD),
            ("", Reason.MISSING_REQUIRED_FIELD),
            (" \0", Reason.MISSING_REQUIRED_FIELD),
            (Element("OB", b"1.2"), Reason.MISSING_REQUIRED_FIELD),
            ("1" * 65, Reason.INVALID_FORMAT),
            ("1\0002", Reason.INVALID_FORMAT),
        ],
    )
    @pytest.mark.parametrize("policy", OnInvalidValue)
    def test_a_required_identifier_refuses_the_file_under_both_policies(
        self, keyword: str, value: str | Element | None, reason: Reason, policy: OnInvalidValue
    ) -> None:
        assert outcome_of({keyword: value}, policy) == Rejection(reason, keyword)

    @pytest.mark.parametrize("keyword", REQUIRED)
    def test_an_identifier_of_64_bytes_is_kept(self, keyword: str) -> None:
        assert row_of({keyword: "1" * 64 + " "})[COLUMNS[keyword]] == "1" * 64

    def test_identifiers_keep_leading_blanks(self) -> None:
        assert row_of({"SOPInstanceUID": " 1.2\0"})["sop_uid"] == " 1.2"

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (None, Reason.MISSING_REQUIRED_FIELD),
            ("", Reason.INVALID_DATE_FORMAT),
            ("  ", Reason.INVALID_DATE_FORMAT),
            ("20230230", Reason.INVALID_DATE_FORMAT),
            ("2023.01.15", Reason.INVALID_DATE_FORMAT),
            ("2023115", Reason.INVALID_DATE_FORMAT),
            ("20230115\\20230116", Reason.INVALID_DATE_FORMAT),
        ],
    )
    @pytest.mark.parametrize("policy", OnInvalidValue)
    def test_a_study_date_that_is_none_refuses_the_file(
        self, value: str | None, reason: Reason, policy: OnInvalidValue
    ) -> None:
        assert outcome_of({"StudyDate": value}, policy) == Rejection(reason, "StudyDate")

    def test_the_study_date_is_kept_as_date_and_as_text(self) -> None:
        row = row_of({"StudyDate": "20240229 "})
        assert (row["study_date"], row["study_date_origin"]) == (date(2024, 2, 29), "20240229")

    def test_rows_and_columns_are_width_and_columns(self) -> None:
        row = row_of({"Rows": us(512), "Columns": us(256)})
        assert (row["width"], row["columns"]) == (512, 256)

    def test_the_number_of_series_related_instances_is_the_headers(self) -> None:
        assert row_of({"NumberOfSeriesRelatedInstances": "42"})["series_related_instances"] == 42

    def test_a_big_endian_file_keeps_its_numbers(self) -> None:
        header = header_of({"Rows": b"\2\0"})
        record = build_record(
            Header(header.elements, little_endian=False, transfer_syntax_uid="1.2.840.10008.1.2.2"),
            tenant_id="t",
            file_size=1,
            policy=REJECT,
            clock=CLOCK,
        )
        assert isinstance(record, Record)
        row = dict(zip(FIELDS, record.values, strict=True))
        assert (row["width"], row["transfer_syntax_uid"]) == (512, "1.2.840.10008.1.2.2")

    @pytest.mark.parametrize(
        ("transfer_syntax", "fits"), [("1" * 64, True), ("1" * 65, False), ("1\0002", False)], ids=["64", "65", "NUL"]
    )
    def test_a_transfer_syntax_is_bounded_like_an_identifier(self, transfer_syntax: str, fits: bool) -> None:
        header = header_of({}, transfer_syntax=transfer_syntax)
        outcome = build_record(header, tenant_id="t", file_size=1, policy=NULL, clock=CLOCK)
        assert isinstance(outcome, Record) if fits else outcome == Rejection(Reason.INVALID_FORMAT, "TransferSyntaxUID")

    def test_the_character_set_of_the_file_is_followed(self) -> None:
        header = header_of({"PatientName": b"\xd4\xcf\xc0\xde"}, charset="ISO 2022 IR 13\\ISO 2022 IR 87")
        record = build_record(header, tenant_id="t", file_size=1, policy=REJECT, clock=CLOCK)
        assert isinstance(record, Record)
        assert dict(zip(FIELDS, record.values, strict=True))["patient_name"] == "ﾔﾏﾀﾞ"

    def test_a_code_string_is_latin_1_whatever_the_character_set(self) -> None:
        assert row_of({"BodyPartExamined": "KÖRPER".encode("latin_1")})["body_part_examined"] == "KÖRPER"


class TestAccession:
    @pytest.mark.parametrize(
        ("value", "stored"),
        [("A", "A"), ("1" * 16, "1" * 16), (" 7 ", " 7"), ("é" * 8, "é" * 8)],
    )
    def test_one_to_sixteen_bytes_are_kept(self, value: str, stored: str) -> None:
        assert value_and_findings("AccessionNumber", value, REJECT) == (stored, [])

    @pytest.mark.parametrize("value", ["", "  ", "\0"])
    def test_an_empty_one_is_replaced_silently(self, value: str) -> None:
        assert value_and_findings("AccessionNumber", value, REJECT) == ("X32CRC3610635598", [])

    @pytest.mark.parametrize("value", ["1" * 17, "é" * 8 + "e", "1\0002"])
    @pytest.mark.parametrize("policy", OnInvalidValue)
    def test_one_that_cannot_be_stored_is_replaced_and_said_so(self, value: str, policy: OnInvalidValue) -> None:
        expected = ("X32CRC3610635598", [Reason.ACCESSION_REPLACED])
        assert value_and_findings("AccessionNumber", value, policy) == expected

    def test_the_stand_in_comes_from_tenant_and_study(self) -> None:
        row = row_of({"StudyInstanceUID": "1.2.142906"}, tenant="tenant1")
        assert row["accession_number"] == "X32CRC52471"


TEXT_FIELDS = [f for f in HEADER_FIELDS if f.rule is Rule.TEXT]
TIME_FIELDS = [f for f in HEADER_FIELDS if f.rule is Rule.TIME]


def keyword_of(field: Field) -> str:
    assert field.keyword is not None
    return field.keyword


class TestTexts:
    @pytest.mark.parametrize("field", TEXT_FIELDS, ids=keyword_of)
    def test_the_bound_is_the_last_length_that_is_kept(self, field: Field) -> None:
        assert field.bound is not None
        fits = "x" * field.bound
        assert value_and_findings(keyword_of(field), fits + " ", REJECT) == (fits, [])
        assert outcome_of({keyword_of(field): fits + "x"}) == Rejection(Reason.CONVERSION_ERROR, field.keyword)

    @pytest.mark.parametrize("field", TEXT_FIELDS, ids=keyword_of)
    def test_an_over_long_text_is_cut_by_policy(self, field: Field) -> None:
        assert field.bound is not None
        cut = None if field.name == "patient_sex" else "x" * field.bound
        value = "x" * field.bound + "y"
        assert value_and_findings(keyword_of(field), value, NULL) == (cut, [Reason.CONVERSION_ERROR])

    @pytest.mark.parametrize("field", TEXT_FIELDS, ids=keyword_of)
    @pytest.mark.parametrize("value", [b"", b" ", b"\0\0", Element("OB", b"ABCD"), Element("OW", b"ABCD")])
    def test_without_text_it_is_null(self, field: Field, value: bytes | Element) -> None:
        assert value_and_findings(keyword_of(field), value, REJECT) == (None, [])

    def test_bytes_are_counted_not_characters(self) -> None:
        assert row_of({"PatientName": "山" * 21})["patient_name"] == "山" * 21
        assert outcome_of({"PatientName": "山" * 22}) == Rejection(Reason.CONVERSION_ERROR, "PatientName")
        assert row_of({"PatientName": "山" * 22}, NULL)["patient_name"] == "山" * 21

    def test_a_nul_within_refuses_or_ends_the_text(self) -> None:
        assert outcome_of({"StudyID": "1\0002"}) == Rejection(Reason.CONVERSION_ERROR, "StudyID")
        assert value_and_findings("StudyID", "1 \0002", NULL) == ("1", [Reason.CONVERSION_ERROR])
        assert value_and_findings("StudyID", "\0002", NULL) == (None, [Reason.CONVERSION_ERROR])
        assert value_and_findings("PatientSex", "M\0X", NULL) == (None, [Reason.CONVERSION_ERROR])

    def test_several_values_are_one_text(self) -> None:
        row = row_of({"WindowCenter": "40\\80", "ImageType": "ORIGINAL \\PRIMARY\\AXIAL "})
        assert row["window_center"] == "40\\80"
        assert row["image_type"] == "ORIGINAL\\PRIMARY\\AXIAL"

    def test_a_number_prints_as_text(self) -> None:
        assert row_of({"WindowCenter": Element("FD", struct.pack("<2d", 40.0, 0.5))})["window_center"] == "40\\0.5"


class TestTimes:
    @pytest.mark.parametrize("field", TIME_FIELDS, ids=keyword_of)
    @pytest.mark.parametrize("value", ["12:30:00", "240000", "12000", "120000.1234567", "120000\\130000"])
    def test_what_is_no_time_refuses_the_file_or_is_null(self, field: Field, value: str) -> None:
        keyword = keyword_of(field)
        assert outcome_of({keyword: value}) == Rejection(Reason.INVALID_TIME_FORMAT, keyword)
        assert value_and_findings(keyword, value, NULL) == (None, [Reason.INVALID_TIME_FORMAT])

    @pytest.mark.parametrize(
        ("value", "expected"),
        [("143025.5", time(14, 30, 25, 500000)), ("1430", time(14, 30)), ("", None), (" \0", None)],
    )
    def test_times_are_read(self, value: str, expected: time | None) -> None:
        assert value_and_findings("StudyTime", value, REJECT) == (expected, [])

    @pytest.mark.parametrize("policy", OnInvalidValue)
    def test_a_leap_second_is_taken_and_noted(self, policy: OnInvalidValue) -> None:
        expected = (time(23, 59, 59, 500000), [Reason.LEAP_SECOND])
        assert value_and_findings("StudyTime", "235960.5", policy) == expected


@pytest.mark.parametrize("policy", OnInvalidValue)
class TestValuesThatNeverRefuse:
    @pytest.mark.parametrize(
        ("keyword", "value", "expected", "reasons"),
        [
            ("InstanceNumber", "7 ", 7, []),
            ("InstanceNumber", "", None, []),
            ("InstanceNumber", "1.0", None, [Reason.INVALID_NUMBER]),
            ("InstanceNumber", "2147483648", None, [Reason.INVALID_NUMBER]),
            ("InstanceNumber", "\\2", None, [Reason.INVALID_NUMBER]),
            ("Rows", Element("FL", struct.pack("<f", 512)), None, [Reason.INVALID_NUMBER]),
            ("Rows", Element("UL", struct.pack("<L", 4294967295)), None, [Reason.INVALID_NUMBER]),
            ("Rows", b"\1", None, [Reason.INVALID_NUMBER]),
            ("Rows", b"", None, []),
            ("SliceThickness", "1.5\\2.5", 1.5, []),
            ("SliceThickness", "NaN", None, [Reason.INVALID_NUMBER]),
            ("SliceThickness", "1e999", None, [Reason.INVALID_NUMBER]),
            ("SliceThickness", "", None, []),
            ("SliceThickness", Element("FD", struct.pack("<d", 0.1)), 0.1, []),
            ("ContentDate", "20230115", date(2023, 1, 15), []),
            ("ContentDate", "2023.01.15", None, [Reason.INVALID_DATE_FORMAT]),
            ("ContentDate", "", None, []),
        ],
    )
    def test_they_are_null_with_a_finding(
        self,
        policy: OnInvalidValue,
        keyword: str,
        value: str | bytes | Element,
        expected: object,
        reasons: list[Reason],
    ) -> None:
        assert value_and_findings(keyword, value, policy) == (expected, reasons)


class TestOrder:
    def test_every_column_that_can_refuse_a_file_has_its_place_in_the_order(self) -> None:
        refusing = {Rule.REQUIRED, Rule.STUDY_DATE, Rule.TEXT, Rule.TIME, Rule.TRANSFER_SYNTAX}
        assert sorted(REFUSING_ORDER) == sorted(f.name for f in HEADER_FIELDS if f.rule in refusing)

    @pytest.mark.parametrize("position", range(len(REFUSING_ORDER)))
    def test_of_several_defects_the_first_is_the_reason(self, position: int) -> None:
        defective = [FIELDS[name] for name in REFUSING_ORDER[position:]]
        header = header_of(
            {keyword_of(f): "x" * 300 for f in defective if f.name != "transfer_syntax_uid"}, transfer_syntax="1" * 65
        )
        outcome = build_record(header, tenant_id="t", file_size=1, policy=REJECT, clock=CLOCK)
        assert isinstance(outcome, Rejection)
        assert outcome.field == defective[0].keyword

    def test_findings_follow_the_order_of_judgement(self) -> None:
        values = {
            "StudyTime": "x",
            "PatientName": "x" * 65,
            "InstanceNumber": "1.0",
            "ContentTime": "y",
            "SeriesNumber": "z",
        }
        assert [f.field for f in findings_of(values, NULL)] == [
            "PatientName",
            "StudyTime",
            "ContentTime",
            "InstanceNumber",
            "SeriesNumber",
        ]


VRS = st.sampled_from("CS DA DS FD FL IS LO LT OB OW PN SH SL SS SV TM UI UL US UT UV AT UN".split())  # noqa: SIM905
PLAUSIBLE = st.sampled_from((b"20230115", b"1.2.3", b"235960", b"1430", b"40\\80", b"M", b"7", b"\xe5\xb1\xb1" * 30))
ELEMENTS = st.builds(Element, VRS, st.one_of(PLAUSIBLE, st.binary(max_size=80)))
TAGS = st.sampled_from(sorted({f.tag for f in HEADER_FIELDS if f.tag} | {SPECIFIC_CHARACTER_SET}))
TYPES = {
    Kind.TEXT: str,
    Kind.DATE: date,
    Kind.TIME: time,
    Kind.TIMESTAMP: datetime,
    Kind.INT32: int,
    Kind.INT64: int,
    Kind.FLOAT64: float,
}


@given(st.dictionaries(TAGS, ELEMENTS, max_size=20), st.booleans(), st.sampled_from(OnInvalidValue))
def test_whatever_the_header_a_row_fits_its_tables(
    elements: dict[int, Element], little_endian: bool, policy: OnInvalidValue
) -> None:
    header = Header({**header_of({}).elements, **elements}, little_endian, None)
    outcome = build_record(header, tenant_id="t", file_size=0, policy=policy, clock=CLOCK)
    if isinstance(outcome, Rejection):
        assert outcome.field in COLUMNS
        return
    for field, value in zip(HEADER_FIELDS, outcome.values, strict=True):
        if value is None:
            assert field.nullable
            continue
        assert type(value) is TYPES[field.kind]
        if isinstance(value, str):
            assert "\0" not in value
            assert field.bound is None or len(value.encode()) <= field.bound

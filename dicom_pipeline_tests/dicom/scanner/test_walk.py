"""The walk over the top level of a data set: what is ordinary, what is not, and where it ends."""

import pytest

from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicom_pipeline_tests.dicom.scanner.walks import Walker
from dicom_pipeline_tests.dicom.streams import (
    BIG_UID,
    DEFLATED_UID,
    EXPLICIT_UID,
    IMPLICIT_UID,
    JPEG_UID,
    MODALITY,
    PATIENT_ID,
    PIXEL_DATA,
    ROWS,
    SERIES_UID,
    SOP_CLASS,
    SOP_UID,
    STUDY_DATE,
    UID_OF,
    delimiter,
    dicom_file,
    element,
    file_meta,
    item,
    length_bytes,
    plain_data_set,
    plain_values,
    sequence,
    text,
)
from dicom_pipeline_tests.fuzz.generate import VRS

LAYOUTS = [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]
every_layout = pytest.mark.parametrize("encoding", LAYOUTS, ids=["explicit", "implicit", "big"])
START = text(SOP_CLASS, "UI", "1.2") + text(SOP_UID, "UI", "1.2.3")
END = text(PATIENT_ID, "LO", "ID 1") + element(PIXEL_DATA, "OW", bytes(64))


def in_layout(encoding: Encoding, *elements: bytes) -> bytes:
    return dicom_file(b"".join(elements), UID_OF[encoding])


@every_layout
def test_ordinary_files_are_taken(walker: Walker, encoding: Encoding) -> None:
    data = in_layout(encoding, plain_data_set(encoding))
    assert walker.taken_values(data) == plain_values(encoding)
    without_pixels = data[: data.rindex(b"HU") + 2]
    assert walker.taken_values(without_pixels) == plain_values(encoding)


@every_layout
def test_elements_nobody_wants_are_passed(walker: Walker, encoding: Encoding) -> None:
    others = [element(0x0009_0010, "LO", b"MAKER ", encoding)]
    others += [element(0x0009_1000 + number, vr, bytes(16), encoding) for number, vr in enumerate(VRS)]
    others.append(element(0x0009_1100, "LO", b"", encoding))
    others.append(element(0x000A_0001, "SH", b"unknown ", encoding))
    end = text(PATIENT_ID, "LO", "ID 1", encoding)
    start = text(SOP_CLASS, "UI", "1.2", encoding) + text(SOP_UID, "UI", "1.2.3", encoding)
    data = in_layout(encoding, start, *others, end)
    assert walker.taken_values(data) == {SOP_CLASS: b"1.2\0", SOP_UID: b"1.2.3\0", PATIENT_ID: b"ID 1"}


def test_a_wanted_value_has_the_vr_that_is_written_there(walker: Walker) -> None:
    data = dicom_file(
        START
        + element(STUDY_DATE, "UN", b"20240229")
        + element(MODALITY, "LO", b"CT")
        + element(PATIENT_ID, "OB", b"ID")
        + element(ROWS, "SS", b"\xff\xff")
    )
    header = walker.header(data)
    assert header is not None
    assert {tag: found.vr for tag, found in header.elements.items() if tag > SOP_UID} == {
        STUDY_DATE: "DA",
        MODALITY: "LO",
        PATIENT_ID: "OB",
        ROWS: "SS",
    }


def test_a_wanted_tag_that_is_a_sequence_has_no_value(walker: Walker) -> None:
    inside = item(text(MODALITY, "CS", "MR"), defined=True)
    for defined in (True, False):
        data = dicom_file(START + sequence(MODALITY, inside, defined=defined) + END)
        assert MODALITY not in walker.taken_values(data)
    assert MODALITY not in walker.taken_values(dicom_file(START + sequence(MODALITY, inside, vr="OB") + END))


@every_layout
def test_a_file_cut_anywhere_is_taken_only_where_an_element_ends(walker: Walker, encoding: Encoding) -> None:
    elements = [
        text(SOP_CLASS, "UI", "1.2", encoding),
        text(SOP_UID, "UI", "1.2.3.4", encoding),
        text(STUDY_DATE, "DA", "20240229", encoding),
        element(0x0009_1001, "OB", bytes(6), encoding),
        sequence(0x0010_1002, item(text(PATIENT_ID, "LO", "decoy", encoding), encoding), encoding=encoding),
        text(SERIES_UID, "UI", "1.2.3.4.5", encoding),
    ]
    data = in_layout(encoding, *elements)
    ends = [len(data) - sum(map(len, elements[count:])) for count in range(1, len(elements) + 1)]
    assert [cut for cut in range(len(data) + 1) if walker.takes(data[:cut])] == ends


@pytest.mark.parametrize("tag", [0x7FE0_0008, 0x7FE0_0009, 0x7FE0_0010])
def test_the_walk_ends_at_pixel_data_whatever_follows(walker: Walker, tag: int) -> None:
    for pixels in (
        element(tag, "OW", b"", length=0xFFFF_FFFE),
        element(tag, "OB", bytes(9), length=0xFFFF_FFFF),
        element(tag, "OW", bytes(64)) + b"anything",
    ):
        assert walker.taken_values(dicom_file(START + text(PATIENT_ID, "LO", "X1") + pixels))[PATIENT_ID] == b"X1"


def test_what_is_next_to_pixel_data_is_none(walker: Walker) -> None:
    for tag in (0x7FE0_0001, 0x7FE0_0007, 0x7FE0_0011, 0x7FDF_0010):
        assert walker.takes(dicom_file(START + END[:12] + element(tag, "OB", bytes(8))))
        assert not walker.takes(dicom_file(START + END[:12] + element(tag, "OB", bytes(8), length=100)))


def test_encapsulated_pixel_data_ends_the_walk(walker: Walker) -> None:
    pixels = sequence(PIXEL_DATA, item(b"", defined=True), item(bytes(100), defined=True), vr="OB")
    assert walker.takes(dicom_file(plain_data_set()[:-76] + pixels, JPEG_UID))


@pytest.mark.parametrize(
    "broken",
    [
        text(STUDY_DATE, "DA", "20240229") + text(0x0008_0008, "CS", "LATE"),
        text(STUDY_DATE, "DA", "20240229") + text(STUDY_DATE, "DA", "20240301"),
        text(0x0040_0275, "LO", "beyond") + text(0x0040_0244, "DA", "20240229"),
        text(0x0028_1055, "LO", "beyond") + text(PATIENT_ID, "LO", "LATE"),
        delimiter(0xFFFE_E000),
        delimiter(0xFFFE_E00D),
        delimiter(0xFFFE_E0DD),
        element(STUDY_DATE, "DA", b"20240229", length=0xFFFF),
        element(0x0009_1001, "OB", bytes(8), length=0xFFFF_FFFE),
        element(STUDY_DATE, "XX", b"20240229"),
        element(STUDY_DATE, "da", b"20240229"),
        element(STUDY_DATE, "\0\0", b"20240229"),
        element(STUDY_DATE, "[A", b"20240229"),
        element(STUDY_DATE, "DA", b"20240229", IMPLICIT_LITTLE),
        element(STUDY_DATE, "DA", b"20240229", EXPLICIT_BIG),
    ],
)
def test_what_the_careful_reader_has_to_weigh_is_left_to_it(walker: Walker, broken: bytes) -> None:
    assert walker.takes(dicom_file(START + END))
    assert not walker.takes(dicom_file(START + broken + END))


def test_elements_behind_the_last_wanted_one_count_for_the_way(walker: Walker) -> None:
    wanted = plain_data_set()[:-76]
    later = text(0x0032_1060, "LO", "later") + sequence(0x0040_0275, item(text(0x0040_0007, "LO", "x")))
    assert walker.takes(dicom_file(wanted + later + element(0x7FDF_0010, "LO", b"last")))
    assert not walker.takes(dicom_file(wanted + later + element(0x7FDF_0010, "LO", b"last", length=6)))
    assert not walker.takes(dicom_file(wanted + later + text(0x0032_1060, "LO", "again")))


@every_layout
def test_group_lengths_are_elements(walker: Walker, encoding: Encoding) -> None:
    length = element(0x0008_0000, "UL", length_bytes(40, encoding), encoding)
    more = element(0x0010_0000, "UL", length_bytes(99, encoding), encoding)
    date = text(STUDY_DATE, "DA", "20240229", encoding)
    patient = text(PATIENT_ID, "LO", "ID 1", encoding)
    data = in_layout(encoding, length, date, more, patient)
    assert walker.taken_values(data) == {STUDY_DATE: b"20240229", PATIENT_ID: b"ID 1"}
    wrong = element(0x0008_0000, "UL", bytes(6), encoding)
    assert not walker.takes(in_layout(encoding, wrong, date, patient))
    wrong = element(0x0010_0000, "UL", bytes(6), encoding)
    assert not walker.takes(in_layout(encoding, date, wrong, patient))
    assert walker.takes(in_layout(encoding, text(SOP_UID, "UI", "1.2", encoding), date, wrong, patient))


@every_layout
def test_a_data_set_begins_with_a_known_element_that_leads_to_another(walker: Walker, encoding: Encoding) -> None:
    date = text(STUDY_DATE, "DA", "20240229", encoding)
    patient = text(PATIENT_ID, "LO", "ID 1", encoding)
    unknown = text(0x0008_000B, "LO", "unknown", encoding)
    private = text(0x0007_0010, "LO", "MAKER", encoding)
    empty_sequence = sequence(0x0008_0006, encoding=encoding)
    assert walker.takes(in_layout(encoding, date))
    assert walker.takes(in_layout(encoding, date, patient))
    assert walker.takes(in_layout(encoding, date, sequence(0x0008_1115, encoding=encoding), patient))
    for first in (unknown, private, empty_sequence, patient):
        assert not walker.takes(in_layout(encoding, first, date, patient))


def test_a_layout_that_the_data_contradicts_is_left(walker: Walker) -> None:
    uids = {EXPLICIT_LITTLE: EXPLICIT_UID, IMPLICIT_LITTLE: IMPLICIT_UID, EXPLICIT_BIG: BIG_UID}
    for encoding in LAYOUTS:
        for declared, uid in uids.items():
            assert walker.takes(dicom_file(plain_data_set(encoding), uid)) == (declared is encoding)
        assert not walker.takes(dicom_file(plain_data_set(encoding), DEFLATED_UID))


def test_a_file_without_a_data_set_is_left(walker: Walker) -> None:
    whole = bytes(128) + b"DICM" + file_meta()
    assert not any(walker.takes(whole[:cut]) for cut in range(len(whole) + 1))


def test_values_as_long_as_a_block_are_taken_or_left_but_never_cut(walker: Walker) -> None:
    for length in (4000, 5000, 16_000, 16_384, 16_386, 65_534):
        walker.takes(dicom_file(START + element(PATIENT_ID, "LO", b"I" * length) + END[12:]))
    assert walker.takes(dicom_file(START + element(PATIENT_ID, "LO", b"I" * 4000) + END[12:]))

"""Sequences and items: passed whole, nothing in them taken, and left to the careful reader if not by the book."""

import pytest

from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicom_pipeline_tests.dicom.scanner.test_walk import END, LAYOUTS, START, every_layout, in_layout
from dicom_pipeline_tests.dicom.scanner.walks import Walker
from dicom_pipeline_tests.dicom.streams import (
    MODALITY,
    PATIENT_ID,
    SERIES_SEQUENCE,
    SOP_CLASS,
    SOP_UID,
    UNDEFINED,
    delimiter,
    dicom_file,
    element,
    item,
    sequence,
    tag_bytes,
    text,
)

DECOYS = (MODALITY, PATIENT_ID, 0x0020_000D, 0x0028_0010)
DEEPEST = 31
"""Sequences of undefined length in each other, with their items, that fit into a walk's memory."""


def decoys(encoding: Encoding) -> bytes:
    return b"".join(text(tag, "LO", "decoy", encoding) for tag in DECOYS)


def around(encoding: Encoding, *inside: bytes) -> bytes:
    start = text(SOP_CLASS, "UI", "1.2", encoding) + text(SOP_UID, "UI", "1.2.3", encoding)
    return in_layout(encoding, start, *inside, text(PATIENT_ID, "LO", "true", encoding))


@every_layout
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("defined_items", [True, False])
def test_nothing_inside_a_sequence_is_taken(
    walker: Walker, encoding: Encoding, defined: bool, defined_items: bool
) -> None:
    content = decoys(encoding)
    for tag in (0x0008_1200, 0x0009_1001, 0x000C_0001):
        for _ in range(4):
            inner = sequence(0x0028_9001, item(content, encoding), encoding=encoding, defined=defined)
            content = decoys(encoding) + inner
        items = [item(content, encoding, defined=defined_items), item(b"", encoding, defined=defined_items)]
        data = around(encoding, sequence(tag, *items, encoding=encoding, defined=defined))
        assert walker.taken_values(data) == {SOP_CLASS: b"1.2\0", SOP_UID: b"1.2.3\0", PATIENT_ID: b"true"}


@every_layout
def test_an_empty_sequence_of_undefined_length_is_passed(walker: Walker, encoding: Encoding) -> None:
    assert walker.takes(around(encoding, sequence(SERIES_SEQUENCE, encoding=encoding)))


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG])
def test_the_content_of_unknown_elements_has_no_vrs(walker: Walker, encoding: Encoding) -> None:
    for inner, is_taken in ((IMPLICIT_LITTLE, True), (EXPLICIT_LITTLE, False), (EXPLICIT_BIG, False)):
        head = element(0x0009_1001, "UN", b"", encoding, UNDEFINED)
        nested = sequence(0x0008_1115, item(decoys(inner), inner), encoding=inner)
        content = item(nested, inner)
        data = around(encoding, head + content + delimiter(0xFFFE_E0DD, inner))
        assert walker.takes(data) == is_taken


def test_an_unknown_element_of_defined_length_is_opaque(walker: Walker) -> None:
    assert walker.takes(around(EXPLICIT_LITTLE, element(0x0009_1001, "UN", decoys(EXPLICIT_LITTLE))))


@every_layout
def test_depth_is_bounded(walker: Walker, encoding: Encoding) -> None:
    for levels in (DEEPEST, DEEPEST + 1, 200):
        content = decoys(encoding)
        for _ in range(levels):
            content = sequence(0x0008_1115, item(content, encoding), encoding=encoding)
        assert walker.takes(around(encoding, content)) == (levels <= DEEPEST)


def test_an_item_is_the_last_thing_that_may_be_opened(walker: Walker) -> None:
    inner = sequence(0x0008_1115)
    for _ in range(DEEPEST):
        inner = sequence(0x0008_1115, item(inner))
    assert walker.takes(around(EXPLICIT_LITTLE, inner))
    assert not walker.takes(around(EXPLICIT_LITTLE, sequence(0x0008_1115, item(inner))))


OPEN = element(SERIES_SEQUENCE, "SQ", b"", length=UNDEFINED)
ITEM = tag_bytes(0xFFFE_E000) + b"\xff\xff\xff\xff"
END_ITEM, END_SEQUENCE = delimiter(0xFFFE_E00D), delimiter(0xFFFE_E0DD)
INSIDE = text(MODALITY, "CS", "MR") + text(0x0008_103E, "LO", "inside")


def test_delimiters_close_what_is_open(walker: Walker) -> None:
    assert walker.takes(dicom_file(START + OPEN + ITEM + INSIDE + END_ITEM + END_SEQUENCE + END))
    with_length = END_SEQUENCE[:4] + b"\x08\0\0\0"
    assert walker.takes(dicom_file(START + OPEN + ITEM + INSIDE + END_ITEM + with_length + END))


@pytest.mark.parametrize(
    "nested",
    [
        OPEN + END_ITEM + END_SEQUENCE,
        OPEN + ITEM + INSIDE + END_ITEM + END_ITEM + END_SEQUENCE,
        OPEN + ITEM + INSIDE + END_SEQUENCE + END_SEQUENCE,
        OPEN + ITEM + INSIDE + END_SEQUENCE,
        OPEN + ITEM + INSIDE + END_SEQUENCE + END_ITEM + END_SEQUENCE,
        OPEN + ITEM + INSIDE + END_ITEM,
        OPEN + ITEM + INSIDE,
        OPEN,
        OPEN + INSIDE + END_SEQUENCE,
        OPEN + INSIDE + END_ITEM,
        OPEN + INSIDE + END_ITEM + END_SEQUENCE,
        OPEN + ITEM + ITEM + INSIDE + END_ITEM + END_ITEM + END_SEQUENCE,
        OPEN + ITEM + INSIDE + INSIDE + END_ITEM + END_SEQUENCE,
        OPEN + ITEM + text(0x0008_103E, "LO", "x") + text(MODALITY, "CS", "MR") + END_ITEM + END_SEQUENCE,
        OPEN + tag_bytes(0xFFFE_E000) + b"\xfe\xff\xff\xff" + INSIDE + END_SEQUENCE,
        OPEN + ITEM + element(MODALITY, "XX", b"MR") + END_ITEM + END_SEQUENCE,
        OPEN + ITEM + element(MODALITY, "CS", b"MR", length=0xFFFF) + END_ITEM + END_SEQUENCE,
        OPEN + ITEM + INSIDE + delimiter(0xFFFE_E0FF) + END_ITEM + END_SEQUENCE,
        OPEN + delimiter(0xFFFE_E0FF) + END_SEQUENCE,
    ],
)
def test_sequences_that_are_not_by_the_book_are_left(walker: Walker, nested: bytes) -> None:
    for tail in (END, b""):
        assert not walker.takes(dicom_file(START + nested + tail))


@every_layout
def test_pixel_data_of_an_item_ends_no_walk(walker: Walker, encoding: Encoding) -> None:
    icon = text(PATIENT_ID, "LO", "decoy", encoding) + element(0x7FE0_0010, "OW", bytes(20_000), encoding)
    whole = around(encoding, sequence(SERIES_SEQUENCE, item(icon, encoding, defined=False), encoding=encoding))
    assert walker.taken_values(whole)[PATIENT_ID] == b"true"
    assert not walker.takes(whole[:-100])


@every_layout
def test_tags_go_on_ascending_behind_a_sequence(walker: Walker, encoding: Encoding) -> None:
    closed = sequence(SERIES_SEQUENCE, item(decoys(encoding), encoding), encoding=encoding)
    assert not walker.takes(around(encoding, closed, text(MODALITY, "CS", "CT", encoding)))
    assert not walker.takes(around(encoding, closed, closed))
    assert walker.takes(around(encoding, closed, text(0x0008_1155, "UI", "1.2", encoding)))


def test_a_sequence_of_another_byte_order_is_left(walker: Walker) -> None:
    for encoding in LAYOUTS:
        other = EXPLICIT_LITTLE if encoding is EXPLICIT_BIG else EXPLICIT_BIG
        assert not walker.takes(around(encoding, sequence(SERIES_SEQUENCE, item(b"", other), encoding=encoding)))

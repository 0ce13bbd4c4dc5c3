"""What stands before the data set: preamble, File Meta Information, and the layout that it declares."""

import pytest

from dicom_pipeline.dicom.element_header import IMPLICIT_LITTLE
from dicom_pipeline_tests.dicom.scanner.walks import Walker
from dicom_pipeline_tests.dicom.streams import (
    BIG_UID,
    EXPLICIT_UID,
    IMPLICIT_UID,
    PREAMBLE,
    dicom_file,
    element,
    file_meta,
    length_bytes,
    plain_data_set,
    text,
)

DATA_SET = plain_data_set()
VERSION = element(0x0002_0001, "OB", b"\0\1")
SYNTAX = text(0x0002_0010, "UI", EXPLICIT_UID)


def with_meta(*elements: bytes, group_length: int | None = None) -> bytes:
    body = b"".join(elements)
    length = length_bytes(len(body) if group_length is None else group_length)
    return PREAMBLE + b"DICM" + element(0x0002_0000, "UL", length) + body + DATA_SET


@pytest.mark.parametrize(
    "meta",
    [
        [VERSION, SYNTAX],
        [SYNTAX],
        [SYNTAX, text(0x0002_0012, "UI", "1.2.3"), element(0x0002_0013, "SH", b"V1")],
        [SYNTAX, VERSION],
        [text(0x0002_0010, "UI", IMPLICIT_UID), SYNTAX],
        [element(0x0002_0010, "LO", EXPLICIT_UID.encode() + b" \0 ")],
        [element(0x0002_0010, "UN", EXPLICIT_UID.encode())],
        [text(0x0002_0010, "UI", "1.2.3.4.5")],
        [VERSION, SYNTAX, element(0x0002_0102, "OB", bytes(2000))],
    ],
)
def test_file_meta_by_the_book_is_passed(walker: Walker, meta: list[bytes]) -> None:
    assert walker.takes(with_meta(*meta))


def test_the_last_of_several_transfer_syntaxes_counts(walker: Walker) -> None:
    header = walker.header(with_meta(text(0x0002_0010, "UI", "1.2.3.4"), SYNTAX))
    assert header is not None
    assert header.transfer_syntax_uid == EXPLICIT_UID


@pytest.mark.parametrize(
    "meta",
    [
        [VERSION],
        [text(0x0002_0010, "UI", "")],
        [text(0x0002_0010, "UI", " " + EXPLICIT_UID)],
        [text(0x0002_0010, "UI", EXPLICIT_UID + "X")],
        [text(0x0002_0010, "UI", "1" * 65)],
        [element(0x0002_0010, "UI", b"\xff" + EXPLICIT_UID.encode())],
        [element(0x0002_0010, "SQ", EXPLICIT_UID.encode())],
        [SYNTAX, element(0x0002_0010, "SQ", b"")],
        [SYNTAX, element(0x0002_0010, "SQ", b"", length=0xFFFF_FFFF)],
        [VERSION, SYNTAX, element(0x0002_0099, "LO", b"unknown ")],
        [element(0x0002_0099, "LO", b"unknown "), SYNTAX],
        [VERSION, SYNTAX, element(0x0002_0102, "OB", b"", length=0xFFFF_FFFF)],
        [VERSION, SYNTAX, element(0x0002_0102, "OB", b"", length=0x7FFF_FFFF)],
        [VERSION, SYNTAX, element(0x0002_0102, "XX", b"")],
        [text(0x0002_0010, "UI", EXPLICIT_UID, IMPLICIT_LITTLE)],
        [VERSION, SYNTAX, element(0x0000_0002, "UI", b"1.2.3\0")],
        [VERSION, SYNTAX, *[element(0x0002_0012, "UI", b"1.2.3\0")] * 300],
    ],
)
def test_file_meta_that_has_to_be_weighed_is_left(walker: Walker, meta: list[bytes]) -> None:
    assert not walker.takes(with_meta(*meta))


def test_the_elements_of_file_meta_are_bounded(walker: Walker) -> None:
    some = [element(0x0002_0012, "UI", b"1.2.3\0")]
    assert walker.takes(with_meta(SYNTAX, *some * 253))
    assert not walker.takes(with_meta(SYNTAX, *some * 254))


@pytest.mark.parametrize("group_length", [0, 1, 10, 28, 29, 1000, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_the_length_of_file_meta_is_not_believed(walker: Walker, group_length: int) -> None:
    assert walker.takes(with_meta(SYNTAX, group_length=group_length))


def test_a_transfer_syntax_in_the_data_set_is_none(walker: Walker) -> None:
    early = element(0x0001_0000, "UL", length_bytes(14)) + text(0x0002_0010, "UI", IMPLICIT_UID)
    header = walker.header(dicom_file(early + DATA_SET))
    assert header is None or header.transfer_syntax_uid == EXPLICIT_UID


def test_file_meta_needs_no_group_length(walker: Walker) -> None:
    assert walker.takes(PREAMBLE + b"DICM" + VERSION + SYNTAX + DATA_SET)


def test_a_file_without_preamble_prefix_or_file_meta_is_left(walker: Walker) -> None:
    whole = dicom_file(DATA_SET)
    for data in (whole[128:], DATA_SET, PREAMBLE + DATA_SET, PREAMBLE + b"DICM" + DATA_SET, b"", whole[:100]):
        assert not walker.takes(data)
    assert not walker.takes(PREAMBLE + b"DICN" + file_meta() + DATA_SET)


def test_any_preamble_will_do(walker: Walker) -> None:
    assert walker.takes(bytes(range(128)) + dicom_file(DATA_SET)[128:])


@pytest.mark.parametrize("uid", [IMPLICIT_UID, BIG_UID, "1.2.840.113619.5.2", "1.2.840.10008.1.2.1.99"])
def test_a_syntax_counts_whole_and_not_by_its_beginning(walker: Walker, uid: str) -> None:
    for near in (uid + ".1", uid[:-1], uid[:-1] + "7"):
        if near not in (EXPLICIT_UID, IMPLICIT_UID):
            assert walker.takes(dicom_file(DATA_SET, near))
    assert not walker.takes(dicom_file(DATA_SET, uid))


def test_the_private_syntax_of_implicit_vr_is_known(walker: Walker) -> None:
    assert walker.takes(dicom_file(plain_data_set(IMPLICIT_LITTLE), "1.2.840.113619.5.2"))

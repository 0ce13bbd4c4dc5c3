"""Headers and values at the end of the first block, across it, and far behind it."""

from pathlib import Path

import pytest

from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicom_pipeline.dicom.source import BLOCK_SIZE
from dicom_pipeline_tests.dicom.scanner.batches import scanned, scanner_names
from dicom_pipeline_tests.dicom.scanner.test_walk import START, every_layout, in_layout
from dicom_pipeline_tests.dicom.scanner.walks import Walker
from dicom_pipeline_tests.dicom.streams import (
    PATIENT_ID,
    PIXEL_DATA,
    SERIES_UID,
    SOP_CLASS,
    SOP_UID,
    UID_OF,
    dicom_file,
    element,
    file_meta,
    item,
    read,
    sequence,
    text,
)

FILLER = 0x0009_1001


def up_to(position: int, encoding: Encoding) -> bytes:
    """The beginning of a file whose next element stands at a position."""
    start = text(SOP_CLASS, "UI", "1.2", encoding) + text(SOP_UID, "UI", "1.2.3", encoding)
    empty = in_layout(encoding, start, element(FILLER, "OB", b"", encoding))
    return in_layout(encoding, start, element(FILLER, "OB", bytes(position - len(empty)), encoding))


@every_layout
@pytest.mark.parametrize("block", [1, 2])
def test_an_element_may_lie_anywhere_around_the_end_of_a_block(walker: Walker, encoding: Encoding, block: int) -> None:
    later = text(SERIES_UID, "UI", "1.2.3.4", encoding) + element(PIXEL_DATA, "OW", bytes(30), encoding)
    for position in range(block * BLOCK_SIZE - 40, block * BLOCK_SIZE + 5):
        data = up_to(position, encoding) + text(PATIENT_ID, "LO", "PATIENT 1", encoding) + later
        found = walker.taken_values(data)
        assert (found[PATIENT_ID], found[SERIES_UID]) == (b"PATIENT 1 ", b"1.2.3.4\0")


@every_layout
@pytest.mark.parametrize("name", scanner_names())
def test_files_on_disk_are_fetched_block_by_block(tmp_path: Path, name: str, encoding: Encoding) -> None:
    files = []
    for block in (1, 2, 3):
        decoy = sequence(0x0010_0001, item(text(PATIENT_ID, "LO", "decoy", encoding), encoding), encoding=encoding)
        ends = (text(SERIES_UID, "UI", "1.2.3.4", encoding), element(PIXEL_DATA, "OW", b"", encoding), b"")
        for position in range(block * BLOCK_SIZE - 60, block * BLOCK_SIZE + 5):
            start = up_to(position, encoding) + decoy * (position % 2)
            files.append(start + text(PATIENT_ID, "LO", "PATIENT 1", encoding) + ends[position % 3])
    assert scanned(name, tmp_path, files) == [read(data) for data in files]


@every_layout
def test_a_file_may_end_anywhere_around_the_end_of_a_block(walker: Walker, encoding: Encoding) -> None:
    for position in range(BLOCK_SIZE - 20, BLOCK_SIZE + 5):
        assert walker.takes(up_to(position, encoding))
        assert not walker.takes(up_to(position, encoding) + b"\x10")
        assert not walker.takes(up_to(position, encoding)[:-1])


@every_layout
def test_a_sequence_may_lie_across_the_end_of_a_block(walker: Walker, encoding: Encoding) -> None:
    decoy = item(text(PATIENT_ID, "LO", "decoy", encoding), encoding)
    nested = sequence(0x0010_0001, decoy, decoy, encoding=encoding)
    for position in range(BLOCK_SIZE - len(nested) - 5, BLOCK_SIZE + 5, 3):
        data = up_to(position, encoding) + nested + text(PATIENT_ID, "LO", "true", encoding)
        assert walker.taken_values(data)[PATIENT_ID] == b"true"


@every_layout
def test_values_far_behind_are_found(walker: Walker, encoding: Encoding) -> None:
    data = up_to(300_001, encoding) + text(PATIENT_ID, "LO", "far", encoding)
    data += element(0x0019_1001, "OB", bytes(200_000), encoding) + text(SERIES_UID, "UI", "1.2.3.4", encoding)
    found = walker.taken_values(data)
    assert (found[PATIENT_ID], found[SERIES_UID]) == (b"far ", b"1.2.3.4\0")


def test_a_long_value_across_the_end_of_a_block_is_whole(walker: Walker) -> None:
    value = bytes(range(65, 91)) * 40
    data = up_to(BLOCK_SIZE - 500, EXPLICIT_LITTLE) + element(PATIENT_ID, "LO", value) + text(SERIES_UID, "UI", "1.2")
    assert walker.taken_values(data)[PATIENT_ID] == value


def test_file_meta_as_long_as_a_block_is_never_misread(walker: Walker) -> None:
    for position in (BLOCK_SIZE - 30, BLOCK_SIZE - 10, BLOCK_SIZE, BLOCK_SIZE + 10):
        meta = file_meta(UID_OF[IMPLICIT_LITTLE])
        filler = element(0x0002_0102, "OB", bytes(position - 132 - len(meta) - 12))
        data_set = text(SOP_UID, "UI", "1.2.3", IMPLICIT_LITTLE) + text(PATIENT_ID, "LO", "ID", IMPLICIT_LITTLE)
        walker.takes(bytes(128) + b"DICM" + meta + filler + data_set)


def test_many_values_need_no_more_room_than_there_is(walker: Walker) -> None:
    long = [element(tag, "LO", b"v" * 900) for tag in (0x0008_1030, 0x0008_103E, 0x0010_0010, PATIENT_ID)]
    assert walker.takes(dicom_file(START + b"".join(long)))
    data = up_to(BLOCK_SIZE, EXPLICIT_BIG) + element(PATIENT_ID, "LO", b"v" * 9000, EXPLICIT_BIG)
    walker.takes(data + text(SERIES_UID, "UI", "1.2", EXPLICIT_BIG))

"""What is walked together, and what has to go on alone: speed only, for both ways note the same."""

from random import Random

import numpy as np
import pytest

from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicom_pipeline.dicom.scanner.beginnings import find_beginnings, surely_begin
from dicom_pipeline.dicom.scanner.files import empty_noted
from dicom_pipeline.dicom.scanner.grammar import Layout
from dicom_pipeline.dicom.scanner.lockstep import Start, walk_together
from dicom_pipeline.dicom.scanner.noted import Noted, Status
from dicom_pipeline.dicom.scanner.straight import begins
from dicom_pipeline.dicom.scanner.window import Window
from dicom_pipeline.dicom.source import BLOCK_SIZE
from dicom_pipeline_tests.dicom.scanner.test_walk import END, START, in_layout
from dicom_pipeline_tests.dicom.streams import (
    BIG_UID,
    PATIENT_ID,
    PIXEL_DATA,
    SERIES_SEQUENCE,
    dicom_file,
    element,
    item,
    plain_data_set,
    sequence,
    text,
)
from dicom_pipeline_tests.fuzz.generate import made_up_file

COPIES = 20
little_endian = pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE], ids=["explicit", "implicit"])


def noted_blocks(files: list[bytes]) -> Noted:
    """Return the first blocks of files, nothing noted of them yet."""
    noted = empty_noted(len(files), np.zeros(len(files) * BLOCK_SIZE, np.uint8))
    for number, data in enumerate(files):
        block = np.frombuffer(data[:BLOCK_SIZE], np.uint8)
        noted.buffer[number * BLOCK_SIZE : number * BLOCK_SIZE + len(block)] = block
        noted.sizes[number] = len(data)
    return noted


def left_alone(data: bytes) -> list[Start]:
    """Walk over copies of a file together, and return where they have to go on alone; all others are PLAIN."""
    noted = noted_blocks([data] * COPIES)
    begun = find_beginnings(noted, np.arange(COPIES))
    assert len(begun.file) == COPIES
    starts = walk_together(noted, begun)
    alone = {start.file for start in starts}
    assert [number in alone for number in range(COPIES)] == (noted.status != Status.PLAIN).tolist()
    return starts


def nested(encoding: Encoding, defined_items: bool) -> bytes:
    content = text(PATIENT_ID, "LO", "decoy", encoding) + element(PIXEL_DATA, "OB", bytes(8), encoding)
    for _ in range(4):
        inner = sequence(SERIES_SEQUENCE, item(content, encoding, defined=defined_items), encoding=encoding)
        content = inner + text(PATIENT_ID, "LO", "decoy", encoding)
    return sequence(SERIES_SEQUENCE, item(content, encoding), item(b"", encoding), encoding=encoding)


@little_endian
@pytest.mark.parametrize("defined_items", [True, False])
def test_what_is_nested_is_passed_together(encoding: Encoding, defined_items: bool) -> None:
    start = text(0x0008_0016, "UI", "1.2", encoding) + text(0x0008_0018, "UI", "1.2.3", encoding)
    end = text(PATIENT_ID, "LO", "ID 1", encoding)
    for pixels in (element(PIXEL_DATA, "OW", bytes(64), encoding), b""):
        assert left_alone(in_layout(encoding, start, nested(encoding, defined_items), end, pixels)) == []


def test_a_file_goes_on_alone_before_the_element_that_is_not_passed() -> None:
    filler = element(0x0008_1030, "OB", bytes(BLOCK_SIZE - 400))
    for last in (nested(EXPLICIT_LITTLE, False), element(0x0008_1111, "OB", bytes(BLOCK_SIZE))):
        data = dicom_file(START + filler + last)
        position = len(data) - len(last)
        starts = left_alone(data)
        assert starts == [Start(number, position, Layout.EXPLICIT_LITTLE, 0x0008_1030) for number in range(COPIES)]


def test_big_endian_goes_alone_from_the_beginning() -> None:
    data = dicom_file(plain_data_set(EXPLICIT_BIG), BIG_UID)
    position = len(data) - len(plain_data_set(EXPLICIT_BIG))
    assert left_alone(data) == [Start(number, position, Layout.EXPLICIT_BIG, -1) for number in range(COPIES)]


def test_what_surely_begins_begins() -> None:
    random = Random(11)
    files = [made_up_file(random) for _ in range(400)] + [dicom_file(START + END)] * COPIES
    files = [damaged(random, data) if number % 2 else data for number, data in enumerate(files)]
    noted = noted_blocks(files)
    found = find_beginnings(noted, np.arange(len(files)))
    sure = surely_begin(noted, found)
    assert 100 < sure.sum() < len(files)
    for file, at, layout in zip(*(row[sure].tolist() for row in (found.file, found.at, found.layout)), strict=True):
        window = Window(files[file][:BLOCK_SIZE], len(files[file]), whole=True, fetch=None)
        assert begins(window, at - file * BLOCK_SIZE, Layout(layout))


def damaged(random: Random, data: bytes) -> bytes:
    """Return a file with another byte near the beginning of its data set."""
    changed = bytearray(data)
    changed[min(len(data) - 1, random.randrange(200, 400))] = random.randrange(256)
    return bytes(changed)

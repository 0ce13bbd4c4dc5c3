"""Many different files in one scan: none of them changes what is noted of another."""

from random import Random

from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, IMPLICIT_LITTLE
from dicom_pipeline.dicom.header import HeaderError
from dicom_pipeline.dicom.source import BLOCK_SIZE
from dicom_pipeline_tests.dicom.scanner.walks import Walker
from dicom_pipeline_tests.dicom.streams import (
    BIG_UID,
    IMPLICIT_UID,
    PATIENT_ID,
    SOP_UID,
    dicom_file,
    element,
    plain_data_set,
    read,
    text,
)
from dicom_pipeline_tests.fuzz.generate import made_up_file


def test_a_batch_of_files_of_every_kind(walker: Walker) -> None:
    random = Random(8)
    files = [made_up_file(random) for _ in range(300)]
    files[::10] = [data[: random.randrange(len(data))] for data in files[::10]]
    taken = [(data, header) for data, header in zip(files, walker.headers(files), strict=True) if header is not None]
    assert len(taken) > 100
    assert all(header == read(data) for data, header in taken)


def test_layouts_lengths_and_ends_may_differ_from_file_to_file(walker: Walker) -> None:
    files = []
    for number in range(40):
        more = b"".join(text(0x0011_1000 + count, "LO", "x" * count) for count in range(number))
        end = element(0x0015_1001, "OB", bytes(BLOCK_SIZE)) if number % 3 == 0 else b""
        start = text(SOP_UID, "UI", f"1.2.{number}") + text(PATIENT_ID, "LO", f"ID {number}")
        files.append(dicom_file(start + more + end))
        files.append(dicom_file(plain_data_set(IMPLICIT_LITTLE), IMPLICIT_UID))
        files.append(dicom_file(plain_data_set(EXPLICIT_BIG), BIG_UID))
        files.append(b"no DICOM at all")
    headers = walker.headers(files)
    assert [header is None for header in headers] == [number % 4 == 3 for number in range(len(files))]
    assert all(header is None or header == read(data) for header, data in zip(headers, files, strict=True))


def test_a_batch_may_be_empty_or_hold_nothing_ordinary(walker: Walker) -> None:
    assert walker.headers([]) == []
    assert walker.headers([b"", b"x", bytes(500)] * 7) == [None] * 21


def test_long_values_cost_files_their_turn_but_never_their_values(walker: Walker) -> None:
    hostile = dicom_file(b"".join(element(tag, "LO", b"v" * 8000) for tag in (SOP_UID, PATIENT_ID)))
    files = [hostile] * 6 + [dicom_file(plain_data_set(EXPLICIT_BIG), BIG_UID)] * 30
    for data, header in zip(files, walker.headers(files), strict=True):
        assert header in (None, read(data))


def test_the_careful_reader_refuses_most_of_what_is_left(walker: Walker) -> None:
    random = Random(9)
    files = [dicom_file(plain_data_set())[: random.randrange(300)] for _ in range(40)]
    for data, header in zip(files, walker.headers(files), strict=True):
        try:
            assert header in (None, read(data))
        except HeaderError:
            assert header is None

"""Deflated data sets (PS3.5 A.5): inflated within bounds, in the careful reader's steps."""

import os
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest

from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.header import Header, HeaderError
from dicom_pipeline.dicom.scanner.inflated import HEADER_BYTES
from dicom_pipeline_tests.dicom.scanner.batches import batch_of, scan, scanned, scanner_names
from dicom_pipeline_tests.dicom.streams import (
    DEFLATED_UID,
    PATIENT_ID,
    PIXEL_DATA,
    PREAMBLE,
    SERIES_UID,
    SOP_UID,
    deflate,
    dicom_file,
    element,
    file_meta,
    plain_data_set,
    plain_values,
    read,
    text,
    values,
)
from dicom_pipeline_tests.fuzz.compare import write_files

START = text(SOP_UID, "UI", "1.2.3") + text(PATIENT_ID, "LO", "ID 1")


@pytest.fixture(params=scanner_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def deflated_file(data_set: bytes) -> bytes:
    return dicom_file(deflate(data_set), DEFLATED_UID)


def careful(data: bytes) -> Header | None:
    try:
        return read(data)
    except HeaderError:
        return None


def noise(count: int) -> bytes:
    """Bytes that deflate by half, so that they do not all fit into one step."""
    return bytes(Random(count).choices(range(16), k=count))


def check(name: str, folder: Path, files: list[bytes]) -> list[Header | None]:
    """Return what is noted of files on disk, which is what the careful reader says where they are taken."""
    headers = scanned(name, folder, files)
    for data, header in zip(files, headers, strict=True):
        assert header is None or header == careful(data)
    return headers


def test_small_deflated_files_are_taken(name: str, tmp_path: Path) -> None:
    whole = plain_data_set()
    for header in check(name, tmp_path, [deflated_file(whole), deflated_file(whole[:-76])]):
        assert header is not None
        assert header.little_endian
        assert header.transfer_syntax_uid == DEFLATED_UID
    assert values(check(name, tmp_path, [deflated_file(whole)])[0] or read(b"")) == plain_values()


@pytest.mark.parametrize("step", HEADER_BYTES)
def test_headers_are_inflated_in_two_steps(name: str, tmp_path: Path, step: int) -> None:
    files = []
    # The filler ends around the step, once exactly with it: there the data set only seems to end.
    for count in range(step - 120, step + 40, 6):
        filler = element(0x0011_1001, "OB", noise(count - len(START)))
        files.append(deflated_file(START + filler + text(SERIES_UID, "UI", "1.2.3.4")))
    headers = check(name, tmp_path, files)
    lasts = [header is not None for header in headers]
    assert all(lasts) if step == HEADER_BYTES[0] else lasts[0] and not lasts[-1]


def test_a_break_in_the_stream_is_seen_by_all_or_none(name: str, tmp_path: Path) -> None:
    whole = deflate(START + text(SERIES_UID, "UI", "1.2.3.4") + element(PIXEL_DATA, "OW", noise(60_000)))
    files = []
    for at in range(0, len(whole), 61):
        broken = bytearray(whole)
        broken[at] ^= 0x10
        files += [dicom_file(bytes(broken), DEFLATED_UID), dicom_file(whole[:at], DEFLATED_UID)]
    headers = check(name, tmp_path, files)
    assert 0 < headers.count(None) < len(headers)


def test_garbage_behind_the_stream_is_nobodys(name: str, tmp_path: Path) -> None:
    whole = deflated_file(plain_data_set()[:-76])
    assert None not in check(name, tmp_path, [whole + b"\0", whole + bytes(40_000)])


def test_a_stream_of_anything_else_is_left(name: str, tmp_path: Path) -> None:
    files = [
        dicom_file(raw, DEFLATED_UID) for raw in (b"", b"\0", plain_data_set(), deflate(b""), deflate(b"text" * 99))
    ]
    files += [dicom_file(Random(seed).randbytes(200), DEFLATED_UID) for seed in range(50)]
    assert set(check(name, tmp_path, files)) == {None}


def test_a_stream_that_looks_like_an_element_is_left(name: str, tmp_path: Path) -> None:
    file = deflated_file(START)
    assert deflate(START)[1] == 0x60, "a group of overlays"
    assert check(name, tmp_path, [file]) == [None]
    assert careful(file) is not None


def test_a_data_set_where_file_meta_says_that_it_ends_goes_before_a_deflated_one(name: str, tmp_path: Path) -> None:
    packed, meta = deflate(plain_data_set()), file_meta(DEFLATED_UID)
    stated = file_meta(DEFLATED_UID, group_length=len(meta) - 12 + len(packed))
    plain = text(SOP_UID, "UI", "1.2.9") + text(PATIENT_ID, "LO", "ID 9")
    files = [PREAMBLE + b"DICM" + head + packed + plain for head in (stated, meta)]
    headers = check(name, tmp_path, files)
    assert headers[0] is None
    assert headers[1] is not None
    assert values(read(files[0]))[PATIENT_ID] == b"ID 9"


def test_a_file_that_is_written_to_before_it_is_inflated_is_left(name: str, tmp_path: Path) -> None:
    files = batch_of(tmp_path, write_files(tmp_path, [deflated_file(plain_data_set())]))
    store = TouchingStore(tmp_path)
    assert scan(name, replace(files, store=store)) == [None]
    assert store.is_touched


class TouchingStore(LocalStore):
    """A store whose files somebody touches when they are opened as streams: after their first blocks were read."""

    is_touched = False

    def open(self, path: str) -> BinaryIO:
        stream = super().open(path)
        os.utime(stream.fileno(), ns=(0, 1))
        self.is_touched = True
        return stream


def test_a_bomb_costs_no_more_than_the_last_step(name: str, tmp_path: Path) -> None:
    bomb = element(0x0011_1001, "OB", bytes(60_000_000))
    assert check(name, tmp_path, [deflated_file(START + bomb + text(SERIES_UID, "UI", "1.2"))]) == [None]

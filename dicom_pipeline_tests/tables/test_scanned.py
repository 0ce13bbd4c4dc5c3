"""One batch of a listing through one scanner: which rows there are, and of which files."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.problems import VANISHED
from dicom_pipeline.dicom.records import OnInvalidValue
from dicom_pipeline.tables.listing import files_batch
from dicom_pipeline.tables.readers import PydicomMetadataReader, ReadJob
from dicom_pipeline.tables.scanned import Scanned, ScanReader
from dicom_pipeline_tests.dicom.streams import (
    MODALITY,
    PATIENT_ID,
    SERIES_UID,
    SOP_CLASS,
    SOP_UID,
    STUDY_DATE,
    dicom_file,
    element,
    length_bytes,
    text,
)
from dicom_pipeline_tests.fuzz.compare import CLOCK, all_scanners


@pytest.fixture(params=list(all_scanners()))
def reader(request: pytest.FixtureRequest) -> ScanReader:
    return ScanReader(all_scanners()[request.param])


def file(number: int, *, time: str = "101112", patient: str = "ID 1") -> bytes:
    """A file that is accepted, unless its time or patient is not."""
    return dicom_file(
        text(SOP_CLASS, "UI", "1.2.840.10008.5.1.4.1.1.2")
        + text(SOP_UID, "UI", f"1.2.3.{number}")
        + text(STUDY_DATE, "DA", "20240229")
        + text(0x0008_0030, "TM", time)
        + text(MODALITY, "CS", "CT")
        + text(PATIENT_ID, "LO", patient)
        + text(0x0020_000D, "UI", "1.2.3")
        + text(SERIES_UID, "UI", "1.2.3.4")
    )


def job(root: Path, policy: OnInvalidValue = OnInvalidValue.REJECT) -> ReadJob:
    return ReadJob(str(root), "tenant", policy, CLOCK)


def entry(root: Path, name: str, data: bytes) -> FileEntry:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    found = os.stat(path)
    return FileEntry(name, found.st_size, found.st_mtime_ns)


def read(reader: ScanReader, root: Path, entries: Sequence[FileEntry], policy: OnInvalidValue) -> Scanned:
    """Read a batch, and hold its rows to those of the careful reader."""
    scanned = reader.read(files_batch(entries), job(root, policy))
    careful = PydicomMetadataReader().read_batch([entries[place] for place in scanned.places], job(root, policy))
    assert scanned.rows.to_pylist() == careful.to_pylist()
    scanned.rows.validate(full=True)
    return scanned


@pytest.mark.parametrize("policy", list(OnInvalidValue))
def test_rows_of_every_kind_come_in_the_order_of_the_files(
    reader: ScanReader, tmp_path: Path, policy: OnInvalidValue
) -> None:
    kinds = [{}, {"time": "leap"}, {"patient": ""}, {"time": "235960"}, {}]
    entries = [entry(tmp_path, f"{number}", file(number, **kinds[number % 5])) for number in range(40)]
    entries[7:7] = [FileEntry("gone", None, None, VANISHED)]
    scanned = read(reader, tmp_path, entries, policy)
    assert scanned.places.tolist() == list(range(41))
    assert scanned.files == 40
    rejected = {OnInvalidValue.REJECT: 17, OnInvalidValue.NULL: 9}[policy]
    assert scanned.rows.column("outcome").to_pylist().count("rejected") == rejected


def test_files_that_are_not_ordinary_have_no_row(reader: ScanReader, tmp_path: Path) -> None:
    entries = [
        entry(tmp_path, "0", b"no DICOM"),
        entry(tmp_path, "1", file(1)),
        FileEntry("2", 10, 10),
        FileEntry("3", None, None, VANISHED),
        entry(tmp_path, "4", file(4)[:-3]),
    ]
    scanned = read(reader, tmp_path, entries, OnInvalidValue.REJECT)
    assert scanned.places.tolist() == [1, 3]
    assert scanned.files == 1


def test_what_the_listing_does_not_say_of_a_file_is_not_held_against_it(reader: ScanReader, tmp_path: Path) -> None:
    known = entry(tmp_path, "a", file(1))
    entries = [
        FileEntry("a", None, known.mtime_ns),
        FileEntry("a", known.size, None),
        FileEntry("a", None, None),
        known,
        FileEntry("a", None, 5),
        FileEntry("a", 5, None),
    ]
    scanned = read(reader, tmp_path, entries, OnInvalidValue.REJECT)
    assert scanned.places.tolist() == [0, 1, 2, 3]
    assert scanned.rows.column("space_size").to_pylist() == [known.size] * 4


def test_names_that_are_not_utf_8_are_found(reader: ScanReader, tmp_path: Path) -> None:
    entries = [entry(tmp_path, name, file(1)) for name in ("\udcff\udcfe", "d/\udce9", "plain", "\u2603")]
    assert read(reader, tmp_path, entries, OnInvalidValue.REJECT).files == 4


def test_nothing_ordinary_gives_no_rows(reader: ScanReader, tmp_path: Path) -> None:
    assert read(reader, tmp_path, [], OnInvalidValue.REJECT).rows.num_rows == 0
    assert read(reader, tmp_path, [entry(tmp_path, "0", b"")], OnInvalidValue.REJECT).rows.num_rows == 0
    gone = FileEntry("gone", None, None, VANISHED)
    assert read(reader, tmp_path, [gone], OnInvalidValue.REJECT).places.tolist() == [0]


def test_a_slice_of_a_listing_is_read_as_it_is(reader: ScanReader, tmp_path: Path) -> None:
    entries = [entry(tmp_path, f"{number}", file(number)) for number in range(9)]
    rows = reader.read(files_batch(entries).slice(3, 4), job(tmp_path)).rows
    assert rows.column("path").to_pylist() == ["3", "4", "5", "6"]
    assert rows.column("sop_uid").to_pylist() == ["1.2.3.3", "1.2.3.4", "1.2.3.5", "1.2.3.6"]


def test_values_of_one_file_are_never_those_of_the_next(reader: ScanReader, tmp_path: Path) -> None:
    """Values that repeat from file to file are read once: not so if only their beginning or VR repeats."""
    names = ["A" * count for count in (1, 8, 9, 16, 255, 64, 64)] + ["A" * 63 + "B", "\xe9", "\xe9", "", "A"]
    charsets = ["ISO_IR 100", "ISO_IR 192"] * 6
    entries = []
    for number, (name, charset) in enumerate(zip(names, charsets, strict=True)):
        start = dicom_file(text(0x0008_0005, "CS", charset) + file(number)[len(dicom_file(b"")) :])
        numbers = element(0x0028_0010, "UL" if number % 2 else "US", length_bytes(7)) + text(0x0028_0011, "IS", "7")
        data = start.replace(
            text(PATIENT_ID, "LO", "ID 1"), text(0x0010_0010, "PN", name) + text(PATIENT_ID, "LO", "1")
        )
        entries.append(entry(tmp_path, f"{number}", data + numbers))
    for policy in OnInvalidValue:
        assert read(reader, tmp_path, entries, policy).files == len(names)

import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.header import HeaderError
from dicom_pipeline.dicom.pydicom_reader import PydicomReader
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.tables import readers
from dicom_pipeline.tables.readers import PydicomMetadataReader, scanner_named
from dicom_pipeline_tests.tables.made_rows import job, record, write_dicom


def listed(path: Path, root: Path) -> FileEntry:
    status = path.stat()
    return FileEntry(os.path.relpath(path, root), status.st_size, status.st_mtime_ns)


def read(root: Path, *entries: FileEntry) -> list[dict[str, Any]]:
    batch = PydicomMetadataReader().read_batch(entries, job(root))
    batch.validate(full=True)
    return batch.to_pylist()


def one_good_and_its_entry(root: Path) -> FileEntry:
    write_dicom(root / "good.dcm")
    return listed(root / "good.dcm", root)


def test_a_file_is_read_and_typed(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", Rows=5, InstanceNumber=3)
    entry = listed(tmp_path / "a.dcm", tmp_path)
    row = read(tmp_path, entry)[0]
    assert (row["path"], row["outcome"], row["reason"], row["field"]) == ("a.dcm", "accepted", None, None)
    assert (row["width"], row["instance_number"], row["sop_uid"]) == (5, 3, "1.2.3.4.5")
    assert row["file_size"] == row["space_size"] == entry.size


def _vanished(path: Path) -> None:
    path.unlink()


def _grown(path: Path) -> None:
    before = path.stat()
    path.write_bytes(path.read_bytes() + b"\0\0")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _touched(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _socket(path: Path) -> None:
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's name has to be short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (_vanished, "Vanished"),
        (_grown, "Changed"),
        (_touched, "Changed"),
        (_pipe, "NotAFile"),
        (_directory, "NotAFile"),
        (_socket, "NotAFile"),
    ],
)
def test_what_happens_between_listing_and_reading(tmp_path: Path, happens: Callable[[Path], None], reason: str) -> None:
    good = one_good_and_its_entry(tmp_path)
    write_dicom(tmp_path / "other.dcm")
    entry = listed(tmp_path / "other.dcm", tmp_path)
    happens(tmp_path / "other.dcm")
    rows = read(tmp_path, good, entry, good)
    assert [row["reason"] for row in rows] == [None, reason, None]
    assert rows[1]["file_size"] == entry.size
    assert all(rows[1][field.name] is None for field in HEADER_FIELDS)


def test_a_file_written_while_it_is_read_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = one_good_and_its_entry(tmp_path)
    original = PydicomReader.read

    def read_slowly(self: PydicomReader, stream: BinaryIO, size: int) -> object:
        header = original(self, stream, size)
        _grown(tmp_path / "good.dcm")
        return header

    monkeypatch.setattr(PydicomReader, "read", read_slowly)
    assert read(tmp_path, good)[0]["reason"] == "Changed"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "EmptyFile"), (b"a note about the scan\n" * 20, "NotDicom"), (b"\0" * 128 + b"DICM", None)],
)
def test_content_decides_what_a_file_is(tmp_path: Path, content: bytes, reason: str | None) -> None:
    (tmp_path / "scan.dcm").write_bytes(content)
    found = read(tmp_path, listed(tmp_path / "scan.dcm", tmp_path))[0]
    assert found["outcome"] == "rejected"
    assert reason is None or found["reason"] == reason


def test_a_defect_is_told_with_its_attribute(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", PatientID="")
    row = read(tmp_path, listed(tmp_path / "a.dcm", tmp_path))[0]
    assert (row["reason"], row["field"]) == ("MissingRequiredField", "PatientID")


def test_an_entry_with_a_problem_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalStore, "open", lambda *_: pytest.fail("opened"))
    rows = read(tmp_path, FileEntry("a", None, None, "LinkOutsideArchive"), FileEntry("b", None, None, "NotAFile"))
    assert [row["reason"] for row in rows] == ["LinkOutsideArchive", "NotAFile"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "denied"), "PermissionDenied"),
        (OSError(5, "input/output error"), "ReadError"),
        (OSError(116, "stale file handle"), "ReadError"),
        (HeaderError(Reason.LIMIT_EXCEEDED), "LimitExceeded"),
        (MemoryError(), "LimitExceeded"),
        (RecursionError(), "Unreadable"),
        (ValueError("Doe^Jane"), "Unreadable"),
        (AssertionError(), "Unreadable"),
    ],
)
def test_no_error_leaves_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    good = one_good_and_its_entry(tmp_path)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(PydicomReader, "read", fail)
    assert [row["reason"] for row in read(tmp_path, good, good)] == [reason, reason]


@pytest.mark.parametrize("value", ["\udcff", 2**31, b"x"])
def test_a_value_no_column_holds_costs_its_own_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    good = one_good_and_its_entry(tmp_path)
    made = iter([record("1"), record("2", instance_number=value), record("3")])
    monkeypatch.setattr(readers, "build_record", lambda *_, **__: next(made))
    assert [row["reason"] for row in read(tmp_path, good, good, good)] == [None, "Unreadable", None]


@pytest.mark.parametrize("name", ["a b.dcm", "new\nline", "\udcff\udcfe.dcm", "ü", "-"])
def test_any_name_is_opened(tmp_path: Path, name: str) -> None:
    write_dicom(tmp_path / "x" / name)
    assert read(tmp_path, listed(tmp_path / "x" / name, tmp_path))[0]["outcome"] == "accepted"


def test_readers_have_names_and_travel_to_processes() -> None:
    assert scanner_named("pydicom") is None
    assert all(scanner_named(name) is not None for name in ("auto", "pure"))
    assert pickle.loads(pickle.dumps(PydicomMetadataReader())) == PydicomMetadataReader()
    assert pickle.loads(pickle.dumps(job())) == job()
    with pytest.raises(ConfigurationError, match="auto, pure, pydicom"):
        scanner_named("gdcm")

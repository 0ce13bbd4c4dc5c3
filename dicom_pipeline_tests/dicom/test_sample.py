"""The sample archive: where pydicom's bundled files go, and what is never overwritten."""

import hashlib
import logging
import os
import shutil
import socket
from collections import defaultdict
from pathlib import Path

import pydicom
import pytest

from dicom_pipeline.dicom import sample
from dicom_pipeline.dicom.sample import UNDATED, SampleReport, lay_out_sample
from dicom_pipeline.errors import ConfigurationError

BUNDLED = Path(pydicom.__file__).parent / "data"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SampleReport]:
    directory = tmp_path_factory.mktemp("sample")
    return directory, lay_out_sample(directory)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _state(directory: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in directory.rglob("*")}


def test_every_bundled_data_file_is_there_once(laid_out: tuple[Path, SampleReport]) -> None:
    folders = ("test_files", "charset_files", "palettes")
    bundled = {
        _digest(path) for folder in folders for path in _files(BUNDLED / folder) if "__pycache__" not in path.parts
    }
    digests = [_digest(path) for path in _files(laid_out[0])]
    assert sorted(digests) == sorted(bundled)
    assert len(digests) > 150


def test_the_report_counts_what_is_there(laid_out: tuple[Path, SampleReport]) -> None:
    directory, report = laid_out
    dates = [path.name for path in (directory / "default").iterdir()]
    undated = _files(directory / "default" / "19700101")
    assert report == SampleReport(files=len(_files(directory)), dates=len(dates), undated=len(undated))
    assert report.dates > 15


@pytest.mark.filterwarnings("ignore")
def test_dated_files_lie_where_their_header_says(laid_out: tuple[Path, SampleReport]) -> None:
    undated = f"{UNDATED:%Y%m%d}"
    dated = [path for path in _files(laid_out[0]) if undated not in path.parts]
    for path in dated:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        uids = header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID
        assert path.relative_to(laid_out[0]).parts == ("default", header.StudyDate, *uids[:2], f"{uids[2]}.dcm")
    assert len(dated) > 100


@pytest.mark.filterwarnings("ignore")
def test_the_others_have_no_date_or_their_place_is_taken(laid_out: tuple[Path, SampleReport]) -> None:
    places = {path.name for path in _files(laid_out[0])}
    reasons = defaultdict(int)
    for path in _files(laid_out[0] / "default" / "19700101"):
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        study_date = str(header.get("StudyDate") or "")
        if study_date.isdigit() and len(study_date) == 8:
            assert f"{header.SOPInstanceUID}.dcm" in places
            reasons["taken"] += 1
        else:
            reasons["undated"] += 1
    assert min(reasons["taken"], reasons["undated"]) > 10


def test_the_directory_records_keep_their_names(laid_out: tuple[Path, SampleReport]) -> None:
    undated = laid_out[0] / "default" / "19700101" / "test_files" / "dicomdirtests"
    assert (undated / "DICOMDIR").is_file()
    assert (undated / "TINY_ALPHA" / "DICOMDIR").is_file()


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    first = lay_out_sample(tmp_path / "new" / "sample", "a")
    before = _state(tmp_path)
    assert lay_out_sample(tmp_path / "new" / "sample", "a") == first
    assert _state(tmp_path) == before


def test_several_tenants_share_a_sample(tmp_path: Path) -> None:
    assert lay_out_sample(tmp_path, "a") == lay_out_sample(tmp_path, "b")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_an_interrupted_call_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, copied = sample.shutil.copyfile, []

    def copyfile(source: Path, target: Path) -> None:
        if len(copied) == 5:
            target.write_bytes(b"half a fi")
            raise KeyboardInterrupt
        copied.append(real(source, target))

    with monkeypatch.context() as patch:
        patch.setattr(sample.shutil, "copyfile", copyfile)
        with pytest.raises(KeyboardInterrupt):
            lay_out_sample(tmp_path)
    report = lay_out_sample(tmp_path)
    assert len(_files(tmp_path)) == report.files


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: (d / "mine.txt").write_text("mine"),
        lambda d: (d / "default" / "20010101" / "mine.dcm").write_text("mine"),
        lambda d: _files(d)[3].write_bytes(b"changed"),
        lambda d: (d / "link").symlink_to("/etc"),
        lambda d: os.mkfifo(d / "pipe"),
    ],
)
def test_other_content_is_refused_and_left_alone(laid_out: tuple[Path, SampleReport], tmp_path: Path, spoil) -> None:
    directory = tmp_path / "copy"
    shutil.copytree(laid_out[0], directory)
    spoil(directory)
    before = _state(directory)
    with pytest.raises(ConfigurationError, match="something else than a sample") as caught:
        lay_out_sample(directory)
    assert "\n" not in str(caught.value)
    assert _state(directory) == before


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match="not a directory"):
        lay_out_sample(tmp_path / "file")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        lay_out_sample(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("tenant", ["", ".", "..", "a/b", "../a", "a\0"])
def test_a_tenant_that_is_no_name_is_refused(tmp_path: Path, tenant: str) -> None:
    with pytest.raises(ConfigurationError):
        lay_out_sample(tmp_path / "sample", tenant)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("uid", ["../../etc", "1.2/3", ".", "..", "1..2", "1.2\n", "1" * 65, "x", "\u0661", ".1"])
def test_what_is_no_uid_never_names_a_path(uid: str) -> None:
    name = sample._safe(uid, "d" * 64)
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")
    assert sample._safe("", "d" * 64) == "d" * 16
    assert sample._safe("1.2.840.10008", "d" * 64) == "1.2.840.10008"


def test_nothing_is_fetched_said_or_left_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the sample needs no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    level = logging.getLogger("pydicom").level
    lay_out_sample(tmp_path)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert logging.getLogger("pydicom").level == level

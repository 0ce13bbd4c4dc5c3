"""Which files belong to which date, where the date is known from the files only."""

import datetime as dt
import stat
from pathlib import Path

import pytest

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.orchestration import sources
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables import study_dates
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline_tests.orchestration.small_archive import write_instance

DATE = dt.date(2024, 1, 5)


@pytest.fixture
def source(tmp_path: Path) -> sources.IndexedSource:
    write_instance(tmp_path / "archive" / "good.dcm", DATE)
    write_instance(tmp_path / "archive" / "hostile.dcm", DATE)
    archive = Archive(root=str(tmp_path / "archive"), layout="any")
    found = sources.date_source(archive, Staging(tmp_path / "home" / "staging"))
    assert isinstance(found, sources.IndexedSource)
    return found


def test_a_file_that_breaks_the_reader_is_undated_and_stops_nothing(
    source: sources.IndexedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = study_dates.study_date_of_file

    def break_on_one(store: object, entry: FileEntry, reader: object) -> dt.date | str | None:
        if entry.path == "hostile.dcm":
            raise RecursionError("Doe^Jane")
        return read(store, entry, reader)  # type: ignore[arg-type]

    monkeypatch.setattr(study_dates, "study_date_of_file", break_on_one)
    source.refresh("pydicom")
    assert [path for path, *_ in source.rows(DATE)] == [b"good.dcm"]
    assert [path for path, *_ in source.rows(source.undated)] == [b"hostile.dcm"]


def test_no_directory_the_index_makes_can_be_entered_by_others(source: sources.IndexedSource, tmp_path: Path) -> None:
    source.refresh("auto")
    made = [path for path in (tmp_path / "home").rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "home", *made)} == {0o700}

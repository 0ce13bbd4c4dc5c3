import datetime as dt
from pathlib import Path

import pytest

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.tables.readers import READERS
from dicom_pipeline.tables.study_dates import DateReader
from dicom_pipeline_tests.corpus import CORPUS, needs_corpus
from dicom_pipeline_tests.tables.made_rows import write_dicom


@pytest.mark.parametrize("reader", READERS)
def test_each_file_answers_for_itself(tmp_path: Path, reader: str) -> None:
    write_dicom(tmp_path / "a.dcm", "1.1", StudyDate="20240517")
    write_dicom(tmp_path / "b.dcm", "1.2", StudyDate="2024.05.17")
    (tmp_path / "c.txt").write_text("no image")
    entries = [*LocalStore(tmp_path).walk(""), FileEntry("gone.dcm", 5, 0)]
    answers = DateReader(LocalStore(tmp_path), reader).read(entries)
    assert answers == [dt.date(2024, 5, 17), None, None, "Vanished"]


@needs_corpus
@pytest.mark.parametrize("reader", ["auto", "pure"])
def test_a_scan_finds_the_dates_that_care_finds(reader: str) -> None:
    store = LocalStore(CORPUS)
    entries = list(store.walk(""))
    assert DateReader(store, reader).read(entries) == DateReader(store, "pydicom").read(entries)

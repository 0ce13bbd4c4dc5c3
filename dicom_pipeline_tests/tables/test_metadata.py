import datetime as dt
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.errors import StagingError
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.listing import files_batch
from dicom_pipeline.tables.metadata import METADATA_ASSET, MetadataSummary, RowObserver, stage_metadata
from dicom_pipeline.tables.readers import PydicomMetadataReader
from dicom_pipeline.tables.schemas import metadata_schema
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline_tests.tables.made_rows import DATE, TENANT, job, listed, write_dicom


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(PydicomMetadataReader(), workers=1) as shared:
        yield shared


class Day:
    """An archive of one date, staged again and again."""

    def __init__(self, directory: Path, extractor: Extractor) -> None:
        self.root = directory / "archive"
        self.root.mkdir()
        self.staging = Staging(directory / "staging")
        self._extractor = extractor

    def stage(
        self, date: dt.date = DATE, files: list[FileEntry] | None = None, observers: Sequence[RowObserver] = ()
    ) -> MetadataSummary:
        files = list(LocalStore(self.root).walk("")) if files is None else files
        labels = {"run_id": "r1"}
        return stage_metadata(
            self.staging, TENANT, date, listed(files), self._extractor, job(self.root), labels, observers
        )

    def rows(self) -> list[dict[str, Any]]:
        return self.staging.read_table(TENANT, METADATA_ASSET, DATE).to_pylist()

    def reasons(self) -> dict[str, str | None]:
        return {row["path"]: row["reason"] for row in self.rows()}


@pytest.fixture
def day(tmp_path: Path, extractor: Extractor) -> Day:
    return Day(tmp_path, extractor)


class Witness:
    """Remembers the rows it saw since it was last restarted."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] = []
        self.restarts = 0

    def observe(self, batch: pa.RecordBatch) -> None:
        self.batches.append(batch)

    def restart(self) -> None:
        self.batches.clear()
        self.restarts += 1


@pytest.mark.parametrize("copies", [0, 1])
def test_observers_have_seen_what_was_staged(day: Day, copies: int) -> None:
    for name in ("a.dcm", "b.dcm"):
        write_dicom(day.root / name, f"1.{name}")
    for _ in range(copies):
        shutil.copy(day.root / "a.dcm", day.root / "c.dcm")
    witness = Witness()
    assert day.stage(observers=[witness]).accepted == 2
    assert pa.Table.from_batches(witness.batches).to_pylist() == day.rows()
    assert witness.restarts == copies


def test_every_listed_file_is_accounted_for(day: Day) -> None:
    write_dicom(day.root / "a.dcm", "1.1")
    write_dicom(day.root / "b.dcm", "1.2", PatientID="")
    write_dicom(day.root / "c.dcm", "1.3", StudyDate="20240518")
    write_dicom(day.root / "d.dcm", "1.4")
    shutil.copy(day.root / "d.dcm", day.root / "e.dcm")
    (day.root / "f.txt").write_text("a note " * 100)
    (day.root / "g").symlink_to("/etc/hostname")
    summary = day.stage()
    assert day.reasons() == {
        "a.dcm": None,
        "b.dcm": "MissingRequiredField",
        "c.dcm": "StudyDateMismatch",
        "d.dcm": None,
        "e.dcm": "DuplicateInstance",
        "f.txt": "NotDicom",
        "g": "LinkOutsideArchive",
    }
    assert (summary.listed, summary.accepted, summary.rejected) == (7, 2, 5)
    assert sum(summary.rejected_by_reason.values()) == summary.rejected
    # Neither the note, nor the link, nor the equal copy is a damaged DICOM file.
    assert (summary.damaged, summary.dicom_files) == (2, 5)
    assert summary.bytes == sum(entry.size or 0 for entry in LocalStore(day.root).walk(""))
    assert summary.files_per_second == pytest.approx(7 / summary.seconds)
    assert day.staging.metadata(TENANT, METADATA_ASSET, DATE)["run_id"] == "r1"
    schema = day.staging.read(TENANT, METADATA_ASSET, DATE).schema
    assert schema.equals(metadata_schema())
    assert schema.field("sop_uid").metadata == metadata_schema().field("sop_uid").metadata


def test_files_that_share_an_instance_and_differ_are_all_rejected(day: Day) -> None:
    for name, rows in (("a", 1), ("b", 1), ("c", 2)):
        write_dicom(day.root / f"{name}.dcm", "1.1", Rows=rows)
    write_dicom(day.root / "d.dcm", "1.2")
    summary = day.stage()
    assert day.reasons() == dict.fromkeys(("a.dcm", "b.dcm", "c.dcm"), "DuplicateInstance") | {"d.dcm": None}
    assert all(row["findings"] == [] for row in day.rows())
    assert (summary.accepted, summary.damaged, summary.dicom_files) == (1, 3, 4)


def test_copies_under_names_that_are_not_utf8_are_compared(day: Day) -> None:
    write_dicom(day.root / "b\udcff.dcm", "1.1")
    shutil.copy(day.root / "b\udcff.dcm", day.root / "a\udcff.dcm")
    day.stage()
    assert day.reasons() == {"a\\xff.dcm": None, "b\\xff.dcm": "DuplicateInstance"}
    assert day.rows()[1]["findings"] == [{"field": "SOPInstanceUID", "reason": "IdenticalCopy"}]


def test_a_copy_of_another_date_is_a_mismatch_and_no_duplicate(day: Day) -> None:
    write_dicom(day.root / "a.dcm", "1.1")
    write_dicom(day.root / "b.dcm", "1.1", StudyDate="20240518")
    day.stage()
    assert day.reasons() == {"a.dcm": None, "b.dcm": "StudyDateMismatch"}


def test_staging_again_replaces_and_leaves_nothing_else(day: Day) -> None:
    write_dicom(day.root / "a.dcm", "1.1")
    shutil.copy(day.root / "a.dcm", day.root / "b.dcm")
    day.stage()
    os.unlink(day.root / "b.dcm")
    assert day.stage().listed == 1
    assert day.reasons() == {"a.dcm": None}
    directory = day.staging.root / TENANT / METADATA_ASSET
    assert [path.name for path in directory.iterdir()] == [f"{DATE}.parquet"]


def test_an_empty_date_is_a_file_without_rows(day: Day) -> None:
    summary = day.stage()
    assert (summary.listed, summary.accepted, summary.rejected, summary.rejected_by_reason) == (0, 0, 0, {})
    assert day.rows() == []


def test_nothing_is_published_if_the_listing_breaks(day: Day) -> None:
    write_dicom(day.root / "a.dcm", "1.1")
    day.stage()

    def broken() -> Iterator[pa.RecordBatch]:
        yield files_batch([FileEntry("a.dcm", None, None)])
        raise StagingError("the listing is damaged")

    with pytest.raises(StagingError, match="the listing is damaged"):
        stage_metadata(day.staging, TENANT, DATE, broken(), day._extractor, job(day.root), {})
    assert day.reasons() == {"a.dcm": None}


def test_nothing_is_published_if_a_file_got_lost(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dicom(day.root / "a.dcm", "1.1")
    day.stage()
    write_dicom(day.root / "b.dcm", "1.2")
    original = Extractor.extract
    monkeypatch.setattr(Extractor, "extract", lambda *given: (batch.slice(1) for batch in original(*given)))
    with pytest.raises(StagingError, match="not every listed file"):
        day.stage()
    assert day.reasons() == {"a.dcm": None}


def test_what_the_rows_hold_is_private(day: Day) -> None:
    day.stage()
    path = day.staging.root / TENANT / METADATA_ASSET / f"{DATE}.parquet"
    assert path.stat().st_mode & 0o077 == 0

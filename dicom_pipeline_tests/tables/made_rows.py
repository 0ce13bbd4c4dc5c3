"""Rows and readers made up for the tests of ``tables/``: no DICOM needed to see what happens around a reader."""

import datetime as dt
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import OnInvalidValue, Record, Rejection
from dicom_pipeline.tables.listing import files_batch
from dicom_pipeline.tables.readers import ReadJob
from dicom_pipeline.tables.rows import Outcome, metadata_batch

TENANT = "tenant"
DATE = dt.date(2024, 5, 17)
CLOCK = dt.datetime(2025, 1, 2, 3, 4, 5, 678901, dt.UTC).replace(tzinfo=None)


def job(root: str | Path = "/") -> ReadJob:
    return ReadJob(str(root), TENANT, OnInvalidValue.REJECT, CLOCK)


def entry(path: str, size: int | None = 10) -> FileEntry:
    return FileEntry(path, size, 1)


def record(sop_uid: str, **values: object) -> Record:
    """Return an accepted row with what no row may lack, and ``values``."""
    filled: dict[str, object] = {
        "tenant_id": TENANT,
        "study_date": DATE,
        "study_uid": "1.2.3",
        "series_uid": "1.2.3.4",
        "sop_uid": sop_uid,
        "patient_id": "patient",
        "study_uid_hash": "0" * 20,
        "series_uid_hash": "0" * 20,
        "study_date_origin": "20240517",
        "accession_number": "A1",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "created_time": CLOCK,
        "updated_time": CLOCK,
    } | values
    return Record(tuple(filled.get(field.name) for field in HEADER_FIELDS), ())


def write_dicom(path: Path, sop_uid: str = "1.2.3.4.5", **values: object) -> None:
    """Write a small file that is accepted, unless ``values`` (by keyword) say otherwise."""
    from pydicom.dataset import Dataset, FileMetaDataset

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    defaults = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "SOPInstanceUID": sop_uid,
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "PatientID": "patient",
        "StudyDate": "20240517",
    }
    for keyword, value in (defaults | values).items():
        setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


@dataclass(frozen=True)
class MadeUpReader:
    """Reads nothing: what becomes of a file is told by its name.

    ``kill``, ``hang`` and (for a moment) ``nap`` do it to the worker, ``kill-once`` and ``kill-twice`` as often, counting in ``scratch``,
    ``raise`` and ``import`` raise, ``bomb`` allocates, ``reject`` is rejected; any other name is the SOP Instance UID
    of an accepted file.
    """

    scratch: str = ""

    def read_batch(self, files: Sequence[FileEntry], job: ReadJob) -> pa.RecordBatch:
        return metadata_batch(files, [self._outcome(file.path) for file in files])

    def _outcome(self, path: str) -> Outcome:
        name = os.path.basename(path)
        if name in ("kill-once", "kill-twice"):
            marker = Path(self.scratch, name)
            before = marker.stat().st_size if marker.exists() else 0
            if before < ("kill-once", "kill-twice").index(name) + 1:
                marker.write_bytes(b"x" * (before + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        if name == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if name in ("nap", "hang"):
            time.sleep(0.3 if name == "nap" else 600)
        if name == "import":
            raise ImportError("a module is missing")
        if name == "raise":
            raise RuntimeError("a name from the file")
        if name == "bomb":
            bytearray(2 << 30)
        if name == "reject":
            return Rejection(Reason.NOT_DICOM)
        return record(name)


@dataclass(frozen=True)
class LoadedModulesReader:
    """Tells, as patient ids, which of some modules its process has loaded once it has made rows."""

    modules: tuple[str, ...]

    def read_batch(self, files: Sequence[FileEntry], job: ReadJob) -> pa.RecordBatch:
        metadata_batch(files, [record(file.path) for file in files])
        loaded = ",".join(name for name in self.modules if sys.modules.get(name))
        return metadata_batch(files, [record(file.path, patient_id=loaded) for file in files])


def listed(entries: Iterable[FileEntry], rows: int = 100) -> Iterator[pa.RecordBatch]:
    """Yield entries as a listing in batches of at most ``rows``."""
    source = iter(entries)
    while chunk := list(islice(source, rows)):
        yield files_batch(chunk)

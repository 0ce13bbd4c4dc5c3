"""The study dates of many files, for archives whose directories do not tell them.

Scope: asking headers for StudyDate and nothing else, ordinary files by a scan, others one by one. What becomes of the
files is decided when they are extracted.
"""

import datetime as dt
from collections.abc import Sequence

import numpy as np

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.pydicom_reader import PydicomReader
from dicom_pipeline.dicom.scanner.noted import Status
from dicom_pipeline.dicom.study_dates import study_date_of, study_date_of_file
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.tables.listing import files_batch
from dicom_pipeline.tables.readers import scanner_named
from dicom_pipeline.tables.scanned import file_batch

_OPEN_FILES = 64


class DateReader:
    """Reads study dates; one thread at a time.

    Args:
        store: Where the files are.
        reader: Name of a reader, see ``READERS``.
    """

    def __init__(self, store: LocalStore, reader: str) -> None:
        make_scanner = scanner_named(reader)
        self._store = store
        self._scanner = make_scanner(_OPEN_FILES) if make_scanner else None

    def read(self, entries: Sequence[FileEntry]) -> list[dt.date | str | None]:
        """Return for each file its study date; None if it has no usable one; or the code of what kept it unread."""
        answers = self._scanned(entries)
        careful = PydicomReader()
        return [
            answers[place] if place in answers else self._read_alone(entry, careful)
            for place, entry in enumerate(entries)
        ]

    def _scanned(self, entries: Sequence[FileEntry]) -> dict[int, dt.date | None]:
        if self._scanner is None:
            return {}
        noted = self._scanner.scan(file_batch(files_batch(entries), self._store))
        plain = np.flatnonzero(noted.status == Status.PLAIN)
        return dict(zip(plain.tolist(), map(study_date_of, noted.headers(plain)), strict=True))

    def _read_alone(self, entry: FileEntry, careful: PydicomReader) -> dt.date | str | None:
        try:
            return study_date_of_file(self._store, entry, careful)
        except (ImportError, PipelineError):
            raise
        except Exception:
            # Whatever a hostile file provokes costs itself: it counts as undated, and is read behind a fence and
            # rejected there. The exception may quote the file.
            return None

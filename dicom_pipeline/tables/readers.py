"""From listed files to rows of ``dicom_metadata``, file by file and with care; and who else there is to read headers.

Scope: the interface of readers that work in processes of their own, the reader behind it that takes any file, and the
names of readers. Which process calls it, and what happens when that process dies, is in ``crew.py``; reading whole
columns of ordinary files is ``scanned.py``.
"""

import datetime as dt
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeAlias

import pyarrow as pa

from dicom_pipeline.archive.entries import ArchiveStore, FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.archive.problems import problem_of
from dicom_pipeline.dicom.header import HeaderError, HeaderReader
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import OnInvalidValue, Rejection, build_record
from dicom_pipeline.dicom.scanner.files import Scanner
from dicom_pipeline.dicom.source import Moment, OutOfTime
from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.tables.rows import Outcome, metadata_batch


@dataclass(frozen=True, slots=True)
class ReadJob:
    """What all files of one extraction have in common; small and picklable, it travels to the worker processes.

    Attributes:
        root: The archive's root; entries' paths are relative to it.
        tenant_id: The archive's tenant.
        policy: What becomes of a file whose optional value is invalid.
        clock: The run's one clock reading, naive UTC.
    """

    root: str
    tenant_id: str
    policy: OnInvalidValue
    clock: dt.datetime

    def store(self) -> LocalStore:
        """Return the store behind ``root``."""
        return LocalStore(self.root)


class MetadataReader(Protocol):
    """Turns listed files into rows. Picklable; one instance is used by one thread at a time."""

    def read_batch(self, files: Sequence[FileEntry], job: ReadJob) -> pa.RecordBatch:
        """Return one row of ``metadata_schema()`` for each file, in their order, whatever the files are.

        A file that cannot be taken is a rejected row; nothing about a file's content or place is raised.

        Raises:
            ImportError: The installation is damaged; no fault of any file.
        """


@dataclass(frozen=True, slots=True)
class PydicomMetadataReader:
    """Reads file by file through pydicom: slow, and right on everything; the measure for faster readers.

    Attributes:
        file_seconds: Time one file's header may take before the file is rejected as ``LimitExceeded``.
    """

    file_seconds: float = 10.0

    def read_batch(self, files: Sequence[FileEntry], job: ReadJob) -> pa.RecordBatch:
        """See ``MetadataReader``."""
        from dicom_pipeline.dicom.pydicom_reader import PydicomReader

        store, headers = job.store(), PydicomReader(self.file_seconds)
        return storable_batch(files, [_outcome(entry, job, store, headers) for entry in files])


def read_in_a_moment(files: Sequence[FileEntry], job: ReadJob, seconds: float) -> list[Outcome | None]:
    """Read a few files in this process; None for each that would take longer than ``seconds``.

    What else such a file may cost is bounded: it has some values of a megabyte, and inflates to 64 of them, at most.
    """
    from dicom_pipeline.dicom.pydicom_reader import PydicomReader

    store, headers = job.store(), PydicomReader(seconds, Moment)
    outcomes: list[Outcome | None] = []
    for entry in files:
        try:
            outcomes.append(_outcome(entry, job, store, headers))
        except OutOfTime:
            outcomes.append(None)
    return outcomes


def storable_batch(files: Sequence[FileEntry], outcomes: Sequence[Outcome]) -> pa.RecordBatch:
    """Return one row for each file; one whose values cannot stand in the columns is rejected as Unreadable."""
    try:
        return metadata_batch(files, outcomes)
    except Exception:
        return metadata_batch(files, [_storable(*pair) for pair in zip(files, outcomes, strict=True)])


def _fastest_scanner(open_files: int) -> Scanner:
    try:
        from dicom_pipeline.dicom.scanner.compiled import CompiledScanner
    except ImportError:
        return _pure_scanner(open_files)
    return CompiledScanner(open_files)


def _pure_scanner(open_files: int) -> Scanner:
    from dicom_pipeline.dicom.scanner.pure import PureScanner

    del open_files  # It opens one at a time.
    return PureScanner()


MakeScanner: TypeAlias = Callable[[int], Scanner]
"""Makes a scanner that has at most so many files open at once."""

READERS: dict[str, MakeScanner | None] = {
    "auto": _fastest_scanner,
    "pure": _pure_scanner,
    "pydicom": None,
}
"""The readers by name, with what makes their scanner: none reads every file with care."""


def scanner_named(name: str) -> MakeScanner | None:
    """Return what makes the scanner of the reader called ``name``; None if that has none.

    Raises:
        ConfigurationError: There is no reader of that name.
    """
    if name not in READERS:
        raise ConfigurationError(f"unknown reader {name!r}: use one of {', '.join(READERS)}")
    return READERS[name]


def _outcome(entry: FileEntry, job: ReadJob, store: ArchiveStore, headers: HeaderReader) -> Outcome:
    """Read one file; every failure becomes the rejection that names it."""
    if entry.problem is not None:
        return Rejection(Reason(entry.problem))
    try:
        with store.open(entry.path) as stream:
            return _read_open_file(stream, entry, job, headers)
    except HeaderError as error:
        return Rejection(error.reason)
    except OSError as error:
        return Rejection(Reason(problem_of(error)))
    except (ImportError, OutOfTime):
        # The installation's fault, or the reader's lack of time, and not the file's.
        raise
    except MemoryError:
        return Rejection(Reason.LIMIT_EXCEEDED)
    except Exception:
        # Whatever a hostile file provokes beyond what the header reader foresaw. Neither the exception nor its text
        # leaves this place: it may quote the file.
        return Rejection(Reason.UNREADABLE)


def _read_open_file(stream: BinaryIO, entry: FileEntry, job: ReadJob, headers: HeaderReader) -> Outcome:
    before = os.fstat(stream.fileno())
    if not stat.S_ISREG(before.st_mode):
        return Rejection(Reason.NOT_A_FILE)
    if _differs(before, entry):
        return Rejection(Reason.CHANGED)
    header = headers.read(stream, before.st_size)
    if _differs(os.fstat(stream.fileno()), entry):
        # Somebody wrote while we read: the values may be of two versions.
        return Rejection(Reason.CHANGED)
    return build_record(header, tenant_id=job.tenant_id, file_size=before.st_size, policy=job.policy, clock=job.clock)


def _differs(found: os.stat_result, entry: FileEntry) -> bool:
    size_differs = entry.size is not None and entry.size != found.st_size
    return size_differs or (entry.mtime_ns is not None and entry.mtime_ns != found.st_mtime_ns)


def _storable(entry: FileEntry, outcome: Outcome) -> Outcome:
    """Return the outcome, or a rejection if its values cannot stand in the columns."""
    try:
        metadata_batch([entry], [outcome])
    except Exception:
        return Rejection(Reason.UNREADABLE)
    return outcome

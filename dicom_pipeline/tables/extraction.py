"""Headers of many files as a stream of record batches in the order of the listing.

Scope: how many files are under way at a time, who reads them, and putting their rows back in order. Ordinary files are
scanned by threads of this process (``scanned.py``). Others are read with care: by worker processes (``crew.py``),
unless they are few and take but a moment.

Threads are enough for the scan: it holds no lock while it reads and walks, and a file cannot crash or hang it. Each
thread has a group of files fetched at once, so that a disk or a network share has many requests to work on.
"""

import os
import resource
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.tables.crew import CHUNK_FILES, Crew
from dicom_pipeline.tables.listing import entries_of
from dicom_pipeline.tables.readers import (
    MakeScanner,
    MetadataReader,
    PydicomMetadataReader,
    ReadJob,
    read_in_a_moment,
    scanner_named,
    storable_batch,
)
from dicom_pipeline.tables.scanned import ScanReader

SCAN_FILES = 2000
"""Files scanned at once: what a batch costs beside its files is little then."""
_LEAST_FILES = 250
_WAITING = 2
_MOST_WORKERS = 8
_THREADS_A_PROCESSOR = 2
_MOST_THREADS = 32
_FILE_SECONDS = 30.0
_FEW_FILES = 64
_MOMENT_SECONDS = 0.05

ReadCounts: TypeAlias = Counter[str]
"""How many files each reader has read: ``scanner`` and ``pydicom``."""


class Extraction(Iterator[pa.RecordBatch]):
    """Rows of ``metadata_schema()``, one a file, in the order of the listing, as they are read.

    Attributes:
        read_by: How many files were read by ``scanner`` and how many by ``pydicom`` so far; entries of the listing that
            cannot be read at all count under neither.
    """

    def __init__(self, batches: Generator[pa.RecordBatch, None, None], read_by: ReadCounts) -> None:
        self._batches = batches
        self.read_by = read_by

    def __next__(self) -> pa.RecordBatch:
        return next(self._batches)

    def close(self) -> None:
        """Give up what is not read yet."""
        self._batches.close()


class Extractor:
    """Reads headers; a context manager, used for many dates by one thread at a time.

    Leaving the context ends all reading, also in the middle of it. No process is started before a file needs one.
    """

    def __init__(
        self,
        reader: str | MetadataReader = "auto",
        workers: int | None = None,
        threads: int | None = None,
        *,
        file_seconds: float = _FILE_SECONDS,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            reader: ``auto`` scans and leaves to pydicom what is not ordinary, ``pure`` likewise without compiled code,
                ``pydicom`` reads every file with care; or a reader that takes the place of that one.
            workers: Most worker processes at a time; None means one a processor this process may use, at most 8.
            threads: Threads that scan; None means two a processor, at most 32. More of them keep a slow network
                share busy.
            file_seconds: Time a file that is read alone may take before its worker is killed; longer than the
                reader's own deadline, which leaves the worker alive. A chunk may take a second a file more.

        Raises:
            ConfigurationError: There is no reader of that name.
        """
        self._processors = processors = len(os.sched_getaffinity(0))
        self._make_scanner = scanner_named(reader) if isinstance(reader, str) else None
        self._careful = PydicomMetadataReader() if isinstance(reader, str) else reader
        self._workers = workers or min(processors, _MOST_WORKERS)
        self._threads = threads or min(_THREADS_A_PROCESSOR * processors, _MOST_THREADS)
        self._file_seconds = file_seconds
        self._readers: _Readers | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End threads and workers; a later ``extract`` starts new ones."""
        if self._readers is not None:
            readers, self._readers = self._readers, None
            readers.dismiss()

    def extract(self, files: Iterable[pa.RecordBatch], job: ReadJob) -> Extraction:
        """Read the headers of listed files.

        Memory is bounded whatever the number of files: some chunks are under way, and ``files`` is consumed as they
        finish.

        Args:
            files: Rows of ``FILES_SCHEMA``.
            job: What they have in common.

        Raises:
            PipelineError: While it is consumed: worker processes cannot be started, or the installation is damaged.
        """
        read_by = Counter(scanner=0, pydicom=0)
        return Extraction(self._batches(files, job, read_by), read_by)

    def _batches(
        self, files: Iterable[pa.RecordBatch], job: ReadJob, read_by: ReadCounts
    ) -> Generator[pa.RecordBatch, None, None]:
        waiting: deque[_Promise] = deque()
        under_way = (self._threads if self._make_scanner else self._workers) + _WAITING

        def next_rows() -> list[pa.RecordBatch]:
            part = waiting[0]()
            waiting.popleft()
            read_by.update(part.read_by)
            return part.rows

        try:
            for chunk in self._chunks(files):
                waiting.append(self._submit(chunk, job))
                if len(waiting) >= under_way:
                    yield from next_rows()
            while waiting:
                yield from next_rows()
        finally:
            if waiting:
                # Nobody waits for the rest: an error, Ctrl-C, or a consumer that has enough.
                self.close()

    def _chunks(self, files: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Cut the listing: as coarse as pays, and as fine as keeps every processor busy."""
        for batch in files:
            share = max(_LEAST_FILES, -(-batch.num_rows // min(self._threads, self._processors)))
            rows = min(SCAN_FILES, share) if self._make_scanner else CHUNK_FILES
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)

    def _submit(self, files: pa.RecordBatch, job: ReadJob) -> "_Promise":
        if self._readers is None:
            crew = Crew(self._careful, self._workers, self._file_seconds)
            self._readers = _Readers(crew, self._make_scanner, self._threads)
        return self._readers.submit(files, job)


def _most_open_files() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _interleaved(rows: pa.RecordBatch, others: pa.RecordBatch, places: list[int]) -> list[pa.RecordBatch]:
    """Return ``rows`` with each of the others in front of the row at its place, uncopied; places ascend."""
    parts, begin = [], 0
    for number, place in enumerate(places):
        parts += [rows.slice(begin, place - begin), others.slice(number, 1)]
        begin = place
    return [part for part in (*parts, rows.slice(begin)) if part.num_rows]


def _merged(parts: list[pa.RecordBatch], places: npt.ArrayLike) -> pa.RecordBatch:
    """Return the rows of all parts, copied, in the order of the places they are given."""
    return pa.concat_batches(parts).take(pa.array(np.argsort(places)))


class _Part(NamedTuple):
    """The rows of one chunk of files, in order, and who read how many."""

    rows: list[pa.RecordBatch]
    read_by: ReadCounts


_Promise: TypeAlias = Callable[[], _Part]
"""Waits for a part and returns it, or raises what kept it from being read."""


class _Readers:
    """Threads that scan chunks of files and have a crew of processes read what is not ordinary."""

    def __init__(self, crew: Crew, make_scanner: MakeScanner | None, threads: int) -> None:
        self._crew = crew
        self._make_scanner = make_scanner
        # Half of what the process may open is left to everybody else.
        self._open_files = max(1, _most_open_files() // 2 // threads)
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(threads, "header-scan")

    def submit(self, files: pa.RecordBatch, job: ReadJob) -> _Promise:
        """Have a chunk of files read as soon as somebody is free."""
        if self._make_scanner is not None:
            return self._threads.submit(self._read, files, job).result
        rows = self._crew.submit(entries_of(files), job)
        return lambda: _Part([rows.result()], Counter(pydicom=files.column("problem").null_count))

    def dismiss(self) -> None:
        """Give up what has not begun, kill all workers, and wait for the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._crew.dismiss()
        self._threads.shutdown()

    def _read(self, files: pa.RecordBatch, job: ReadJob) -> _Part:
        scanned = self._scan_reader().read(files, job)
        is_left = np.ones(files.num_rows, np.bool_)
        is_left[scanned.places] = False
        left = np.flatnonzero(is_left)
        if not len(left):
            return _Part([scanned.rows], Counter(scanner=scanned.files))
        rows = self._read_others(entries_of(files.take(pa.array(left))), job)
        counts = Counter(scanner=scanned.files, pydicom=len(left))
        if len(left) <= _FEW_FILES:
            return _Part(_interleaved(scanned.rows, rows, np.searchsorted(scanned.places, left).tolist()), counts)
        return _Part([_merged([scanned.rows, rows], np.concatenate([scanned.places, left]))], counts)

    def _read_others(self, entries: list[FileEntry], job: ReadJob) -> pa.RecordBatch:
        """Read files that are not ordinary: a few at once, if they take but a moment; a process costs half a second."""
        if len(entries) > _FEW_FILES:
            return self._crew.read(entries, job)
        outcomes = read_in_a_moment(entries, job, _MOMENT_SECONDS)
        quick = [place for place, outcome in enumerate(outcomes) if outcome is not None]
        slow = [place for place, outcome in enumerate(outcomes) if outcome is None]
        rows = storable_batch([entries[place] for place in quick], [outcome for outcome in outcomes if outcome])
        if not slow:
            return rows
        others = self._crew.read([entries[place] for place in slow], job)
        return _merged([rows, others], quick + slow)

    def _scan_reader(self) -> ScanReader:
        """Return this thread's own reader: a scanner has working memory."""
        if self._make_scanner is not None and not hasattr(self._own, "reader"):
            self._own.reader = ScanReader(self._make_scanner(self._open_files))
        reader: ScanReader = self._own.reader
        return reader

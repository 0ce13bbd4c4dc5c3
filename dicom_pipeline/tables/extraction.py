"""Headers of many files, read by worker processes, as a stream of record batches in the order of the listing.

Scope: how many workers there are, how much is under way at a time, and what becomes of files whose worker hangs or
dies. What happens inside a worker is in ``workers.py``, what a reader makes of a file in ``readers.py``.

No file is read in the calling process, however few there are: the reader's own deadline is cooperative, and only a
process of its own is a fence against a hostile file that crashes the interpreter, blocks inside C code or takes all
memory. The workers start once, with the first files, and serve all dates of a run.

Each worker has a pipe of its own. Process pools with shared pipes and locks (concurrent.futures, pebble) were seen to
stand still for ever when a worker was killed while it held one of them.
"""

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from types import TracebackType
from typing import Self, TypeAlias

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Rejection
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.tables.readers import MetadataReader, ReadJob, reader_named
from dicom_pipeline.tables.rows import metadata_batch
from dicom_pipeline.tables.workers import ReaderFailed, Worker, WorkerDied, WorkerHung

CHUNK_FILES = 250
_CHUNKS_PER_WORKER = 2
_MOST_WORKERS = 8
_FILE_SECONDS = 30.0
_START_ATTEMPTS = 3
_DEATHS = 3

_Chunk: TypeAlias = list[FileEntry]


class Extractor:
    """Worker processes that read headers; a context manager, started by the first files, used for many dates.

    One thread at a time. Leaving the context ends the workers, also in the middle of their work.
    """

    def __init__(
        self,
        reader: str | MetadataReader = "auto",
        workers: int | None = None,
        *,
        file_seconds: float = _FILE_SECONDS,
    ) -> None:
        """Prepare; no process is started yet.

        Args:
            reader: Name of a reader (see ``reader_named``), or a reader.
            workers: Most worker processes at a time; None means one a processor this process may use, at most 8.
            file_seconds: Time a file that is read alone may take before its worker is killed; longer than the
                reader's own deadline, which leaves the worker alive. A chunk may take a second a file more.

        Raises:
            ConfigurationError: There is no reader of that name.
        """
        self._reader = reader_named(reader) if isinstance(reader, str) else reader
        self._most_workers = workers or min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
        self._file_seconds = file_seconds
        self._crew: _Crew | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; a later ``extract`` starts new ones."""
        if self._crew is not None:
            crew, self._crew = self._crew, None
            crew.dismiss()

    def extract(self, files: Iterable[FileEntry], job: ReadJob) -> Iterator[pa.RecordBatch]:
        """Read the headers of ``files`` and yield rows of ``metadata_schema()``, one a file, in their order.

        Memory is bounded whatever the number of files: some chunks are under way, and ``files`` is consumed as they
        finish. A file whose worker hangs or dies, also when it is read alone, is rejected ``LimitExceeded``.

        Raises:
            PipelineError: Worker processes cannot be started, or the installation is damaged.
        """
        waiting: deque[Future[pa.RecordBatch]] = deque()
        source = iter(files)
        try:
            while chunk := list(islice(source, CHUNK_FILES)):
                if self._crew is None:
                    self._crew = _Crew(self._reader, self._most_workers, self._file_seconds)
                waiting.append(self._crew.submit(chunk, job))
                if len(waiting) >= self._most_workers * _CHUNKS_PER_WORKER:
                    yield waiting[0].result()
                    waiting.popleft()
            while waiting:
                yield waiting[0].result()
                waiting.popleft()
        finally:
            if waiting:
                # Nobody waits for the rest: an error, Ctrl-C, or a consumer that has enough.
                self.close()


class _Crew:
    """Worker processes and as many threads, each of which looks after one worker while that has work.

    A worker is started when a thread has work and finds no idle one: few files start few workers.
    """

    def __init__(self, reader: MetadataReader, most_workers: int, file_seconds: float) -> None:
        self._reader = reader
        self._file_seconds = file_seconds
        self._threads = ThreadPoolExecutor(most_workers, "header-readers")
        self._lock = threading.Lock()
        self._workers: set[Worker] = set()
        self._idle: list[Worker] = []
        self._dismissed = False

    def submit(self, entries: _Chunk, job: ReadJob) -> "Future[pa.RecordBatch]":
        """Have a chunk read as soon as a worker is free; the result has one row a file."""
        return self._threads.submit(self._read, entries, job)

    def dismiss(self) -> None:
        """Kill all workers, give up what they did, and wait for the threads."""
        with self._lock:
            self._dismissed = True
            workers = tuple(self._workers)
        for worker in workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)

    def _read(self, entries: _Chunk, job: ReadJob) -> pa.RecordBatch:
        with suppress(WorkerHung, WorkerDied, ReaderFailed):
            return self._ask(entries, job)
        # One of the files may be the cause: alone, each can only harm itself.
        return pa.concat_batches([self._read_alone(entry, job) for entry in entries])

    def _read_alone(self, entry: FileEntry, job: ReadJob) -> pa.RecordBatch:
        """Read one file in a worker that reads nothing else meanwhile.

        A file is not blamed for one death or two: the system may have killed the worker for the memory of others.
        """
        for _ in range(_DEATHS):
            try:
                return self._ask([entry], job)
            except WorkerDied:
                continue
            except WorkerHung:
                break
            except ReaderFailed:
                return metadata_batch([entry], [Rejection(Reason.UNREADABLE)])
        return metadata_batch([entry], [Rejection(Reason.LIMIT_EXCEEDED)])

    def _ask(self, entries: _Chunk, job: ReadJob) -> pa.RecordBatch:
        worker = self._idle_or_new_worker()
        try:
            return worker.read(entries, job, self._file_seconds + len(entries) - 1)
        except ImportError:
            message = "a module that reads headers cannot be imported: install dicom-pipeline again"
            raise PipelineError(message) from None
        finally:
            self._take_back(worker)

    def _idle_or_new_worker(self) -> Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                # Killed while it had nothing to do: no file's fault.
                if worker.alive:
                    return worker
                self._workers.discard(worker)
        for _ in range(_START_ATTEMPTS):
            worker = self._start_worker()
            with suppress(WorkerDied):
                worker.wait_until_ready()
                return worker
            self._take_back(worker)
        raise PipelineError("the processes that read headers cannot be started: see memory and process limits")

    def _start_worker(self) -> Worker:
        # Under the lock: a worker is either seen by ``dismiss`` or not started any more.
        with self._lock:
            if self._dismissed:
                raise PipelineError("the extraction was ended")
            try:
                worker = Worker(self._reader)
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                raise PipelineError(f"no process to read headers can be started: {reason}") from None
            self._workers.add(worker)
        return worker

    def _take_back(self, worker: Worker) -> None:
        with self._lock:
            if worker.alive:
                self._idle.append(worker)
            else:
                self._workers.discard(worker)

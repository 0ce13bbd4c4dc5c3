"""The worker processes that read headers carefully, and what becomes of files whose worker hangs or dies.

Scope: starting, lending and ending workers, and reading a chunk of files with them. What happens inside a worker is in
``workers.py``; which files come here, and in what order rows leave, in ``extraction.py``.

The reader's own deadline is cooperative; only a process of its own is a fence against a hostile file that crashes the
interpreter, blocks inside C code or takes all memory.

Each worker has a pipe of its own. Process pools with shared pipes and locks (concurrent.futures, pebble) were seen to
stand still for ever when a worker was killed while it held one of them.
"""

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeAlias

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Rejection
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.tables.readers import MetadataReader, ReadJob
from dicom_pipeline.tables.rows import metadata_batch
from dicom_pipeline.tables.workers import ReaderFailed, Worker, WorkerDied, WorkerHung

CHUNK_FILES = 250
_START_ATTEMPTS = 3
_DEATHS = 3

_Chunk: TypeAlias = list[FileEntry]


class Crew:
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
        """Have files read as soon as a worker is free; the result has one row a file, in their order.

        A file whose worker hangs or dies, also when it is read alone, is rejected ``LimitExceeded``. At most
        ``CHUNK_FILES`` at once keep to the time a worker has.
        """
        return self._threads.submit(self._read, entries, job)

    def read(self, entries: _Chunk, job: ReadJob) -> pa.RecordBatch:
        """Have any number of files read, and wait; one row a file, in their order."""
        chunks = [entries[start : start + CHUNK_FILES] for start in range(0, len(entries), CHUNK_FILES)]
        waiting = [self.submit(chunk, job) for chunk in chunks]
        return pa.concat_batches([chunk.result() for chunk in waiting])

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

"""Headers of many files, read by worker processes, as a stream of record batches in the order of the listing.

Scope: the pool, how much is under way at a time, and what becomes of files whose worker hangs or dies. What happens
inside a worker is in ``workers.py``, what a reader makes of a file in ``readers.py``.

No file is read in the calling process, however few there are: the reader's own deadline is cooperative, and only a
process of its own is a fence against a hostile file that crashes the interpreter, blocks inside C code or takes all
memory. The workers start once, with the first file, and serve all dates of a run.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from types import TracebackType
from typing import Self, TypeAlias

import pyarrow as pa
from pebble import ProcessExpired, ProcessPool

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Rejection
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.tables.readers import MetadataReader, ReadJob, reader_named
from dicom_pipeline.tables.rows import metadata_batch
from dicom_pipeline.tables.workers import WorkerContext, initialize_worker, read_chunk, unpack_chunk

CHUNK_FILES = 250
_CHUNKS_PER_WORKER = 2
_MOST_WORKERS = 8
_FILE_SECONDS = 30.0
_POOL_GRACE_SECONDS = 60.0
_ATTEMPTS = 3

_Chunk: TypeAlias = list[FileEntry]


class _Hung(Exception):
    """The worker took longer than it may and was killed."""


class _Died(Exception):
    """The worker ended in the middle of its work, or ran out of memory."""


class _Failed(Exception):
    """The reader raised, against its contract; nothing of what it said is kept."""


class _PoolBroken(Exception):
    """The pool as a whole cannot go on; says nothing about the files under way."""


@dataclass(frozen=True, slots=True)
class _Task:
    entries: _Chunk
    future: "Future[bytes]"
    pool: ProcessPool


class Extractor:
    """A pool of worker processes that read headers; a context manager, started by the first file, used for many dates.

    One thread at a time. Leaving the context stops the workers, also in the middle of their work.
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
        self._workers = workers or min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
        self._file_seconds = file_seconds
        self._context = WorkerContext()
        self._started = 0
        self._pool: ProcessPool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; a later ``extract`` starts new ones."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.stop()  # type: ignore[no-untyped-call]
            self._context.terminate()
            pool.join()

    def extract(self, files: Iterable[FileEntry], job: ReadJob) -> Iterator[pa.RecordBatch]:
        """Read the headers of ``files`` and yield rows of ``metadata_schema()``, one a file, in their order.

        Memory is bounded whatever the number of files: some chunks are under way, and ``files`` is consumed as they
        finish. A file whose worker hangs or dies, also when it is read alone, is rejected ``LimitExceeded``.

        Raises:
            PipelineError: Worker processes cannot be started, or the installation is damaged.
        """
        waiting: deque[_Task] = deque()
        chunks = _chunks(files)
        first = list(islice(chunks, self._workers))
        self._provide_workers(len(first))
        try:
            for chunk in chain(first, chunks):
                waiting.append(self._submit(chunk, job))
                if len(waiting) >= self._workers * _CHUNKS_PER_WORKER:
                    yield self._finish(waiting.popleft(), job)
            while waiting:
                yield self._finish(waiting.popleft(), job)
        finally:
            for task in waiting:
                task.future.cancel()

    def _submit(self, entries: _Chunk, job: ReadJob) -> _Task:
        for _ in range(_ATTEMPTS):
            pool = self._running_pool()
            try:
                future = pool.schedule(read_chunk, args=(self._reader, job, entries), timeout=self._limit(entries))
            except RuntimeError:
                self._discard(pool)
            else:
                return _Task(entries, future, pool)
        raise PipelineError("the processes that read headers cannot be started: see memory and process limits")

    def _provide_workers(self, wanted: int) -> None:
        """See that there are as many workers as chunks, up to the limit: each takes half a second to start."""
        if wanted > self._started:
            self.close()
            self._started = wanted

    def _running_pool(self) -> ProcessPool:
        if self._pool is None:
            self._pool = ProcessPool(self._started, initializer=initialize_worker, context=self._context)
        return self._pool

    def _discard(self, pool: ProcessPool) -> None:
        if pool is self._pool:
            self.close()

    def _limit(self, entries: _Chunk) -> float:
        """Seconds until the worker of these files is killed."""
        return self._file_seconds + len(entries) - 1

    def _finish(self, task: _Task, job: ReadJob) -> pa.RecordBatch:
        with suppress(_Hung, _Died, _Failed, _PoolBroken):
            return self._result(task)
        # One of the files may be the cause: alone, each can only harm itself.
        alone = [self._read_alone(entry, job) for entry in task.entries]
        return pa.concat_batches(alone)

    def _read_alone(self, entry: FileEntry, job: ReadJob) -> pa.RecordBatch:
        """Read one file in a worker that reads nothing else meanwhile.

        A dead worker is given a second chance, since the system may have killed it for the memory of others.
        """
        deaths = breaks = 0
        while breaks < _ATTEMPTS:
            try:
                return self._result(self._submit([entry], job))
            except _Failed:
                return metadata_batch([entry], [Rejection(Reason.UNREADABLE)])
            except (_Hung, _Died) as end:
                deaths += 1
                if deaths == 2 or isinstance(end, _Hung):
                    return metadata_batch([entry], [Rejection(Reason.LIMIT_EXCEEDED)])
            except _PoolBroken:
                breaks += 1
        raise PipelineError("the processes that read headers do not stay alive: see memory and process limits")

    def _result(self, task: _Task) -> pa.RecordBatch:
        """Wait for a task and return its rows, or say what became of it in this module's exceptions."""
        if task.pool is not self._pool and not task.future.done():
            # Its pool was given up for another task's sake and may never answer.
            raise _PoolBroken
        try:
            return unpack_chunk(task.future.result(self._patience()))
        except (ProcessExpired, MemoryError):
            raise _Died from None
        except ImportError:
            raise PipelineError(
                "a module that reads headers cannot be imported: install dicom-pipeline again"
            ) from None
        except TimeoutError:
            if task.future.done():
                raise _Hung from None
        except BrokenProcessPool:
            pass
        except Exception:
            raise _Failed from None
        self._discard(task.pool)
        raise _PoolBroken

    def _patience(self) -> float:
        """Seconds after which a task must have ended, those before it included.

        A worker killed while it writes to the pipe that all workers share leaves the pool waiting for ever, its own
        time limits included; nothing but this clock notices.
        """
        return (_CHUNKS_PER_WORKER + 1) * (self._file_seconds + CHUNK_FILES) + _POOL_GRACE_SECONDS


def _chunks(files: Iterable[FileEntry]) -> Iterator[_Chunk]:
    source = iter(files)
    while chunk := list(islice(source, CHUNK_FILES)):
        yield chunk

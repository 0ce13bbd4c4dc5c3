"""A worker process: how it starts, what it may use, what it does, when it ends.

Scope: everything that runs in a worker process, its start and the pipe to it. Which files it is given, and what becomes
of them if it dies, is in ``extraction.py``.
"""

import logging
import os
import resource
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from importlib.abc import MetaPathFinder
from multiprocessing import Pipe, parent_process, resource_tracker
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.tables.readers import MetadataReader, ReadJob
from dicom_pipeline.tables.schemas import metadata_schema

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_HEADROOM_BYTES = 1 << 30
_START_SECONDS = 120.0
_STARTING = threading.Lock()


class WorkerHung(Exception):
    """The worker took longer than it may and was killed."""


class WorkerDied(Exception):
    """The worker ended in the middle of its work, or ran out of memory."""


class ReaderFailed(Exception):
    """The reader broke its contract; nothing of what it said is kept."""


class _Failure(Enum):
    """Why a worker has no rows to answer with."""

    IMPORT = "a module cannot be imported"
    MEMORY = "out of memory"
    SHORTAGE = "no file descriptor or no memory to be had"
    RAISED = "the reader raised, or returned other rows than it promises"


class WorkerProcess(SpawnProcess):
    """A fresh interpreter that runs none of the caller's main script and never sees Ctrl-C."""

    def start(self) -> None:
        """Start the process.

        The standard library would import the caller's main script in the child first: seconds and much memory if it
        is Dagster's command, and an endless loop if it is a script without a guard. Nothing a worker runs is defined
        there, so the child is told of no such script. A blocked signal stays blocked across ``exec``: no worker
        prints a traceback when Ctrl-C hits it during its first imports.
        """
        # Its first start unblocks the signal behind our back.
        resource_tracker.ensure_running()
        with _STARTING, _without_main_script(sys.modules["__main__"]), _interrupt_blocked():
            super().start()


class Worker:
    """One worker process and the pipe to it, as its owner sees them.

    Nothing is shared between workers, neither a pipe nor a lock, so that one may be killed at any moment, in the middle
    of a message too, without another noticing.
    """

    def __init__(self, reader: MetadataReader) -> None:
        """Start the process; it is ready after ``wait_until_ready``."""
        self._connection, its_end = Pipe()
        self._given_up = False
        self._process = WorkerProcess(target=_serve, args=(its_end, reader), name="header-reader", daemon=True)
        try:
            self._process.start()
        finally:
            # Held open here, the end of the process would not end the pipe.
            its_end.close()

    def wait_until_ready(self) -> None:
        """Wait until the process has loaded what it needs.

        Raises:
            WorkerDied: It ended before, or took unreasonably long.
        """
        try:
            self._receive(_START_SECONDS)
        except WorkerHung:
            raise WorkerDied from None

    def read(self, entries: Sequence[FileEntry], job: ReadJob, seconds: float) -> pa.RecordBatch:
        """Have files read and return their rows, in ``seconds`` at most.

        Raises:
            WorkerHung: It took longer; the process is killed.
            WorkerDied: It ended on the way, or ran out of memory; the process is killed.
            ReaderFailed: The reader raised; the process is as it was.
            PipelineError: The system has no more files to give; likewise.
            ImportError: A module cannot be imported; the process is as it was.
        """
        try:
            self._connection.send((job, entries))
        except OSError:
            self.kill()
            raise WorkerDied from None
        reply = self._receive(seconds)
        if isinstance(reply, bytes):
            return pa.ipc.read_record_batch(pa.py_buffer(reply), metadata_schema())
        if reply is _Failure.IMPORT:
            raise ImportError
        if reply is _Failure.SHORTAGE:
            raise PipelineError("a process that reads headers could open no more files: see the system's limits")
        if reply is _Failure.MEMORY:
            # What is left in it is anybody's guess.
            self.kill()
            raise WorkerDied
        raise ReaderFailed

    def _receive(self, seconds: float) -> object:
        try:
            if self._connection.poll(seconds):
                return self._connection.recv()
        except (EOFError, OSError):
            self.kill()
            raise WorkerDied from None
        self.kill()
        raise WorkerHung

    @property
    def alive(self) -> bool:
        """Whether the process can be asked again."""
        # While another thread collects a dead child, it looks alive to this one.
        return not self._given_up and self._process.is_alive()

    def kill(self) -> None:
        """End the process, whatever it is doing; from any thread."""
        self._given_up = True
        self._process.kill()
        self._process.join()


@contextmanager
def _without_main_script(main: ModuleType) -> Iterator[None]:
    spec, file = main.__spec__, main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__spec__ = spec
        if file is not None:
            main.__file__ = file


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def initialize_worker() -> None:
    """Prepare a new worker: it dies with its parent, leaves no core, cannot take all memory, and says nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.meta_path.insert(0, _NoPandas())
    threading.Thread(target=_exit_with_parent, name="parent-watch", daemon=True).start()
    logging.disable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Arrow's allocator takes its arena, a whole gigabyte of address space, with the first array: not from the headroom.
    pa.array([0])
    _limit_memory(_HEADROOM_BYTES)


class _NoPandas(MetaPathFinder):
    """Lets nothing import pandas: pyarrow would with the first array it makes, half a second and 50 MB for nothing."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("a worker has no use for pandas", name=fullname)


def _exit_with_parent() -> None:
    """Wait for the parent's end, however it comes, and follow it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _limit_memory(headroom: int) -> None:
    """Let the process grow by ``headroom`` bytes of private writable memory, then make it fail to allocate.

    RLIMIT_DATA counts what may be written to; RLIMIT_AS would also count mapped files and what is only reserved.
    Where the kernel doesn't tell the present size, there is no limit.
    """
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = kilobytes * 1024 + headroom
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))


def _serve(connection: "Connection[object, object]", reader: MetadataReader) -> None:
    """Answer requests until the owner is gone."""
    initialize_worker()
    with suppress(EOFError, OSError):
        connection.send(None)
        while True:
            job, entries = cast("tuple[ReadJob, Sequence[FileEntry]]", connection.recv())
            connection.send(_answer(reader, job, entries))


def _answer(reader: MetadataReader, job: ReadJob, entries: Sequence[FileEntry]) -> "bytes | _Failure":
    """Read files and return their rows as one Arrow IPC message without the schema, or what went wrong.

    Of an exception only its kind travels: its text may quote a file.
    """
    try:
        batch = reader.read_batch(entries, job)
    except ImportError:
        return _Failure.IMPORT
    except MemoryError:
        return _Failure.MEMORY
    except PipelineError:
        return _Failure.SHORTAGE
    except Exception:
        return _Failure.RAISED
    promised = batch.num_rows == len(entries) and batch.schema.equals(metadata_schema())
    return bytes(batch.serialize()) if promised else _Failure.RAISED

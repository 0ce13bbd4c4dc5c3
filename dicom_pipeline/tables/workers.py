"""The inside of a worker process: how it starts, what it may use, what it does, when it ends.

Scope: everything that runs in a process of the pool, and the start of such a process. Which files it is given, and
what becomes of them if it dies, is in ``extraction.py``.
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
from importlib.abc import MetaPathFinder
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakSet

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.tables.readers import MetadataReader, ReadJob
from dicom_pipeline.tables.schemas import metadata_schema

_HEADROOM_BYTES = 1 << 30
_STARTING = threading.Lock()


class WorkerProcess(SpawnProcess):
    """A fresh interpreter that runs none of the caller's main script and never sees Ctrl-C."""

    def start(self) -> None:
        """Start the process.

        The standard library would import the caller's main script in the child first: seconds and much memory if it
        is Dagster's command, and an endless loop if it is a script without a guard. Nothing a worker runs is defined
        there, so the child is told of no such script. A blocked signal stays blocked across ``exec``: no worker
        prints a traceback when Ctrl-C hits it during its first imports.
        """
        with _STARTING, _without_main_script(sys.modules["__main__"]), _interrupt_blocked():
            super().start()


class WorkerContext(SpawnContext):
    """The context a pool makes its processes, pipes and locks from; knows the processes it made."""

    def __init__(self) -> None:
        self._processes: WeakSet[WorkerProcess] = WeakSet()

    def Process(self, *args: Any, **kwargs: Any) -> WorkerProcess:  # type: ignore[override]  # noqa: N802
        """Return a new process, not started."""
        process = WorkerProcess(*args, **kwargs)
        with _STARTING:
            self._processes.add(process)
        return process

    def terminate(self) -> None:
        """End all processes: one that is still starting would complain if its pool went first."""
        with _STARTING:
            for process in self._processes:
                if process.pid is not None:
                    process.terminate()


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


def read_chunk(reader: MetadataReader, job: ReadJob, entries: Sequence[FileEntry]) -> bytes:
    """Read some files and return their rows as one Arrow IPC message, without the schema.

    Raises:
        ValueError: The reader broke its promise of one row of ``metadata_schema()`` for each file.
    """
    batch = reader.read_batch(entries, job)
    if batch.num_rows != len(entries) or not batch.schema.equals(metadata_schema()):
        raise ValueError("the reader did not return one row of the schema for each file")
    return bytes(batch.serialize())


def unpack_chunk(message: bytes) -> pa.RecordBatch:
    """Return the rows of ``read_chunk``, without copying them."""
    return pa.ipc.read_record_batch(pa.py_buffer(message), metadata_schema())

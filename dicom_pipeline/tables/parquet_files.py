"""One Parquet file, written so that it is there whole or not at all, and readable by its owner only.

Scope: drafts (temporary files beside their target), their clean-up after a killed writer, and reading with errors a
person can act on. Functions of paths and nothing else touch the file system here, so that another file system can
take their place. Which files there are, and what is in them, is decided by the callers.
"""

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from dicom_pipeline.archive.directories import make_private_directories
from dicom_pipeline.errors import StagingError

_ROW_GROUP_ROWS = 16_384
_ROW_GROUP_BYTES = 32 << 20
_READ_ROWS = 8_192
_SUFFIX = ".draft"


@dataclass(frozen=True, slots=True)
class StagedFile:
    """What was written: rows, and bytes on disk."""

    rows: int
    bytes: int


class Draft:
    """A Parquet file in the making, beside its target under a temporary name; dropped unless committed.

    The open draft holds a lock that the operating system gives up with the process, whatever ends it: a draft
    without a lock is a dead writer's, and the next draft of the same target deletes it.
    """

    def __init__(self, target: Path, label: str) -> None:
        """``label`` names the target in messages."""
        self.target = target
        self._label = label

    def __enter__(self) -> Self:
        with _as_staging_error(self._label, "cannot be written"):
            make_private_directories(self.target.parent)
            _delete_dead_drafts(self.target)
            self.path, self._handle = _create_draft(self.target)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After a commit the temporary name is gone and there is nothing to drop.
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        os.close(self._handle)

    def write(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema, metadata: Mapping[str, str]) -> StagedFile:
        """Stream batches into the draft; errors of the batches' own source pass through unchanged.

        Args:
            batches: Rows of ``schema``; a ``RecordBatchReader`` will do.
            schema: Schema of the file; its field metadata is kept.
            metadata: Texts kept with the file, readable without its rows.

        Raises:
            StagingError: The disk is full or failing.
        """
        described = schema.with_metadata({**(schema.metadata or {}), **metadata})
        rows = 0
        with _Writer(self._handle, described, self._label) as writer:
            for table in _row_groups(batches, described):
                writer.write(table)
                rows += table.num_rows
        return StagedFile(rows, os.fstat(self._handle).st_size)

    def read(self, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """Read back what was written; see ``read_batches``."""
        return read_batches(self.path, self._label, columns)

    def commit(self) -> None:
        """Give the draft its target's name, durably.

        Raises:
            StagingError: The file system refused; the target is as it was.
        """
        with _as_staging_error(self._label, "cannot be written"):
            os.replace(self.path, self.target)
            _sync_directory(self.target.parent)


class _Writer:
    """A Parquet writer whose own failures are ``StagingError``, told apart from those of the rows' source."""

    def __init__(self, handle: int, schema: pa.Schema, label: str) -> None:
        self._label = label
        self._sink = os.fdopen(os.dup(handle), "wb")
        self._writer = pq.ParquetWriter(self._sink, schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _as_staging_error(self._label, "cannot be written"), self._sink:
            self._writer.close()
            if kind is None:
                self._sink.flush()
                os.fsync(self._sink.fileno())

    def write(self, table: pa.Table) -> None:
        with _as_staging_error(self._label, "cannot be written"):
            self._writer.write_table(table, row_group_size=_ROW_GROUP_ROWS)


def read_batches(path: Path, label: str, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """Stream a Parquet file, some thousand rows at a time.

    Args:
        path: The file.
        label: What to call it in messages.
        columns: Names of the columns wanted, None for all.

    Raises:
        StagingError: The file is missing or not readable, now or while the reader is used.
    """
    file = open_parquet(path, label)
    schema = file.schema_arrow
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns], schema.metadata)
    return pa.RecordBatchReader.from_batches(schema, _batches(file, label, columns))


def _batches(file: pq.ParquetFile, label: str, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    with file, _as_staging_error(label, "is damaged"):
        for batch in file.iter_batches(_READ_ROWS, columns=columns):
            # Parquet gives columns in the file's order.
            yield batch if columns is None else batch.select(list(columns))


def open_parquet(path: Path, label: str) -> pq.ParquetFile:
    """Open a Parquet file and read its footer.

    Raises:
        StagingError: The file is missing or its footer is not readable.
    """
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise StagingError(f"{label} is missing: run the asset that writes it") from None
    except (pa.ArrowException, OSError):
        raise StagingError(f"{label} is not readable: run the asset that writes it again") from None


def file_metadata(path: Path, label: str) -> dict[str, str]:
    """Return the texts that were written with the file, without reading its rows.

    Raises:
        StagingError: The file is missing or its footer is not readable.
    """
    with open_parquet(path, label) as file:
        found = file.schema_arrow.metadata or {}
    return {key.decode(): value.decode() for key, value in found.items()}


def _row_groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Gather batches into tables of a row group's size, so that small batches do not make a fragmented file."""
    gathered: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        gathered.append(batch)
        rows += batch.num_rows
        size += batch.get_total_buffer_size()
        if rows >= _ROW_GROUP_ROWS or size >= _ROW_GROUP_BYTES:
            yield pa.Table.from_batches(gathered, schema=schema)
            gathered, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(gathered, schema=schema)


@contextmanager
def _as_staging_error(label: str, what: str) -> Iterator[None]:
    """Replace errors of Arrow and of the operating system, which may quote values, by one line."""
    try:
        yield
    except OSError as error:
        detail = os.strerror(error.errno) if error.errno else "input/output error"
        raise StagingError(f"{label} {what}: {detail}") from None
    except pa.ArrowException as error:
        raise StagingError(f"{label} {what}: {type(error).__name__}") from None


def _create_draft(target: Path) -> tuple[Path, int]:
    while True:
        path = target.with_name(f".{target.name}.{secrets.token_hex(8)}{_SUFFIX}")
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.fchmod(handle, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        # Between creation and lock another writer may have taken the draft for a dead one.
        if path.exists():
            return path, handle
        os.close(handle)


def is_draft_of(target: Path, name: str) -> bool:
    """Tell whether ``name`` is the temporary name of a draft of ``target``, in the same directory."""
    return name.startswith(f".{target.name}.") and name.endswith(_SUFFIX)


def _delete_dead_drafts(target: Path) -> None:
    for path in target.parent.iterdir():
        if is_draft_of(target, path.name):
            with suppress(OSError):
                _delete_if_unlocked(path)


def _delete_if_unlocked(path: Path) -> None:
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(handle)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

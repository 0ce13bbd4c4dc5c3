"""Headers of any files into one Parquet file: no dates, no database, no Dagster.

Scope: what the command ``extract`` does. Which files a list of paths amounts to, what they are called in the output,
and the stream from there into the file. A file has no partition here, so neither its date nor a second file of the
same SOP instance rejects it.
"""

import datetime as dt
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.archive.paths import display_path
from dicom_pipeline.archive.problems import NOT_A_FILE, problem_of
from dicom_pipeline.dicom.records import OnInvalidValue
from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.listing import files_batch
from dicom_pipeline.tables.metadata import OutcomeCounts, count_outcomes
from dicom_pipeline.tables.parquet_files import Draft, is_draft_of
from dicom_pipeline.tables.readers import MetadataReader, ReadJob
from dicom_pipeline.tables.schemas import metadata_schema

_LABEL = "the output file"
_PARQUET_MAGIC = b"PAR1"
_LISTED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class ExtractSummary:
    """What an extraction amounted to."""

    counts: OutcomeCounts
    read_by: dict[str, int]
    bytes_written: int
    seconds: float

    @property
    def listed(self) -> int:
        """Files found below the paths, each one row."""
        return self.counts.accepted + self.counts.rejected

    def as_json(self) -> dict[str, Any]:
        """Return the summary as the command's ``--json`` prints it."""
        return {
            "files": {
                "listed": self.listed,
                "accepted": self.counts.accepted,
                "rejected": self.counts.rejected,
                "rejected_by_reason": self.counts.rejected_by_reason,
                "read_by": self.read_by,
            },
            "bytes_written": self.bytes_written,
            "seconds": round(self.seconds, 3),
        }

    def rows(self) -> list[tuple[str, int | float]]:
        """Return the summary as names and values for a person."""
        return [
            ("files listed", self.listed),
            ("files accepted", self.counts.accepted),
            ("files rejected", self.counts.rejected),
            *((f"  {reason}", count) for reason, count in self.counts.rejected_by_reason.items()),
            *((f"files read by {reader}", count) for reader, count in self.read_by.items()),
            ("bytes written", self.bytes_written),
            ("seconds", round(self.seconds, 1)),
        ]


def extract_to_file(
    paths: Sequence[str | Path],
    out: str | Path,
    tenant: str,
    reader: str | MetadataReader = "auto",
    policy: OnInvalidValue = OnInvalidValue.REJECT,
    progress: Callable[[int], None] | None = None,
) -> ExtractSummary:
    """Write one row of ``metadata_schema()`` for every file below ``paths``; ``out`` appears when it is complete.

    A row's ``path`` is the given path joined with the file's path below it. Where paths overlap, a file counts once,
    under the first of them. ``out`` itself is never read.

    Args:
        paths: Files and directories.
        out: The Parquet file, replaced if it exists; readable by its owner only.
        tenant: Tenant id of every row.
        reader: Name of a reader, or a reader.
        policy: What becomes of a file whose optional value is invalid.
        progress: Called now and then with the number of files finished so far.

    Raises:
        ConfigurationError: A path does not exist, ``out`` is one of the paths or would replace a file that is not
            Parquet, or there is no such reader.
        ArchiveError: A directory cannot be listed.
        StagingError: ``out`` cannot be written.
        PipelineError: Worker processes cannot be started.
    """
    started = time.monotonic()
    target = Path(os.path.realpath(out))
    sources = _sources(paths, target)
    clock = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    job = ReadJob("/", tenant, policy, clock)
    files = _NamedFiles(_files(sources, target))
    with Extractor(reader) as extractor, Draft(target, _LABEL) as draft:
        extraction = extractor.extract(files, job)
        batches = _with_progress(map(files.rename, extraction), progress)
        written = draft.write(batches, metadata_schema(), {})
        counts = count_outcomes(draft.read(["outcome", "reason", "findings"]))
        draft.commit()
    return ExtractSummary(counts, dict(extraction.read_by), written.bytes, time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class _Source:
    """One of the given paths.

    Attributes:
        shown: The path as it was given.
        real: The same with every link resolved.
    """

    shown: str
    real: str


@dataclass(frozen=True, slots=True)
class _NamedFile:
    """A file, its entry relative to the root of the file system, and its path in the output."""

    entry: FileEntry
    shown: str


class _NamedFiles:
    """Passes entries on to the extractor, and gives the rows that come back the names of their files.

    Rows come back one a file in the order of the entries, so that the names form a queue no longer than the number
    of files under way.
    """

    def __init__(self, files: Iterable[_NamedFile]) -> None:
        self._files = files
        self._under_way: deque[str] = deque()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        source = iter(self._files)
        while chunk := list(islice(source, _LISTED_AT_ONCE)):
            self._under_way.extend(display_path(file.shown) for file in chunk)
            yield files_batch([file.entry for file in chunk])

    def rename(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = [self._under_way.popleft() for _ in range(batch.num_rows)]
        position = batch.schema.get_field_index("path")
        return batch.set_column(position, batch.schema.field(position), pa.array(names, pa.string()))


def _sources(paths: Sequence[str | Path], target: Path) -> list[_Source]:
    sources = []
    for number, path in enumerate(paths, 1):
        source = _Source(os.fspath(path), os.path.realpath(path))
        if not os.path.exists(source.real):
            raise ConfigurationError(f"path {number} of {len(paths)} does not exist or cannot be reached")
        if source.real == str(target):
            raise ConfigurationError(f"path {number} of {len(paths)} is the output file: choose another output file")
        sources.append(source)
    _refuse_to_replace(target)
    return sources


def _refuse_to_replace(target: Path) -> None:
    """Refuse an output path that holds anything but Parquet: it may be a file of the archive."""
    if not target.exists():
        return
    if target.is_file():
        with target.open("rb") as stream:
            if stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC:
                return
    raise ConfigurationError("the output path holds something that is not a Parquet file: remove it or choose another")


def _files(sources: Sequence[_Source], target: Path) -> Iterator[_NamedFile]:
    taken: set[str] = set()
    for source in sources:
        for file in _files_of(source):
            real = "/" + file.entry.path
            if not _is_below(real, taken) and not _is_output(real, target):
                yield file
        taken.add(source.real)


def _files_of(source: _Source) -> Iterator[_NamedFile]:
    if not os.path.isdir(source.real):
        yield _NamedFile(_entry_of_file(source.real), source.shown)
        return
    below = source.real.strip("/")
    for entry in LocalStore(source.real).walk(""):
        absolute = FileEntry(os.path.join(below, entry.path), entry.size, entry.mtime_ns, entry.problem)
        yield _NamedFile(absolute, os.path.join(source.shown, entry.path))


def _entry_of_file(real: str) -> FileEntry:
    path = real.lstrip("/")
    try:
        status = os.stat(real)
    except OSError as error:
        return FileEntry(path, None, None, problem_of(error))
    if not stat.S_ISREG(status.st_mode):
        return FileEntry(path, None, None, NOT_A_FILE)
    return FileEntry(path, status.st_size, status.st_mtime_ns)


def _is_below(real: str, taken: set[str]) -> bool:
    """Tell whether a path or one of its parents was taken before."""
    return bool(taken) and (real in taken or any(str(parent) in taken for parent in Path(real).parents))


def _is_output(real: str, target: Path) -> bool:
    directory, name = os.path.split(real)
    return directory == str(target.parent) and (name == target.name or is_draft_of(target, name))


def _with_progress(
    batches: Iterable[pa.RecordBatch], progress: Callable[[int], None] | None
) -> Iterator[pa.RecordBatch]:
    done = 0
    for batch in batches:
        done += batch.num_rows
        if progress is not None:
            progress(done)
        yield batch

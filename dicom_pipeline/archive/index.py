"""The date of every file of an archive whose directories do not tell it.

Scope: the layout ``any``. The index remembers path, size, time of modification and study date of every entry, and is
brought up to date by listing the archive and reading only what is new or changed. It does not read files itself:
whoever updates it says how a study date is found. Its file is in ``index_file.py``.
"""

import datetime as dt
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from dicom_pipeline.archive.directories import make_private_directories
from dicom_pipeline.archive.entries import ArchiveStore, FileEntry
from dicom_pipeline.archive.index_file import IndexFileError, IndexWriter, groups_with, open_index, read_batches
from dicom_pipeline.archive.known import KnownEntries, state_of
from dicom_pipeline.errors import ArchiveError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

T = TypeVar("T")

DateAnswer: TypeAlias = dt.date | str | None
"""What reading a file for its study date gives: the date; None if it has no usable one; or the code of the problem
(``problems.py``) if the file could not be read, which is tried again at the next update."""

ReadDates: TypeAlias = Callable[[Sequence[FileEntry]], Sequence[DateAnswer]]

_LISTED_AT_ONCE = 8192
_READ_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class IndexChange:
    """What an update found.

    Attributes:
        added: Entries that are new.
        changed: Entries whose size, time of modification, problem or date differs.
        removed: Entries that are gone.
        dates_touched: Dates that gained, lost or changed an entry; None among them stands for the undated entries.
    """

    added: int
    changed: int
    removed: int
    dates_touched: frozenset[dt.date | None]


class ArchiveIndex:
    """The index of one archive. Updates of one index wait for each other; readers never see half an update."""

    def __init__(self, path: Path) -> None:
        """Name the index file, which the first update makes."""
        self._path = path

    def update(self, store: ArchiveStore, read_dates: ReadDates) -> IndexChange:
        """List the whole archive and bring the index up to date with it.

        ``read_dates`` is asked only for entries that are new, have changed or could not be read the last time, at
        most 512 at once, and never for those the listing has a problem with. A damaged index is made anew. Until
        the new index is complete the old one stands; if nothing changed it is not written.

        Raises:
            ArchiveError: The archive cannot be listed.
        """
        make_private_directories(self._path.parent)
        # The spill file has no name: nothing is left of it, however this process ends.
        with (
            self._alone(),
            tempfile.TemporaryFile(dir=self._path.parent) as spill,
            IndexWriter(spill) as writer,
        ):
            change, usable = self._compare(store, read_dates, writer)
            if change.dates_touched or not usable:
                self._replace(writer)
        return change

    def dates(self) -> list[dt.date]:
        """Return every study date of the archive, ascending.

        Raises:
            ArchiveError: There is no usable index.
        """
        import pyarrow.compute as pc

        found: set[dt.date | None] = set()
        with self._opened() as file:
            for batch in read_batches(file, ["study_date"]):
                found.update(pc.unique(batch.column(0)).to_pylist())
        return sorted(date for date in found if date is not None)

    def files(self, date: dt.date) -> Iterator[FileEntry]:
        """Yield the entries of a study date, in the order of the archive's listing.

        Raises:
            ArchiveError: There is no usable index.
        """
        return self._entries(date)

    def undated(self) -> Iterator[FileEntry]:
        """Yield the entries without a usable study date, whatever the cause, in the order of the archive's listing.

        Raises:
            ArchiveError: There is no usable index.
        """
        return self._entries(None)

    def _entries(self, date: dt.date | None) -> Iterator[FileEntry]:
        import pyarrow.compute as pc

        with self._opened() as file:
            for batch in read_batches(file, groups=groups_with(file, date)):
                days = batch.column("study_date")
                rows = batch.filter(pc.is_null(days) if date is None else pc.equal(days, date))
                for row in rows.to_pylist():
                    yield FileEntry(os.fsdecode(row["path"]), row["size"], row["mtime_ns"], row["problem"])

    @contextmanager
    def _opened(self) -> Iterator["pq.ParquetFile"]:
        try:
            with open_index(self._path) as file:
                yield file
        except (FileNotFoundError, IndexFileError):
            raise ArchiveError("the archive's index of dates is missing or damaged: update the index") from None

    def _compare(self, store: ArchiveStore, read_dates: ReadDates, writer: IndexWriter) -> tuple[IndexChange, bool]:
        """Pass the whole listing to the writer; return what has changed, and whether there was a usable index.

        What was known is forgotten on return: memory for it and for the writing is not needed at the same time.
        """
        try:
            known, usable = KnownEntries.load(self._path), True
        except (FileNotFoundError, IndexFileError):
            known, usable = KnownEntries.none(), False
        update = _Update(known, read_dates, writer)
        for entries in _batches(store.walk(""), _LISTED_AT_ONCE):
            update.take(entries)
        return update.finish(), usable

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other process updates this index, and keep others waiting."""
        lock = self._path.with_name(f".{self._path.name}.lock")
        with open(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _replace(self, writer: IndexWriter) -> None:
        # One fixed name: what a killed update left is overwritten by the next.
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            writer.write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        _sync_directory(self._path.parent)


class _Update:
    """One update on its way: what was known, and what has changed so far."""

    def __init__(self, known: KnownEntries, read_dates: ReadDates, writer: IndexWriter) -> None:
        self._known = known
        self._read_dates = read_dates
        self._writer = writer
        self._added = 0
        self._changed = 0
        self._touched: set[dt.date | None] = set()

    def take(self, entries: list[FileEntry]) -> None:
        """Find the dates of listed entries and pass them on to the new index."""
        places = self._known.find(entries)
        dates: list[dt.date | None] = [None] * len(entries)
        to_read = []
        for number, (entry, place) in enumerate(zip(entries, places, strict=True)):
            if place is not None and self._known.state(place) == _state(entry):
                dates[number] = self._known.date(place)
            elif entry.problem is None:
                to_read.append(number)
        for numbers in _batches(to_read, _READ_AT_ONCE):
            answers = self._read_dates([entries[number] for number in numbers])
            for number, answer in zip(numbers, answers, strict=True):
                entries[number], dates[number] = _answered(entries[number], answer)
        for entry, place, date in zip(entries, places, dates, strict=True):
            self._note(entry, place, date)
        self._writer.add(entries, dates)

    def _note(self, entry: FileEntry, place: int | None, date: dt.date | None) -> None:
        if place is None:
            self._added += 1
            self._touched.add(date)
        elif (self._known.state(place), self._known.date(place)) != (_state(entry), date):
            self._changed += 1
            self._touched |= {self._known.date(place), date}

    def finish(self) -> IndexChange:
        """Return what has changed, now that the listing is at its end."""
        removed, dates = self._known.not_met()
        return IndexChange(self._added, self._changed, removed, frozenset(self._touched | dates))


def _state(entry: FileEntry) -> int:
    return state_of(entry.size, entry.mtime_ns, entry.problem)


def _answered(entry: FileEntry, answer: DateAnswer) -> tuple[FileEntry, dt.date | None]:
    if isinstance(answer, str):
        # With a problem in it the entry differs from the next listing's, which is why it will be read again.
        return replace(entry, problem=answer), None
    return entry, answer


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

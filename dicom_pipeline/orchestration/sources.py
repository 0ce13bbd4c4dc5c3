"""Which files belong to a date: the layouts behind one interface.

Scope: joins an archive's settings, its store and, where the date is known from the files only, its index, and says
which dates can be loaded at all. No Dagster.
"""

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dicom_pipeline.archive.entries import ArchiveStore, EntryRow, FileEntry
from dicom_pipeline.archive.index import ArchiveIndex, IndexChange
from dicom_pipeline.archive.layouts import DateDirectories, DateListing
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline.tables.study_dates import DateReader

EARLIEST_DATE = dt.date(1000, 1, 1)
MOST_DAYS_AHEAD = 3653


def can_be_loaded(date: dt.date) -> bool:
    """Tell whether a date can have a partition.

    Dagster writes years before 1000 as keys it cannot read again, and counts through every day ahead of today whenever
    it is asked for the last partition: one file dated 9999 would keep it busy for minutes at each step.
    """
    return EARLIEST_DATE <= date <= dt.datetime.now(dt.UTC).date() + dt.timedelta(days=MOST_DAYS_AHEAD)


class DateSource(Protocol):
    """The files of an archive, by date."""

    @property
    def root(self) -> str:
        """The archive's root, absolute."""

    def listing(self) -> DateListing:
        """Return every date the archive has files for, and how many entries belong to none.

        Raises:
            ArchiveError: The root cannot be listed.
        """

    def rows(self, date: dt.date) -> Iterator[EntryRow]:
        """Yield the entries of a date, in a fixed order; none if the date has none."""


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """An archive whose date is a component of the path."""

    root: str
    store: ArchiveStore
    layout: DateDirectories

    def listing(self) -> DateListing:
        """See ``DateSource``."""
        return self.layout.dates(self.store)

    def rows(self, date: dt.date) -> Iterator[EntryRow]:
        """See ``DateSource``; a directory that has disappeared has no entries."""
        return self.layout.rows(self.store, date)


@dataclass(frozen=True, slots=True)
class IndexedSource:
    """An archive whose dates are known from inside the files.

    Files without a study date that can be loaded count under the partition ``undated``, to be rejected there.
    """

    root: str
    store: LocalStore
    index: ArchiveIndex
    undated: dt.date

    def refresh(self, reader: str) -> IndexChange:
        """Bring the index up to date with the archive, reading new and changed files only, with the reader named."""
        return self.index.update(self.store, DateReader(self.store, reader).read)

    def listing(self) -> DateListing:
        """See ``DateSource``: every file belongs to a date here."""
        known = self.index.dates()
        dates = {date for date in known if can_be_loaded(date)}
        if len(dates) < len(known) or next(self.index.undated(), None) is not None:
            dates.add(self.undated)
        return DateListing(sorted(dates), outside=0)

    def rows(self, date: dt.date) -> Iterator[EntryRow]:
        """See ``DateSource``."""
        return ((os.fsencode(e.path), e.size, e.mtime_ns, e.problem) for e in self._files(date))

    def _files(self, date: dt.date) -> Iterator[FileEntry]:
        yield from self.index.files(date)
        if date == self.undated:
            yield from self.index.undated()
            for other in self.index.dates():
                if not can_be_loaded(other):
                    yield from self.index.files(other)


def date_source(archive: Archive, staging: Staging) -> DirectorySource | IndexedSource:
    """Return the source of an archive's files."""
    root = str(Path(archive.root).absolute())
    store = LocalStore(root)
    if archive.layout == "date_directories":
        return DirectorySource(root, store, DateDirectories(archive.date_format))
    return IndexedSource(root, store, ArchiveIndex(staging.index_path(archive.tenant)), archive.first_partition)

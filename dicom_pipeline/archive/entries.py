"""What a listing yields, and the interface through which files are listed and opened.

Scope: the value types shared by every layout and store. Local paths are behind ``ArchiveStore`` in ``local.py``; an
object store follows by implementing the same methods.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeAlias

from dicom_pipeline.errors import ArchiveError


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of a listing.

    Attributes:
        path: Path relative to the archive's root, ``/``-separated, as Python's file system decoding gives it
            (surrogate escapes stand for bytes that are not UTF-8), so that it opens exactly this file.
        size: Bytes, or None if it could not be asked.
        mtime_ns: Time of modification in nanoseconds since 1970, or None.
        problem: Reason code if the entry cannot be read at all (permission, broken link, not a file, ...).
    """

    path: str
    size: int | None
    mtime_ns: int | None
    problem: str | None = None


EntryRow: TypeAlias = tuple[bytes, int | None, int | None, str | None]
"""An entry as millions of them pass by: the exact bytes of its path, size, time of modification, problem."""


class DirectoryVanished(ArchiveError):
    """The directory to be listed is not there, though the archive's root is."""


class ArchiveStore(Protocol):
    """Where an archive's bytes are: the only door to them. Nothing is ever written, renamed or moved."""

    def subdirectories(self, directory: str) -> list[str]:
        """Return the names of the directories directly below ``directory`` ('' is the root), sorted.

        Raises:
            ArchiveError: The directory cannot be listed.
        """

    def count_others(self, directory: str) -> int:
        """Return how many entries directly below ``directory`` are not among its ``subdirectories``.

        Raises:
            ArchiveError: The directory cannot be listed.
        """

    def walk(self, directory: str) -> Iterator[FileEntry]:
        """Yield every entry below ``directory`` that is not a directory, in a fixed order, problems included.

        Raises:
            DirectoryVanished: ``directory`` is not there.
            ArchiveError: ``directory`` itself cannot be listed, or an error that is no matter of permission hides
                part of what is below it.
        """

    def rows(self, directory: str) -> Iterator[EntryRow]:
        """Yield what ``walk`` does, as rows."""

    def open(self, path: str) -> BinaryIO:
        """Open a regular file unbuffered for reading and seeking; never blocks on a pipe or a device.

        Raises:
            OSError: As the operating system says.
        """

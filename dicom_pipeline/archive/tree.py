"""The walk over a local directory tree.

Scope: names, links and kinds of entries as the operating system shows them, and what changes under our feet. Paths are
bytes: names need not be UTF-8, and are sorted by their bytes.
"""

import errno
import os
import stat
from collections.abc import Generator, Iterator
from typing import TypeAlias

from dicom_pipeline.archive.entries import EntryRow
from dicom_pipeline.archive.problems import LINK_OUTSIDE_ARCHIVE, NOT_A_FILE, listing_error, problem_of

# Errors that concern the one directory that could not be listed. Any other (a disk or network error, no more file
# descriptors) would hide rows that a load then deletes, so the whole listing fails.
_ENTRY_ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


# From so many names on, asking below an open directory saves more than opening it costs.
_MANY_NAMES = 16

_Directory: TypeAlias = tuple[bytes, list[bytes]]
"""The path of a directory and the names in it that are still to be looked at, the next one last."""


class Tree:
    """A directory and all below it.

    Attributes:
        root: Its path, absolute and without links.
        prefix: What comes before a path relative to it.
    """

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.prefix = root.rstrip(b"/") + b"/"

    def inside(self, real_path: bytes) -> bool:
        """Tell whether a path without links lies in the tree."""
        return real_path == self.root or real_path.startswith(self.prefix)

    def entries(self, start: bytes, names: list[bytes]) -> Iterator[EntryRow]:
        """Yield every entry below ``start`` (relative to the root), in which these names are, the next one last."""
        # A stack instead of recursion: no depth of directories can exhaust Python's.
        seen = {_identity(os.stat(self.prefix + start))}
        pending = [(start, names)]
        while pending:
            entered = yield from self._until_directory(pending[-1], seen)
            if entered is None:
                pending.pop()
            else:
                pending.append(entered)

    def _until_directory(self, listed: _Directory, seen: set[int]) -> Generator[EntryRow, None, _Directory | None]:
        """Yield entries up to the next directory, and return that; None if there is no other.

        Every file of an archive passes through this loop: asking for its status is nearly all that it may cost.
        """
        parent, names = listed
        prefix = join(parent, b"")
        place, handle = self.prefix + prefix, None
        try:
            while names:
                name = names.pop()
                try:
                    status = os.stat(place + name, dir_fd=handle, follow_symlinks=False)
                except OSError as error:
                    yield prefix + name, None, None, problem_of(error)
                    continue
                if stat.S_ISREG(status.st_mode):
                    yield prefix + name, status.st_size, status.st_mtime_ns, None
                    if handle is None and len(names) > _MANY_NAMES:
                        place, handle = _held(place)
                    continue
                found = self._look_closer(prefix + name, status, seen)
                if isinstance(found, list):
                    return prefix + name, found
                yield found
        finally:
            if handle is not None:
                os.close(handle)
        return None

    def _look_closer(self, path: bytes, status: os.stat_result, seen: set[int]) -> EntryRow | list[bytes]:
        """Return the row of what is no plain file, or the names in a directory (none if it was entered before)."""
        try:
            behind = self.resolved(self.prefix + path, status)
        except OSError as error:
            return path, None, None, problem_of(error)
        if behind is None:
            return path, None, None, LINK_OUTSIDE_ARCHIVE
        if stat.S_ISREG(behind.st_mode):
            return path, behind.st_size, behind.st_mtime_ns, None
        if not stat.S_ISDIR(behind.st_mode):
            return path, None, None, NOT_A_FILE
        # A link may lead back to any directory, so each of them is remembered.
        if _identity(behind) in seen:
            return []
        seen.add(_identity(behind))
        return self._enter(path)

    def _enter(self, path: bytes) -> EntryRow | list[bytes]:
        try:
            return names_in(self.prefix + path)
        except OSError as error:
            if error.errno in _ENTRY_ERRORS:
                return path, None, None, problem_of(error)
            code = error.errno
        raise listing_error(f"a directory inside the archive {system_text(code)}: load again when that is mended", code)

    def resolved(self, full: bytes, status: os.stat_result) -> os.stat_result | None:
        """Return the status, or of a link that of its end; None if that leads out of the archive."""
        if not stat.S_ISLNK(status.st_mode):
            return status
        # Where it leads comes first: what is outside is not even asked for its status.
        return os.stat(full) if self.inside(os.path.realpath(full)) else None


def system_text(code: int | None) -> str:
    """Return what the system says of an error, which names no path."""
    return f"cannot be listed ({os.strerror(code or errno.EIO)})"


def join(parent: bytes, name: bytes) -> bytes:
    """Return the path of a name in a directory; that of the root is empty."""
    return parent + b"/" + name if parent else name


def _identity(status: os.stat_result) -> int:
    # One integer takes half the memory of a pair, which counts where every file has a directory of its own.
    return status.st_dev << 64 | status.st_ino


def _held(place: bytes) -> tuple[bytes, int | None]:
    """Return what to put before a name, and the handle of the directory it then is a name in, if one can be had."""
    try:
        return b"", os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return place, None


def names_in(full: bytes) -> list[bytes]:
    """Return the names in a directory in descending order of their bytes, for taking them from the end."""
    return sorted(os.listdir(full), reverse=True)

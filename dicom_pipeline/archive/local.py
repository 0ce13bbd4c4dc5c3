"""An archive on a local path: a disk, or a network share that is mounted.

Scope: the store's methods and what they say when the system refuses. How a tree is walked and where links lead is in
``tree.py``, which directory means which date in ``layouts.py``, what is inside a file in ``dicom/``.

Paths are bytes inside this module: names need not be UTF-8, and are sorted by their bytes.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from typing import BinaryIO

from dicom_pipeline.archive.entries import DirectoryVanished, EntryRow, FileEntry
from dicom_pipeline.archive.problems import listing_error
from dicom_pipeline.archive.tree import Tree, join, names_in, system_text
from dicom_pipeline.errors import ArchiveError, ConfigurationError

# Neither blocks on a pipe nor makes a terminal ours, and no child process inherits it.
OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""How files of an archive are opened."""

# Directories below the root may be named after patients. Only what can be nothing but a date may be told in a message.
_DATE_PLACE = re.compile(
    r"(?:year=)?(?:19|20)[0-9]{2}"
    r"(?:[-/]?(?:month=)?(?:0[1-9]|1[0-2])(?:[-/]?(?:day=)?(?:0[1-9]|[12][0-9]|3[01]))?)?"
)


class LocalStore:
    """An ``ArchiveStore`` over one directory. Holds no open files, may be shared by threads and sent to processes."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        """Take the archive's root, which need not exist yet; links in it are resolved now.

        Raises:
            ConfigurationError: The path is empty or holds a NUL character.
        """
        self.root = os.fspath(root)
        if not self.root or "\0" in self.root:
            raise ConfigurationError("the archive's path is empty or holds a NUL character: name a directory")
        self._tree = Tree(os.path.realpath(os.fsencode(self.root)))

    @property
    def inside_prefix(self) -> bytes:
        """Real path of the root with a slash behind it: how the real path of everything inside begins."""
        return self._tree.prefix

    def check(self) -> None:
        """Make sure that the root can be listed.

        Raises:
            ArchiveError: It is missing, not a directory or not readable.
        """
        try:
            os.listdir(os.path.join(self._tree.root, b""))
            if os.access(self._tree.root, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
                return
            code = errno.EACCES
        except OSError as error:
            code = error.errno or errno.EIO
        raise listing_error(f"the archive's root {self.root!r} {_ROOT_TROUBLE.get(code) or system_text(code)}", code)

    def subdirectories(self, directory: str) -> list[str]:
        """Return the names of the directories directly below ``directory``, by their bytes; see ``ArchiveStore``.

        A link to a directory inside the archive is one; a link that leads outside is not.
        """
        return [os.fsdecode(name) for name, is_directory in self._children(directory) if is_directory]

    def count_others(self, directory: str) -> int:
        """Return how many entries directly below ``directory`` are no directories; see ``ArchiveStore``."""
        return sum(not is_directory for _, is_directory in self._children(directory))

    def walk(self, directory: str) -> Iterator[FileEntry]:
        """Yield every entry below ``directory``, depth first, names by their bytes; see ``ArchiveStore``.

        Links inside the archive are followed; each directory is entered once a walk, so loops end.
        """
        rows = self.rows(directory)
        return (FileEntry(os.fsdecode(path), size, mtime_ns, problem) for path, size, mtime_ns, problem in rows)

    def rows(self, directory: str) -> Iterator[EntryRow]:
        """Yield what ``walk`` does, as rows: one question to the system an entry, and little else."""
        start = os.fsencode(directory)
        names = self._list_start(start)
        return self._tree.entries(start, names)

    def open(self, path: str) -> BinaryIO:
        """Open a regular file unbuffered; see ``ArchiveStore``. No error tells the path.

        Raises:
            OSError: As the operating system says; EACCES for a path that leads outside the archive, ENXIO for what is
                not a regular file.
        """
        return os.fdopen(self.open_descriptor(os.fsencode(path)), "rb", buffering=0)

    def open_descriptor(self, path: bytes) -> int:
        """Open a regular file as ``open`` does, and return the descriptor, which is the caller's to close.

        Raises:
            OSError: As ``open`` does.
        """
        return self._open_own(path, OPEN_FLAGS, stat.S_IFREG)

    def open_directory(self, path: bytes) -> int:
        """Open a directory, for ``dir_fd``, and return the descriptor, which is the caller's to close.

        Raises:
            OSError: As the operating system says; EACCES for a path that leads outside the archive.
        """
        return self._open_own(path, OPEN_FLAGS | os.O_DIRECTORY, stat.S_IFDIR)

    def _open_own(self, path: bytes, flags: int, kind: int) -> int:
        descriptor = -1
        try:
            if b"\0" in path:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            full = self._tree.prefix + path
            descriptor = os.open(full, flags)
            self._refuse_all_but_own(descriptor, full, kind)
            return descriptor
        except OSError as error:
            if descriptor >= 0:
                os.close(descriptor)
            # Python's own error names the file.
            raise OSError(error.errno, error.strerror) from None

    def _refuse_all_but_own(self, descriptor: int, full: bytes, kind: int) -> None:
        # Asked of the open file, not of the name: nobody can exchange a link in between.
        if stat.S_IFMT(os.fstat(descriptor).st_mode) != kind:
            raise OSError(errno.ENXIO, "not a regular file")
        if not self._tree.inside(_real_path(descriptor, full)):
            raise OSError(errno.EACCES, "outside the archive")

    def _children(self, directory: str) -> Iterator[tuple[bytes, bool]]:
        start = os.fsencode(directory)
        names = self._list_start(start)
        for name in reversed(names):
            try:
                full = self._tree.prefix + join(start, name)
                status = self._tree.resolved(full, os.lstat(full))
            except OSError as error:
                if error.errno in {errno.EACCES, errno.EPERM}:
                    # Readable but not searchable: every date below it would be lost in silence.
                    raise self._cannot_list(start, errno.EACCES) from None
                status = None
            yield name, status is not None and stat.S_ISDIR(status.st_mode)

    def _list_start(self, directory: bytes) -> list[bytes]:
        full = self._tree.prefix + directory
        if not self._tree.inside(os.path.realpath(full)):
            raise ArchiveError(f"{_place(directory)} leads outside the archive and is not followed")
        try:
            return names_in(full)
        except OSError as error:
            code = error.errno or errno.EIO
        # The root's own trouble explains everything below it.
        self.check()
        raise self._cannot_list(directory, code)

    def _cannot_list(self, directory: bytes, code: int) -> ArchiveError:
        if code == errno.ENOENT:
            return DirectoryVanished(f"{_place(directory)} is not there: list the archive's dates again")
        return listing_error(f"{_place(directory)} {_ROOT_TROUBLE.get(code) or system_text(code)}", code)


_ROOT_TROUBLE = {
    errno.ENOENT: "does not exist: correct the path, or mount the file system",
    errno.ENOTDIR: "is not a directory: name the directory that holds the files",
    errno.EACCES: "cannot be listed: give the user that runs the pipeline read and search permission",
}


def _place(directory: bytes) -> str:
    text = os.fsdecode(directory)
    return f"the archive's directory {text}" if _DATE_PLACE.fullmatch(text) else "a directory of the archive"


def _real_path(descriptor: int, full: bytes) -> bytes:
    try:
        return os.readlink(b"/proc/self/fd/%d" % descriptor)
    except FileNotFoundError:
        # Not Linux: resolve the name once more.
        return os.path.realpath(full)

"""Opening files of a local archive one after the other, where most lie beside the one before.

Scope: asking of a directory once, instead of each of its files, whether it lies in the archive. What may be opened at
all is for ``local.py`` to say.
"""

import os
from types import TracebackType

from dicom_pipeline.archive.local import OPEN_FLAGS, LocalStore

_NO_DIRECTORY = -1


class Neighbours:
    """Opens files by path; to be closed, for it holds the directory of the last ones open."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._directory: bytes | None = None
        self._descriptor = _NO_DIRECTORY

    def __enter__(self) -> "Neighbours":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def open(self, path: bytes) -> int:
        """Return the descriptor of a file inside the archive, which is the caller's to close.

        It may not be a regular file: whoever reads it has to ask.

        Raises:
            OSError: As ``LocalStore.open_descriptor`` does.
        """
        directory, _, name = path.rpartition(b"/")
        if directory != self._directory:
            # Only a second file shows that a directory is worth being held open.
            self._leave()
            self._directory = directory
        elif name and b"\0" not in path:
            try:
                self._enter(directory)
                # No link is followed, so that what lies in a directory of the archive lies in the archive.
                return os.open(name, OPEN_FLAGS | os.O_NOFOLLOW, dir_fd=self._descriptor)
            except OSError:
                pass  # The store may know another way, and says what is wrong if it doesn't.
        return self._store.open_descriptor(path)

    def _enter(self, directory: bytes) -> None:
        if self._descriptor == _NO_DIRECTORY:
            self._descriptor = self._store.open_directory(directory)

    def _leave(self) -> None:
        if self._descriptor != _NO_DIRECTORY:
            os.close(self._descriptor)
            self._descriptor = _NO_DIRECTORY

"""The embedded server's directories below a home.

Scope: their names, owners and permissions, and the lock that lets one process at a time start or stop the server.

``<home>/postgres`` holds ``data`` (the database), ``run`` (the socket), ``server.log`` and ``start.lock``. A socket's
path is limited to 107 bytes by the kernel; below a long home the socket is in a short private directory elsewhere.
"""

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicom_pipeline.errors import ConfigurationError, WarehouseUnavailable
from dicom_pipeline.warehouse.embedded.account import Account
from dicom_pipeline.warehouse.embedded.process import SOCKET_NAME

_SOCKET_PATH_BYTES = 103  # macOS; Linux allows four more
_LOCK_PATIENCE_SECONDS = 360.0
_PRIVATE = 0o700
_SHORT = Path("/tmp")  # not TMPDIR or XDG_RUNTIME_DIR: a shell and a scheduler must look in the same place


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of one embedded server, all absolute."""

    base: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.base / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.base / "server.log"

    @property
    def sockets(self) -> Path:
        """The directory of the server's socket."""
        inside = self.base / "run"
        if len(os.fsencode(inside / SOCKET_NAME)) <= _SOCKET_PATH_BYTES:
            return inside
        digest = hashlib.blake2b(os.fsencode(self.base), digest_size=8).hexdigest()
        return _SHORT / f"dicom-pipeline-{digest}"

    def make_base(self) -> None:
        """Create the base directory; root's lets the server's account pass to what is the server's.

        Raises:
            ConfigurationError: It cannot be made, or the file system keeps no permissions.
        """
        mode = 0o711 if os.geteuid() == 0 else _PRIVATE
        try:
            self.base.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            if self.base.stat().st_uid == os.geteuid():
                self.base.chmod(mode)
        except OSError as error:
            raise ConfigurationError(
                f"the embedded database's directory cannot be made: {error.strerror}; choose another --home"
            ) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the start lock; the kernel gives it up with the process, whatever ends it.

        Raises:
            WarehouseUnavailable: Another process held it for minutes.
        """
        descriptor = os.open(self.base / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
        try:
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise WarehouseUnavailable("another process has been starting the embedded database for minutes")
                time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)


def make_private(directory: Path, account: Account) -> None:
    """Create a directory only ``account`` can enter, or make sure that an existing one is such.

    Raises:
        ConfigurationError: It is another's, a link, or the file system keeps no owners and permissions.
    """
    try:
        directory.mkdir(mode=_PRIVATE, exist_ok=True)
        if directory.is_symlink() or directory.stat().st_uid not in (os.geteuid(), account.uid):
            raise ConfigurationError("the embedded database's directory is a link or belongs to another user")
        os.chown(directory, account.uid, account.gid)
        directory.chmod(_PRIVATE)
        found = directory.stat()
    except OSError as error:
        raise ConfigurationError(_no_permissions(error.strerror or "")) from None
    if stat.S_IMODE(found.st_mode) != _PRIVATE or found.st_uid != account.uid:
        raise ConfigurationError(_no_permissions("its permissions did not take"))


def _no_permissions(why: str) -> str:
    return (
        f"the embedded database needs a private directory on a file system with Unix permissions ({why}); choose"
        " another --home, or give --warehouse postgresql://…"
    )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

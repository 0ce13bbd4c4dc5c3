"""Why an entry of the archive cannot be read: the codes, and which of the operating system's errors is which.

Scope: the texts a listing puts into ``FileEntry.problem``. They are reason codes of ``dicom/reasons.py``, which this
folder may not import; a test holds the two together. What to do about each is told there.
"""

import errno
import os

from dicom_pipeline.errors import ArchiveError, ArchiveUnavailable

PERMISSION_DENIED = "PermissionDenied"
VANISHED = "Vanished"
READ_ERROR = "ReadError"
NOT_A_FILE = "NotAFile"
LINK_OUTSIDE_ARCHIVE = "LinkOutsideArchive"

_PROBLEM_OF_ERRNO = {
    errno.EACCES: PERMISSION_DENIED,
    errno.EPERM: PERMISSION_DENIED,
    errno.ENOENT: VANISHED,
    errno.ENOTDIR: VANISHED,
    errno.ELOOP: VANISHED,
    errno.ENXIO: NOT_A_FILE,
    errno.EISDIR: NOT_A_FILE,
}


_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
# A network share that is restarted, or out of reach for a while.
_PASSING = _SHORTAGES | {
    errno.EAGAIN,
    errno.ECONNABORTED,
    errno.ECONNRESET,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETRESET,
    errno.ENETUNREACH,
    errno.ENOTCONN,
    errno.ESTALE,
    errno.ETIMEDOUT,
}


def listing_error(text: str, code: int | None) -> ArchiveError:
    """Return the error of a directory that cannot be listed; one that may pass by itself says so by its type."""
    return ArchiveUnavailable(text) if code in _PASSING else ArchiveError(text)


def problem_of(error: OSError) -> str:
    """Return the code for an error met while asking about, opening or reading one entry.

    A link that leads to nothing or round in a circle (ELOOP) counts as vanished: there is no file at its end.
    ``ArchiveStore.open`` gives ENXIO for what is not a regular file, as the system does for a socket.

    Raises:
        ArchiveUnavailable: The system had no file descriptor or no memory to give: no fault of any entry.
    """
    if error.errno in _SHORTAGES:
        reason = os.strerror(error.errno or 0).lower()
        raise ArchiveUnavailable(
            f"files cannot be opened any more ({reason}): raise `ulimit -n`, or set fewer threads"
        ) from None
    return _PROBLEM_OF_ERRNO.get(error.errno or 0, READ_ERROR)

"""One short text that changes when anything in a listing does.

Scope: the data version of a date's listing. It is a digest over path, size, time of modification and problem of every
entry, the same in whatever order they come, made while the listing streams by.
"""

import hashlib
import os

from dicom_pipeline.archive.entries import FileEntry

_DIGEST_BYTES = 16
_MODULUS = 1 << (8 * _DIGEST_BYTES)


class Fingerprint:
    """Adds up entries; the sum of their digests does not depend on their order.

    A sum, not an exclusive or: in that, an entry met twice would cancel itself out.
    """

    def __init__(self) -> None:
        self._sum = 0

    def add(self, entry: FileEntry) -> None:
        """Take one entry into account."""
        # No path holds a NUL character, so no two entries make the same text.
        rest = f"\0{entry.size}\0{entry.mtime_ns}\0{entry.problem!r}"
        digest = hashlib.blake2b(os.fsencode(entry.path) + rest.encode(), digest_size=_DIGEST_BYTES).digest()
        self._sum = (self._sum + int.from_bytes(digest, "big")) % _MODULUS

    def hexdigest(self) -> str:
        """Return the fingerprint of what was added so far: 32 hexadecimal digits, all zero for an empty listing."""
        return f"{self._sum:0{2 * _DIGEST_BYTES}x}"

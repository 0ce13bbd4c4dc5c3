"""A batch of listed files as arrays, and the arrays a scan of it fills.

Scope: what goes into a scan and comes out of it, whichever walk does it, and the choice between the walks. The walks
are ``compiled.py`` and ``pure.py``.
"""

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.scanner.noted import ABSENT, SLOTS, Bytes, Noted, Status

VALUE_BYTES = 4096
"""Room for the wanted values of one file, on average over a batch; all bounds together are less."""


UNKNOWN = -(1 << 63)
"""Stands for a size or time that a listing does not say; no file has it."""


@dataclass(frozen=True, slots=True)
class FileBatch:
    """Listed files of one archive.

    Attributes:
        store: Where they are.
        paths: Their paths relative to the root, exact bytes, one behind the other, uint8.
        ends: ``paths[ends[i]:ends[i + 1]]`` is the path of file i, int32, one more than files.
        sizes: Bytes as listed, int64; ``UNKNOWN`` where the listing does not say.
        modified: Times of modification as listed, nanoseconds since 1970, int64; likewise.
    """

    store: LocalStore
    paths: Bytes
    ends: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int64]
    modified: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    def is_as_listed(self, file: int, found: os.stat_result) -> bool:
        """Tell whether a file is what the listing says of it, as far as that goes."""
        size, modified = int(self.sizes[file]), int(self.modified[file])
        return size in (UNKNOWN, found.st_size) and modified in (UNKNOWN, found.st_mtime_ns)

    def path(self, file: int) -> str:
        """Return the path of a file, as ``LocalStore.open`` takes it."""
        return os.fsdecode(self.paths[self.ends[file] : self.ends[file + 1]].tobytes())


class Scanner(Protocol):
    """Reads headers of ordinary files, a batch at a time. One thread at a time uses one scanner."""

    def scan(self, files: FileBatch) -> Noted:
        """Read every file; one that is not ordinary, or not as listed, is ODD. Raises nothing for what files are."""


def empty_noted(files: int, buffer: Bytes) -> Noted:
    """Return arrays for the scan of so many files, nothing noted and every file ODD."""
    shape = (len(SLOTS), files)
    return Noted(
        buffer=buffer,
        status=np.full(files, Status.ODD, np.uint8),
        offsets=np.zeros(shape, np.int64),
        lengths=np.full(shape, ABSENT, np.int32),
        vrs=np.zeros(shape, np.uint16),
        big_endian=np.zeros(files, np.bool_),
        sizes=np.zeros(files, np.int64),
    )

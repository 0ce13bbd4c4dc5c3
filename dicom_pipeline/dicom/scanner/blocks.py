"""The first blocks of files on disk, read into one buffer.

Scope: reading without compiled code, and whether a file is what its listing says, before and after. The bytes mean
nothing here.
"""

import os

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.scanner.files import FileBatch
from dicom_pipeline.dicom.scanner.noted import Bytes
from dicom_pipeline.dicom.source import BLOCK_SIZE


def read_blocks(files: FileBatch, buffer: Bytes, sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Read the first ``BLOCK_SIZE`` bytes of each file to ``BLOCK_SIZE`` times its number, and note its size.

    Returns:
        Which files were read and are as listed, bool, shape (n,).
    """
    room, paths, ends = buffer.data, files.paths.tobytes(), files.ends.tolist()
    taken = np.zeros(len(files), np.bool_)
    for file in range(len(files)):
        begin = file * BLOCK_SIZE
        path = paths[ends[file] : ends[file + 1]]
        size = _read_block(files, file, path, room[begin : begin + BLOCK_SIZE])
        if size is not None:
            taken[file], sizes[file] = True, size
    return taken


def _read_block(files: FileBatch, file: int, path: bytes, block: memoryview) -> int | None:
    """Read the first block of a file and return its size; None if it is not as listed, before or after."""
    try:
        handle = files.store.open_descriptor(path)
    except OSError:
        return None
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_RANDOM)
        before = os.fstat(handle)
        read, after = os.preadv(handle, [block], 0), os.fstat(handle)
    except OSError:
        return None
    finally:
        os.close(handle)
    size = before.st_size
    whole = read == min(BLOCK_SIZE, size) and size == after.st_size and before.st_mtime_ns == after.st_mtime_ns
    return size if whole and files.is_as_listed(file, after) else None

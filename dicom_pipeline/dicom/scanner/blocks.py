"""The first blocks of files on disk, read into one buffer.

Scope: reading without compiled code, and whether a file is what its listing says. The bytes mean
nothing here.
"""

import os

import numpy as np
import numpy.typing as npt

from dicom_pipeline.archive.neighbours import Neighbours
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
    with Neighbours(files.store) as store:
        for file in range(len(files)):
            begin = file * BLOCK_SIZE
            found = _read_block(store, paths[ends[file] : ends[file + 1]], room[begin : begin + BLOCK_SIZE])
            if found is not None and files.is_as_listed(file, found):
                taken[file], sizes[file] = True, found.st_size
    return taken


def _read_block(store: Neighbours, path: bytes, block: memoryview) -> os.stat_result | None:
    """Read the first block of a file and return what the file is then; None if it could not be read whole.

    Devices, pipes and directories have a size of 0 or cannot be read by place: nothing is ever taken of them.
    """
    try:
        handle = store.open(path)
    except OSError:
        return None
    try:
        # Nothing is read ahead: behind the header come pixels nobody asked for.
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_RANDOM)
        read, found = os.preadv(handle, [block], 0), os.fstat(handle)
    except OSError:
        return None
    finally:
        os.close(handle)
    return found if read == min(BLOCK_SIZE, found.st_size) else None

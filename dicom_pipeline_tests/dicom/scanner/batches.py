"""Files on disk through one scanner, by the way of a listing.

Scope: making batches of files and of listings that may lie about them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.header import Header
from dicom_pipeline.dicom.scanner.files import FileBatch
from dicom_pipeline_tests.dicom.scanner.walks import noted_header
from dicom_pipeline_tests.fuzz.compare import all_scanners, write_files


def scanner_names() -> list[str]:
    return list(all_scanners())


def batch(root: Path, listed: Mapping[bytes, tuple[int, int]]) -> FileBatch:
    """Return a batch of paths below the root, each listed with this size and time of modification."""
    ends = np.cumsum([0, *map(len, listed)], dtype=np.int32)
    sizes, modified = np.array(list(listed.values()), np.int64).reshape(-1, 2).T.copy()
    return FileBatch(LocalStore(root), np.frombuffer(b"".join(listed), np.uint8), ends, sizes, modified)


def batch_of(root: Path, entries: Sequence[FileEntry]) -> FileBatch:
    """Return the batch of a listing in which every size and time is known."""
    return batch(root, {entry.path.encode(): (entry.size or 0, entry.mtime_ns or 0) for entry in entries})


def scan(name: str, files: FileBatch) -> list[Header | None]:
    """Return the header of each file that the scanner takes, None for the others."""
    noted = all_scanners()[name].scan(files)
    return [noted_header(noted, number) for number in range(len(files))]


def scanned(name: str, folder: Path, files: Sequence[bytes]) -> list[Header | None]:
    """Write files and scan them."""
    return scan(name, batch_of(folder, write_files(folder, files)))

"""What the scanners make of files against what the careful reader makes of them.

Scope: two comparisons, of notes in memory and of whole rows of files on disk. Whoever finds a difference is told which
file it is; nothing is judged here.
"""

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.dicom.header import Header, HeaderError
from dicom_pipeline.dicom.pydicom_reader import PydicomReader
from dicom_pipeline.dicom.records import OnInvalidValue
from dicom_pipeline.dicom.scanner.files import Scanner
from dicom_pipeline.dicom.scanner.noted import Noted, Status
from dicom_pipeline.dicom.scanner.pure import PureScanner
from dicom_pipeline.dicom.source import Moment, OutOfTime
from dicom_pipeline.tables.listing import files_batch
from dicom_pipeline.tables.readers import PydicomMetadataReader, ReadJob
from dicom_pipeline.tables.scanned import ScanReader

SECONDS = 1.0
CLOCK = datetime(2024, 5, 6, 7, 8, 9, 101112)  # noqa: DTZ001 - UTC without a zone, as the tables store it


class BytesScanner(Scanner, Protocol):
    """A scanner that also takes whole files in memory, as both do."""

    def scan_bytes(self, files: list[bytes]) -> Noted:
        """Walk over files as if they had been read."""


def all_scanners() -> dict[str, BytesScanner]:
    """Return each scanner there is by name; the compiled one only where it could be compiled."""
    scanners: dict[str, BytesScanner] = {"pure": PureScanner()}
    with suppress(ImportError):
        from dicom_pipeline.dicom.scanner.compiled import CompiledScanner

        scanners["compiled"] = CompiledScanner()
    return scanners


class Difference(NamedTuple):
    """A file of which a scanner says something else than the careful reader: its number and who says what."""

    file: int
    what: str


class Comparison(NamedTuple):
    """How many files each scanner took, how many took the careful reader too long, and what differs."""

    plain: dict[str, int]
    slow: int
    differences: list[Difference]


class Comparer:
    """Both scanners, and the measure of them."""

    def __init__(self) -> None:
        self._scanners = all_scanners()
        self._careful = PydicomReader(SECONDS, Moment)

    def notes(self, files: list[bytes]) -> Comparison:
        """Compare what is noted of files in memory; every file that a scanner takes must be read as it says."""
        plain, careful = {}, dict[int, Header | str | None]()
        differences = []
        for name, scanner in self._scanners.items():
            noted = scanner.scan_bytes(files)
            taken = [file for file in range(len(files)) if noted.status[file] == Status.PLAIN]
            plain[name] = len(taken)
            for file in taken:
                if file not in careful:
                    careful[file] = self._read(files[file])
                if careful[file] is not None and noted.header(file) != careful[file]:
                    differences.append(Difference(file, f"{name} notes other values than the careful reader"))
        return Comparison(plain, sum(header is None for header in careful.values()), differences)

    def _read(self, data: bytes) -> Header | str | None:
        """Return the careful reader's header, its reason to refuse the file, or None if it takes too long."""
        try:
            return self._careful.read(io.BytesIO(data), len(data))
        except HeaderError as error:
            return error.reason.value
        except OutOfTime:
            return None

    def rows(self, folder: Path, files: Sequence[bytes], policy: OnInvalidValue) -> Comparison:
        """Compare rows of files that are written to a folder; those that a scanner leaves are not looked at."""
        entries = write_files(folder, files)
        job = ReadJob(str(folder), "tenant", policy, CLOCK)
        plain, differences = {}, []
        for name, scanner in self._scanners.items():
            scanned = ScanReader(scanner).read(files_batch(entries), job)
            plain[name] = scanned.files
            careful = PydicomMetadataReader().read_batch([entries[place] for place in scanned.places], job)
            if not scanned.rows.equals(careful, check_metadata=True):
                rows = zip(scanned.places.tolist(), scanned.rows.to_pylist(), careful.to_pylist(), strict=True)
                for place, row, right in rows:
                    wrong = [column for column in row if str(row[column]) != str(right[column])]
                    if wrong:
                        differences.append(Difference(place, f"{name} has other rows ({policy}): {', '.join(wrong)}"))
        return Comparison(plain, 0, differences)


def write_files(folder: Path, files: Sequence[bytes]) -> list[FileEntry]:
    """Write files by number, and return their listing."""
    entries = []
    for number, data in enumerate(files):
        path = folder / f"{number}"
        path.write_bytes(data)
        found = os.stat(path)
        entries.append(FileEntry(path.name, found.st_size, found.st_mtime_ns))
    return entries

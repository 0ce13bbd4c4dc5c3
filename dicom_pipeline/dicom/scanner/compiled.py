"""The compiled scan: reading, walking and noting without Python in between.

Scope: the way in and out of ``_compiled.pyx``. Where no compiler was at hand when this package was installed, importing
this module raises ``ImportError``, and ``pure.py`` takes its place.
"""

import os

import numpy as np

from dicom_pipeline.dicom.scanner._compiled import Scan
from dicom_pipeline.dicom.scanner.files import VALUE_BYTES, FileBatch, empty_noted
from dicom_pipeline.dicom.scanner.grammar import grammar
from dicom_pipeline.dicom.scanner.inflated import inflate_data_set
from dicom_pipeline.dicom.scanner.noted import DATA_SET_SLOT, SLOTS, Noted, Status

MOST_OPEN_FILES = 64


class CompiledScanner:
    """A ``Scanner`` that releases the global lock while it reads and walks.

    Args:
        open_files: Files it may have open at once, all on their way from a disk; more than 64 are not used.
    """

    def __init__(self, open_files: int = MOST_OPEN_FILES) -> None:
        tables, slots = grammar(), np.array(SLOTS, np.uint32)
        self._scan = Scan(slots, tables.known, tables.vr_lengths, tables.syntaxes, open_files)

    def scan(self, files: FileBatch) -> Noted:
        """See ``Scanner``."""
        noted = empty_noted(len(files), np.empty(len(files) * VALUE_BYTES, np.uint8))
        try:
            root = os.open(files.store.inside_prefix, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return noted  # the careful reader says of each file why it cannot be read
        try:
            self._note_into(noted)
            self._scan.read_files(root, files.store.inside_prefix, files.paths, files.ends, files.sizes, files.modified)
        finally:
            os.close(root)
        for file in np.flatnonzero(noted.status == Status.DEFLATED).tolist():
            noted.status[file] = Status.ODD
            for inflated in inflate_data_set(files, file, int(noted.offsets[DATA_SET_SLOT, file])):
                if noted.status[file] == Status.ODD:
                    self._scan.walk_bytes(file, inflated.data, inflated.whole)
        return noted

    def scan_bytes(self, files: list[bytes]) -> Noted:
        """Walk over whole files in memory, as if they had been read."""
        noted = empty_noted(len(files), np.empty(len(files) * VALUE_BYTES, np.uint8))
        self._note_into(noted)
        for number, data in enumerate(files):
            self._scan.walk_file(number, data)
        return noted

    def _note_into(self, noted: Noted) -> None:
        self._scan.note_into(
            noted.buffer,
            noted.status,
            noted.offsets,
            noted.lengths,
            noted.vrs,
            noted.big_endian.view(np.uint8),
            noted.sizes,
        )

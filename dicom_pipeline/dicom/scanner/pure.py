"""The scan in pure Python and NumPy, where there is no compiled one: the same files, the same notes, slower.

Scope: reading the first block of each file, and one walk over all of them at a time (``lockstep.py``). What cannot be
walked together (big endian, what lies behind the first block, deflated data sets) goes the straight way by itself
(``straight.py``).
"""

import os
from collections.abc import Callable
from functools import partial

import numpy as np

from dicom_pipeline.dicom.scanner.beginnings import Beginnings, find_beginnings, surely_begin
from dicom_pipeline.dicom.scanner.blocks import read_blocks
from dicom_pipeline.dicom.scanner.files import VALUE_BYTES, FileBatch, empty_noted
from dicom_pipeline.dicom.scanner.grammar import Layout
from dicom_pipeline.dicom.scanner.headers import Places
from dicom_pipeline.dicom.scanner.inflated import Inflated, inflate_data_set
from dicom_pipeline.dicom.scanner.lockstep import Start, walk_together
from dicom_pipeline.dicom.scanner.noted import DATA_SET_SLOT, Bytes, Noted, Status
from dicom_pipeline.dicom.scanner.straight import Value, begins, may_begin, walk
from dicom_pipeline.dicom.scanner.window import Doubt, Window
from dicom_pipeline.dicom.source import BLOCK_SIZE


class PureScanner:
    """A ``Scanner`` without compiled code."""

    def scan(self, files: FileBatch) -> Noted:
        """See ``Scanner``."""
        batch = _Batch(len(files))
        taken = read_blocks(files, batch.noted.buffer, batch.noted.sizes)
        for start in batch.left_by_lockstep(np.flatnonzero(taken)):
            far = _FarReader(files, start.file)
            try:
                batch.walk_alone(start, far.fetch)
            finally:
                if not far.close():
                    batch.noted.status[start.file] = Status.ODD
        for file in np.flatnonzero(batch.noted.status == Status.DEFLATED).tolist():
            batch.noted.status[file] = Status.ODD
            for inflated in inflate_data_set(files, file, int(batch.noted.offsets[DATA_SET_SLOT, file])):
                if batch.noted.status[file] == Status.ODD:
                    batch.walk_inflated(file, inflated)
        return batch.noted

    def scan_bytes(self, files: list[bytes]) -> Noted:
        """Walk over whole files in memory, as if they had been read."""
        batch = _Batch(len(files))
        for file, data in enumerate(files):
            block = np.frombuffer(data[:BLOCK_SIZE], np.uint8)
            batch.block(file)[: len(block)] = block
            batch.noted.sizes[file] = len(data)
        for start in batch.left_by_lockstep(np.arange(len(files))):
            batch.walk_alone(start, partial(_part, files[start.file]))
        return batch.noted


class _Batch:
    """The first blocks of some files, what is noted of them, and where the walks over them begin."""

    def __init__(self, files: int) -> None:
        self.noted = empty_noted(files, np.empty(files * (BLOCK_SIZE + VALUE_BYTES), np.uint8))
        self._used = files * BLOCK_SIZE

    def block(self, file: int) -> Bytes:
        """Return the room for a file's first block."""
        return self.noted.buffer[file * BLOCK_SIZE : (file + 1) * BLOCK_SIZE]

    def left_by_lockstep(self, files: Places) -> list[Start]:
        """Walk together over files whose first blocks are there; return where those stand that have to go on alone."""
        found = find_beginnings(self.noted, files)
        deflated = found.layout == Layout.DEFLATED
        self._mark_deflated(found.which(deflated))
        found = found.which(~deflated)
        begin = surely_begin(self.noted, found)
        for index in np.flatnonzero(~begin).tolist():
            file, layout = int(found.file[index]), Layout(int(found.layout[index]))
            begin[index] = _begins(self._window(file, None), int(found.at[index]) - file * BLOCK_SIZE, layout)
        return walk_together(self.noted, found.which(begin))

    def _mark_deflated(self, found: Beginnings) -> None:
        """Mark those whose data set is deflated indeed, as far as can be told."""
        for file, at, stated in zip(found.file.tolist(), found.at.tolist(), found.stated.tolist(), strict=True):
            position = at - file * BLOCK_SIZE
            if stated <= at and not may_begin(self._window(file, None), position):
                self.noted.status[file] = Status.DEFLATED
                self.noted.offsets[DATA_SET_SLOT, file] = position

    def walk_alone(self, start: Start, fetch: Callable[[int, int], bytes]) -> None:
        """Walk on by itself over a file whose other blocks ``fetch`` gives."""
        self._walk(start.file, self._window(start.file, fetch), start)

    def walk_inflated(self, file: int, inflated: Inflated) -> None:
        """Walk over an inflated data set, or its beginning."""
        window = Window(inflated.data, len(inflated.data), whole=inflated.whole, fetch=None)
        if _begins(window, 0, Layout.EXPLICIT_LITTLE):
            self._walk(file, window, Start(file, 0, Layout.EXPLICIT_LITTLE, -1))

    def _walk(self, file: int, window: Window, start: Start) -> None:
        try:
            for value in walk(window, start.position, start.layout, start.last):
                self._note(file, value)
        except (Doubt, OSError):
            self.noted.status[file] = Status.ODD
            return
        self.noted.status[file] = Status.PLAIN
        self.noted.big_endian[file] = start.layout is Layout.EXPLICIT_BIG

    def _window(self, file: int, fetch: Callable[[int, int], bytes] | None) -> Window:
        size = int(self.noted.sizes[file])
        return Window(self.block(file)[:size].tobytes(), size, whole=True, fetch=fetch)

    def _note(self, file: int, value: Value) -> None:
        """Copy a value behind the blocks."""
        end = self._used + len(value.data)
        if end > len(self.noted.buffer):
            raise Doubt
        self.noted.buffer[self._used : end] = np.frombuffer(value.data, np.uint8)
        self.noted.offsets[value.slot, file] = self._used
        self.noted.lengths[value.slot, file] = len(value.data)
        self.noted.vrs[value.slot, file] = value.vr
        self._used = end


def _part(data: bytes, position: int, count: int) -> bytes:
    return data[position : position + count]


def _begins(window: Window, position: int, layout: Layout) -> bool:
    try:
        return begins(window, position, layout)
    except Doubt:
        return False


class _FarReader:
    """The bytes of a file behind its first block; opened only if somebody asks for them."""

    def __init__(self, files: FileBatch, file: int) -> None:
        self._files, self._file = files, file
        self._handle: int | None = None

    def fetch(self, position: int, count: int) -> bytes:
        """Return bytes of the file, fewer where it ends."""
        if self._handle is None:
            self._handle = self._files.store.open_descriptor(os.fsencode(self._files.path(self._file)))
            os.posix_fadvise(self._handle, 0, 0, os.POSIX_FADV_RANDOM)
        return os.pread(self._handle, count, position)

    def close(self) -> bool:
        """Close the file; tell whether it is as listed still."""
        if self._handle is None:
            return True
        try:
            return self._files.is_as_listed(self._file, os.fstat(self._handle))
        finally:
            os.close(self._handle)

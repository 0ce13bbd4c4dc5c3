"""What an index knew before an update, small enough to hold for millions of files.

Scope: looking up listed entries among the known ones and telling which were not met again. A path is kept as a digest
of 16 bytes, its state as a number: some 40 bytes an entry, however long its path.
"""

import datetime as dt
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.index_file import open_index, read_batches

if TYPE_CHECKING:
    import numpy as np

_EPOCH = dt.date(1970, 1, 1).toordinal()
_UNDATED = 0  # The ordinal of no date: the first is 1.


def state_of(size: int | None, mtime_ns: int | None, problem: str | None) -> int:
    """Return a number that differs when the state of an entry does; to be compared within one process only."""
    return hash((size, mtime_ns, problem))


class KnownEntries:
    """The entries of an index file, by path; remembers which of them were looked up."""

    def __init__(self, keys: "np.ndarray", states: "np.ndarray", ordinals: "np.ndarray") -> None:
        import numpy as np

        order = np.argsort(keys)
        self._keys = keys[order]
        self._states = states[order]
        self._ordinals = ordinals[order]
        self._met = np.zeros(len(keys), np.bool_)

    @classmethod
    def none(cls) -> "KnownEntries":
        """Return what is known where there is no index."""
        import numpy as np

        return cls(np.empty(0, "S16"), np.empty(0, np.int64), np.empty(0, np.int32))

    @classmethod
    def load(cls, path: Path) -> "KnownEntries":
        """Read an index file, every page of it.

        Raises:
            FileNotFoundError: There is none.
            IndexFileError: It is damaged or of another version.
        """
        import numpy as np

        with open_index(path) as file:
            count = file.metadata.num_rows
            keys, states, ordinals = np.empty(count, "S16"), np.empty(count, np.int64), np.empty(count, np.int32)
            row = 0
            for batch in read_batches(file):
                rows = slice(row, row + batch.num_rows)
                keys[rows] = [_key(name) for name in batch.column("path").to_pylist()]
                columns = (batch.column(name).to_pylist() for name in ("size", "mtime_ns", "problem"))
                states[rows] = list(map(state_of, *columns))
                days = batch.column("study_date").cast(pa.int32()).fill_null(_UNDATED - _EPOCH)
                ordinals[rows] = days.to_numpy() + _EPOCH
                row += batch.num_rows
        return cls(keys, states, ordinals)

    def find(self, entries: Sequence[FileEntry]) -> list[int | None]:
        """Return the place of each entry among the known ones, None where it is new; found ones count as met."""
        import numpy as np

        keys = np.array([_key(os.fsencode(entry.path)) for entry in entries], "S16")
        places = np.searchsorted(self._keys, keys)
        found = places < len(self._keys)
        found[found] = self._keys[places[found]] == keys[found]
        self._met[places[found]] = True
        return [place if hit else None for place, hit in zip(places.tolist(), found.tolist(), strict=True)]

    def state(self, place: int) -> int:
        """Return the ``state_of`` the entry at a place."""
        return int(self._states[place])

    def date(self, place: int) -> dt.date | None:
        """Return the study date of the entry at a place."""
        return _date(int(self._ordinals[place]))

    def not_met(self) -> tuple[int, set[dt.date | None]]:
        """Return how many known entries were never found, and their dates."""
        import numpy as np

        ordinals = self._ordinals[~self._met]
        return len(ordinals), {_date(ordinal) for ordinal in np.unique(ordinals).tolist()}


def _key(path: bytes) -> bytes:
    return hashlib.blake2b(path, digest_size=16).digest()


def _date(ordinal: int) -> dt.date | None:
    return None if ordinal == _UNDATED else dt.date.fromordinal(ordinal)

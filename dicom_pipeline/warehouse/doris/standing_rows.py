"""What a slice of a table holds before it is changed, small enough to be kept.

Scope: telling new, changed, unchanged and vanished rows apart. Of each row that is there, three numbers are kept: 64
bits of its key, 64 bits of what is compared, and when it was created; so a slice of a million rows takes 24 MB. Two
different keys of a slice of a million rows look alike once in some 30 million such slices, and the read-back after the
load would tell.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicom_pipeline.dicom.fields import TableSpec
from dicom_pipeline.tables.contents import ContentsObserver, SliceContents
from dicom_pipeline.tables.digest import Words, row_words
from dicom_pipeline.tables.flat import raw_values

CREATED, UPDATED = "created_time", "updated_time"


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows of one batch by what is to be done with them; unchanged ones are in neither."""

    new: pa.RecordBatch
    changed: pa.RecordBatch


class StandingRows:
    """The rows a slice of a table has, and which of them were met again."""

    def __init__(self, table: TableSpec, batches: Iterable[pa.RecordBatch]) -> None:
        """Take in all rows of the slice.

        Args:
            table: The table.
            batches: Its rows in the slice, every column.
        """
        self._table = table
        self._key = tuple(table.field(name) for name in table.key)
        observer = ContentsObserver(table)
        keys, values, created = [_no_words()], [_no_words()], [np.zeros(0, np.int64)]
        clocks = [field for field in table.fields if field.volatile]
        everything = 0
        for batch in batches:
            observer.update(batch)
            keys.append(row_words(self._key, batch))
            values.append(row_words(table.compared, batch))
            created.append(raw_values(batch.column(CREATED)))
            # A row's word is the sum of its columns' words, so those of all columns are at hand but for the clocks'.
            everything += int((keys[-1] + values[-1] + row_words(clocks, batch)).sum())
        order = np.argsort(np.concatenate(keys), kind="stable")
        self._keys = np.concatenate(keys)[order]
        self._values = np.concatenate(values)[order]
        self._created = np.concatenate(created)[order]
        self._met = np.zeros(len(order), bool)
        self.contents: SliceContents = observer.result()
        self.state = f"{len(order)} {everything % 2**64:016x}"
        """What tells these very rows, clocks included, apart from any others."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._keys)

    def meet(self, batch: pa.RecordBatch) -> Changes:
        """Return which rows of ``batch`` are new and which differ, those with the time at which they were created.

        ``created_time`` stays where ``updated_time`` tells of the change. A table without it (rejects) holds for each
        row when it first came to be as it is.
        """
        places, there = self._places(row_words(self._key, batch))
        self._met[places[there]] = True
        differs = there.copy()
        differs[there] = self._values[places[there]] != row_words(self._table.compared, batch)[there]
        changed = batch.filter(pa.array(differs))
        if UPDATED in batch.schema.names and changed.num_rows:
            created = pa.array(self._created[places[differs]], pa.timestamp("us"))
            changed = changed.set_column(batch.schema.get_field_index(CREATED), batch.schema.field(CREATED), created)
        return Changes(new=batch.filter(pa.array(~there)), changed=changed)

    @property
    def vanished(self) -> int:
        """How many rows were not met."""
        return int((~self._met).sum())

    def unmet(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of ``batch``, read from the slice once more, that were not met."""
        places, there = self._places(row_words(self._key, batch))
        return batch.filter(pa.array(there & ~self._met[places]) if len(self) else pa.array(there))

    def _places(self, keys: Words) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return where each key would stand, and whether it does."""
        places = np.searchsorted(self._keys, keys)
        inside = places < len(self._keys)
        places = np.where(inside, places, 0)
        return places, inside & (self._keys[places] == keys) if len(self) else np.zeros(len(keys), bool)


class KeyWatch:
    """Finds a key that stands twice among rows that pass by."""

    def __init__(self, table: TableSpec) -> None:
        self._key = tuple(table.field(name) for name in table.key)
        self._seen = [_no_words()]

    def watch(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows."""
        self._seen.append(row_words(self._key, batch))

    def repeated(self) -> int:
        """Return how many rows have a key that another row before them has."""
        seen = np.concatenate(self._seen)
        return len(seen) - len(np.unique(seen))


def _no_words() -> Words:
    return np.zeros(0, np.uint64)

"""SOP instances that occur more than once on a date: which files are equal copies, and what becomes of the rows.

Scope: finding repeated SOP Instance UIDs among accepted rows, comparing the files behind them byte by byte, and
rejecting rows accordingly. Works on streams of ``metadata_schema()`` and knows no staging.

Of files that are all equal the one with the smallest path is taken; if any two differ, nobody can say which of them
is right and all are rejected.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, Protocol

import numpy as np
import pyarrow as pa

from dicom_pipeline.archive.problems import problem_of
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Finding
from dicom_pipeline.tables.digest import Words, text_words
from dicom_pipeline.tables.rows import ACCEPTED, reject_where

_FIELD = "SOPInstanceUID"
_IDENTICAL_COPY = (Finding(_FIELD, Reason.IDENTICAL_COPY),)
_READ_BYTES = 1 << 20


class Duplicate(Enum):
    """What a row that is to be rejected is."""

    IDENTICAL_COPY = "the same bytes as the file that was taken"
    DIFFERENT = "one of several files that differ"


class RowSource(Protocol):
    """Gives the same rows of ``metadata_schema()`` again at each call."""

    def __call__(self, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """Stream the rows from the first, all columns or those named."""


@dataclass(frozen=True, slots=True)
class _Instance:
    """An accepted row whose SOP Instance UID occurs more than once."""

    row: int
    path: str
    size: int | None


class InstanceHashes:
    """Watches rows pass by, and tells whether any SOP Instance UID among accepted ones may occur more than once.

    The usual date has none, and costs eight bytes a row.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all rows."""
        self._words: list[Words] = []

    def observe(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows."""
        self._words.append(text_words(_accepted(batch.select(["outcome", "sop_uid"])).column("sop_uid")))

    def repeated(self) -> Words:
        """Return the hashes that occur more than once; a rare collision adds one of UIDs that do not."""
        words = np.sort(np.concatenate(self._words)) if self._words else np.zeros(0, np.uint64)
        repeated: Words = words[1:][words[1:] == words[:-1]]
        return repeated


def find_duplicates(
    hashes: InstanceHashes, rows: RowSource, open_file: Callable[[int, str], BinaryIO]
) -> dict[int, Duplicate]:
    """Return the rows to be rejected, by number from 0, and what each of them is.

    Args:
        hashes: Has seen all of the rows; they are read again only if a UID may be repeated.
        rows: The staged rows.
        open_file: Opens the file of a row, given its number and its path; may raise ``OSError``.
    """
    repeated = hashes.repeated()
    if not len(repeated):
        return {}
    found: dict[int, Duplicate] = {}
    for instances in _instances(rows, repeated):
        found.update(_judge(instances, open_file))
    return found


def reject_duplicates(batches: Iterable[pa.RecordBatch], found: Mapping[int, Duplicate]) -> Iterator[pa.RecordBatch]:
    """Yield the batches with the rows of ``found`` turned into rejected ones (``DuplicateInstance``)."""
    first = 0
    for batch in batches:
        kinds = [found.get(row) for row in range(first, first + batch.num_rows)]
        first += batch.num_rows
        for kind, findings in ((Duplicate.IDENTICAL_COPY, _IDENTICAL_COPY), (Duplicate.DIFFERENT, ())):
            mask = pa.array([found_kind is kind for found_kind in kinds], pa.bool_())
            batch = reject_where(batch, mask, Reason.DUPLICATE_INSTANCE, _FIELD, findings)
        yield batch


def _instances(rows: RowSource, repeated: Words) -> Iterator[list[_Instance]]:
    by_uid: dict[str, list[_Instance]] = defaultdict(list)
    first = 0
    for batch in rows(["outcome", "sop_uid", "path", "file_size"]):
        numbers = pa.array(range(first, first + batch.num_rows), pa.int64())
        first += batch.num_rows
        accepted = _accepted(batch.append_column("row", numbers))
        suspects = pa.array(np.isin(text_words(accepted.column("sop_uid")), repeated))
        for row in accepted.filter(suspects).to_pylist():
            by_uid[row["sop_uid"]].append(_Instance(row["row"], row["path"], row["file_size"]))
    yield from (instances for instances in by_uid.values() if len(instances) > 1)


def _accepted(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow.compute as pc

    accepted = pc.equal(batch.column("outcome"), ACCEPTED)
    return batch if accepted.true_count == batch.num_rows else batch.filter(accepted)


def _judge(instances: Sequence[_Instance], open_file: Callable[[int, str], BinaryIO]) -> dict[int, Duplicate]:
    if not _all_equal(instances, open_file):
        return {instance.row: Duplicate.DIFFERENT for instance in instances}
    taken = min(instances, key=lambda instance: (instance.path, instance.row))
    return {instance.row: Duplicate.IDENTICAL_COPY for instance in instances if instance is not taken}


def _all_equal(instances: Sequence[_Instance], open_file: Callable[[int, str], BinaryIO]) -> bool:
    """Compare sizes first, then contents; a file that cannot be read now is not equal to any."""
    if len({instance.size for instance in instances}) > 1:
        return False
    digests: set[bytes] = set()
    for instance in instances:
        try:
            with open_file(instance.row, instance.path) as stream:
                digests.add(_digest(stream))
        except OSError as error:
            problem_of(error)  # which tells a shortage, that is no file's fault
            return False
        if len(digests) > 1:
            return False
    return True


def _digest(stream: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while block := stream.read(_READ_BYTES):
        digest.update(block)
    return digest.digest()

"""An order-independent digest of a table's rows: equal digests, equal rows, wherever they are kept.

Scope: turning Arrow batches of a warehouse table into a row count and 128 bits. It detects accidents (lost, doubled or
altered rows), not forgery. The digest is written into the ledger and compared years later, so nothing in it depends on
the version of a library, the machine or the order and size of batches:

- Every value becomes 64 bits by the finaliser of SplitMix64, text eight bytes a step. A column's name seeds it, so
  equal values in different columns differ.
- A row is the sum of its values, mixed. NULL adds nothing, hence differs from zero and from empty text, and a column
  that schema evolution adds as all NULL leaves old digests valid.
- A slice is the sum of its rows in two lanes, modulo 2**64 each.
- ``-0.0`` counts as ``0.0`` and every NaN as one, as PostgreSQL's own equality has it: a load leaves such a row alone.
- Volatile columns (clocks, run ids) are left out.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicom_pipeline.dicom.fields import Field, Kind, TableSpec
from dicom_pipeline.tables.schemas import ARROW_TYPES

Words: TypeAlias = npt.NDArray[np.uint64]

_ROWS_A_STEP = 1 << 16
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SECOND_LANE = np.uint64(0xD1B54A32D192ED03)
_WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class SliceDigest:
    """Row count and order-independent digest (32 hexadecimal digits) of a slice, clocks and run ids left out."""

    rows: int
    digest: str


class SliceDigester:
    """Accumulates the digest of rows of one table while their batches pass by."""

    def __init__(self, spec: TableSpec) -> None:
        self._columns = [(field, _seed(field.name)) for field in spec.fields if not field.volatile]
        self._rows = 0
        self._lanes: tuple[int, ...] = (0, 0)

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the rows of ``batch``, which has at least the table's columns that are not volatile."""
        for start in range(0, batch.num_rows, _ROWS_A_STEP):
            self._add(batch.slice(start, _ROWS_A_STEP))

    def result(self) -> SliceDigest:
        """Return count and digest of everything added so far."""
        return SliceDigest(self._rows, "".join(f"{lane:016x}" for lane in self._lanes))

    def _add(self, batch: pa.RecordBatch) -> None:
        rows = np.zeros(batch.num_rows, np.uint64)
        for field, seed in self._columns:
            rows += _column_words(field, batch.column(field.name), seed)
        sums = (_mix(rows).sum(), _mix(rows ^ _SECOND_LANE).sum())
        self._lanes = tuple((lane + int(added)) % 2**64 for lane, added in zip(self._lanes, sums, strict=True))
        self._rows += batch.num_rows


def digest_batches(spec: TableSpec, batches: Iterable[pa.RecordBatch]) -> SliceDigest:
    """Return count and digest of the rows in ``batches``; neither their order nor their split matters."""
    digester = SliceDigester(spec)
    for batch in batches:
        digester.update(batch)
    return digester.result()


def _seed(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def _mix(words: Words) -> Words:
    """Return the finaliser of SplitMix64 (Steele, Lea, Flood 2014) of every word."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = words ^ (words >> np.uint64(31))
    return mixed


def _column_words(field: Field, column: pa.Array, seed: np.uint64) -> Words:
    import pyarrow.compute as pc

    if column.type != ARROW_TYPES[field.kind]:
        column = column.cast(ARROW_TYPES[field.kind])
    if field.kind is Kind.TEXT:
        encoded = pc.dictionary_encode(column)
        if len(encoded.dictionary) == 0:
            return np.zeros(len(column), np.uint64)
        places = encoded.indices.fill_null(0).to_numpy()
        words: Words = _mix(_text_words(encoded.dictionary) ^ seed)[places]
    else:
        words = _mix(_number_words(column) ^ seed)
    if column.null_count:
        words = np.where(column.is_null().to_numpy(zero_copy_only=False), np.uint64(0), words)
    return words


def _number_words(column: pa.Array) -> Words:
    if pa.types.is_floating(column.type):
        numbers = column.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0  # the sum turns -0.0 into 0.0
        return np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)
    whole = pa.int32() if column.type.bit_width == 32 else pa.int64()
    words: Words = column.view(whole).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
    return words


def _text_words(texts: pa.StringArray) -> Words:
    """Hash each text's UTF-8 bytes, eight at a time over all texts at once; ``texts`` has no nulls."""
    _, offset_buffer, data = texts.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    starts, lengths = offsets[:-1], np.diff(offsets)
    padded = np.frombuffer((data.to_pybytes() if data else b"") + bytes(_WORD_BYTES), np.uint8)
    words = np.ndarray((len(padded) - _WORD_BYTES + 1,), "<u8", padded, strides=(1,))
    hashes = _mix(lengths.view(np.uint64) + _GOLDEN)
    for done in range(0, int(lengths.max(initial=0)), _WORD_BYTES):
        active = np.flatnonzero(lengths > done)
        taken = np.minimum(lengths[active] - done, _WORD_BYTES).view(np.uint64)
        unused_bits = (np.uint64(_WORD_BYTES) - taken) * np.uint64(8)
        word = (words[starts[active] + done] << unused_bits) >> unused_bits
        hashes[active] = _mix((hashes[active] + _GOLDEN) ^ word)
    return hashes

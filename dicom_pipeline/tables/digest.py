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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicom_pipeline.dicom.fields import Field, Kind, TableSpec
from dicom_pipeline.tables.flat import is_flat, raw_values, text_places
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
        self._fields = _steady(spec)
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
        rows = row_words(self._fields, batch)
        sums = (_mix(rows).sum(), _mix(rows ^ _SECOND_LANE).sum())
        self._lanes = tuple((lane + int(added)) % 2**64 for lane, added in zip(self._lanes, sums, strict=True))
        self._rows += batch.num_rows


def digests_of_stretches(spec: TableSpec, batch: pa.RecordBatch, lengths: Sequence[int]) -> list[SliceDigest]:
    """Return the digest of each stretch of rows of a batch; the stretches follow each other and fill it.

    For many small slices at once: a batch costs some hundred steps, however many rows it has.
    """
    rows = row_words(_steady(spec), batch)
    ends = np.cumsum([0, *lengths])
    # A running sum overflows as the digest's own addition does.
    lanes = [np.append(np.uint64(0), np.cumsum(words)) for words in (_mix(rows), _mix(rows ^ _SECOND_LANE))]
    first, second = (sums[ends[1:]] - sums[ends[:-1]] for sums in lanes)
    return [SliceDigest(n, f"{int(a):016x}{int(b):016x}") for n, a, b in zip(lengths, first, second, strict=True)]


def _steady(spec: TableSpec) -> tuple[Field, ...]:
    return tuple(field for field in spec.fields if not field.volatile)


def row_words(fields: Iterable[Field], batch: pa.RecordBatch) -> Words:
    """Return 64 bits a row of ``batch`` over the columns given: equal values, equal words; any order of columns."""
    rows = np.zeros(batch.num_rows, np.uint64)
    texts: list[_Texts] = []
    for field in fields:
        column, seed = batch.column(field.name), _seed(field.name)
        if column.null_count == len(column):
            continue
        column = column if column.type == ARROW_TYPES[field.kind] else column.cast(ARROW_TYPES[field.kind])
        if field.kind is Kind.TEXT:
            texts.append(_Texts.of(column, seed))
        else:
            _add_numbers(rows, column, seed)
    _add_texts(rows, texts)
    return rows


def digest_batches(spec: TableSpec, batches: Iterable[pa.RecordBatch]) -> SliceDigest:
    """Return count and digest of the rows in ``batches``; neither their order nor their split matters."""
    digester = SliceDigester(spec)
    for batch in batches:
        digester.update(batch)
    return digester.result()


@cache
def _seed(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def _mix(words: Words) -> Words:
    """Return the finaliser of SplitMix64 (Steele, Lea, Flood 2014) of every word."""
    mixed: Words = words ^ (words >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


@dataclass(frozen=True, slots=True)
class _Texts:
    """A column of texts as its different ones, and which of them each row has (None: all the first)."""

    different: pa.StringArray
    places: pa.Int32Array | None
    seed: np.uint64

    @classmethod
    def of(cls, column: pa.StringArray, seed: np.uint64) -> "_Texts":
        if is_flat(column):
            return cls(column.slice(0, 1), None, seed)
        import pyarrow.compute as pc

        encoded = pc.dictionary_encode(column)
        return cls(encoded.dictionary, encoded.indices, seed)


def _add_texts(rows: Words, columns: Sequence[_Texts]) -> None:
    """Add the words of columns of texts to ``rows``; different texts of all are hashed at once, most being few."""
    if not columns:
        return
    sizes = [len(column.different) for column in columns]
    seeds = np.repeat(np.array([column.seed for column in columns], np.uint64), sizes)
    words = _mix(text_words(pa.concat_arrays([column.different for column in columns])) ^ seeds)
    for column, own in zip(columns, np.split(words, np.cumsum(sizes)[:-1]), strict=True):
        if column.places is None:
            rows += own
        elif column.places.null_count:
            rows += np.append(own, np.uint64(0))[column.places.fill_null(len(own)).to_numpy()]
        else:
            rows += own[column.places.to_numpy()]


def _add_numbers(rows: Words, column: pa.Array, seed: np.uint64) -> None:
    """Add the words of a column of numbers, dates or times to ``rows``; NULL adds nothing."""
    numbers = raw_values(column)
    if is_flat(column):
        rows += _mix(_number_words(numbers[:1]) ^ seed)
    elif column.null_count:
        rows += np.where(column.is_valid().to_numpy(zero_copy_only=False), _mix(_number_words(numbers) ^ seed), 0)
    else:
        rows += _mix(_number_words(numbers) ^ seed)


def _number_words(numbers: npt.NDArray[Any]) -> Words:
    if numbers.dtype.kind == "f":
        real = numbers + 0.0  # the sum turns -0.0 into 0.0
        words: Words = np.where(np.isnan(real), np.nan, real).view(np.uint64)
        return words
    return numbers.astype(np.int64).view(np.uint64)


def text_words(texts: pa.StringArray) -> Words:
    """Hash each text's UTF-8 bytes, eight at a time over all texts at once; ``texts`` has no nulls."""
    data = texts.buffers()[2]
    offsets = text_places(texts).astype(np.int64)
    starts, lengths = offsets[:-1], np.diff(offsets)
    # The longest first, so that those with something left are always a stretch at the front.
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[order], lengths[order]
    padded = np.frombuffer((data.to_pybytes() if data else b"") + bytes(_WORD_BYTES), np.uint8)
    words = np.ndarray((len(padded) - _WORD_BYTES + 1,), "<u8", padded, strides=(1,))
    hashes = _mix(lengths.view(np.uint64) + _GOLDEN)
    for done in range(0, int(lengths.max(initial=0)), _WORD_BYTES):
        active = int(np.searchsorted(-lengths, -done, "left"))
        word = words[starts[:active] + done]
        ending = int(np.searchsorted(-lengths, -(done + _WORD_BYTES), "right"))
        taken = (lengths[ending:active] - done).view(np.uint64)
        unused_bits = (np.uint64(_WORD_BYTES) - taken) * np.uint64(8)
        word[ending:] = (word[ending:] << unused_bits) >> unused_bits
        hashes[:active] = _mix((hashes[:active] + _GOLDEN) ^ word)
    found = np.empty_like(hashes)
    found[order] = hashes
    return found

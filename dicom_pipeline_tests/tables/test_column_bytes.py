"""Bytes of many places: gathered, read as words, trimmed; at the borders of the buffer above all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_pipeline.dicom.scanner.noted import ABSENT
from dicom_pipeline.tables.column_bytes import Words, gather, trim_left, trim_right


def bytes_of(value: bytes) -> np.ndarray:
    return np.frombuffer(value, np.uint8)


@given(st.binary(max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(-1, 40)), max_size=20))
def test_gathered_are_the_bytes_of_each_place(buffer: bytes, places: list[tuple[int, int]]) -> None:
    inside = [(at, length) for at, length in places if at + max(length, 0) <= len(buffer)]
    offsets, lengths = [at for at, _ in inside], [length for _, length in inside]
    found = gather(bytes_of(buffer), np.array(offsets, np.int64), np.array(lengths, np.int32))
    found.validate(full=True)
    assert found.to_pylist() == [None if length == ABSENT else buffer[at : at + length] for at, length in inside]


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 20])
def test_words_are_filled_up_with_zeros_at_the_end_of_the_buffer(size: int) -> None:
    buffer = bytes(range(1, size + 1))
    words = Words(bytes_of(buffer)).at(np.arange(size))
    assert words.tolist() == [int.from_bytes(buffer[at : at + 8], "little") for at in range(size)]


def test_a_word_past_the_end_is_no_error() -> None:
    assert len(Words(bytes_of(b"123456789")).at(np.array([9, 16, 1000]))) == 3


VALUES = [b"", b" ", b"\0", b" \0 ", b"a", b"a ", b" a", b"\0 a b \0", b"ab" + b" " * 40, b" " * 40 + b"ab"]


def test_blanks_and_nuls_are_trimmed_at_one_end() -> None:
    buffer = bytes_of(b"".join(VALUES))
    lengths = np.array([len(value) for value in VALUES], np.int32)
    offsets = np.cumsum(lengths, dtype=np.int64) - lengths
    right, rest = trim_right(buffer, offsets, lengths)
    assert gather(buffer, offsets, right).to_pylist() == [value.rstrip(b" \0") for value in VALUES]
    begins, left, more_rest = trim_left(buffer, offsets, lengths)
    assert gather(buffer, begins, left).to_pylist() == [value.lstrip(b" \0") for value in VALUES]
    assert not (rest | more_rest).any()


def test_what_is_padded_too_far_is_said() -> None:
    buffer = bytes_of(b"a" + b" " * 1000 + b"a" + b" ")
    offsets, lengths = np.array([0, 1, 1001]), np.array([1001, 1001, 2], np.int32)
    assert trim_right(buffer, offsets, lengths)[1].tolist() == [True, False, False]
    assert trim_left(buffer, offsets, lengths)[2].tolist() == [False, True, False]

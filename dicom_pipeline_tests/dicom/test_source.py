"""Bytes by offset: what is fetched, and what inflating may cost."""

import io

import pytest

from dicom_pipeline.dicom import source as source_module
from dicom_pipeline.dicom.source import BLOCK_SIZE, FileSource, InflatedSource
from dicom_pipeline_tests.dicom.streams import deflate

DATA = bytes(range(256)) * 400


class Trickle(io.BytesIO):
    """A stream that gives at most seven bytes at a time, as an unbuffered one may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(7 if size is None or size < 0 else min(size, 7))


@pytest.mark.parametrize("stream", [io.BytesIO(DATA), Trickle(DATA)])
@pytest.mark.parametrize("offset", [0, 5, BLOCK_SIZE - 12, BLOCK_SIZE - 3, 60_000, 3, len(DATA) - 12, len(DATA) - 2])
def test_a_file_gives_what_lies_at_an_offset(stream: io.BytesIO, offset: int) -> None:
    source = FileSource(stream, len(DATA))
    assert source.peek(offset) == DATA[offset : offset + 12]
    assert source.read(offset, 1000) == DATA[offset : offset + 1000]
    assert source.peek(0) == DATA[:12]


def test_a_file_ends_where_its_size_says() -> None:
    source = FileSource(io.BytesIO(DATA), 100)
    assert source.read(90, 50) == DATA[90:100]
    assert source.peek(100) == b""
    assert source.reaches(100)
    assert not source.reaches(101)
    assert source.ends_at(100)
    assert not source.ends_at(99)


def test_a_file_that_is_shorter_than_its_size_gives_what_there_is() -> None:
    source = FileSource(io.BytesIO(DATA[:50]), 100)
    assert source.read(40, 20) == DATA[40:50]
    assert source.peek(60) == b""


@pytest.mark.parametrize("offset", [0, 5, 65_530, 90_000, len(DATA) - 2])
def test_what_a_stream_inflates_to(offset: int) -> None:
    packed = b"before" + deflate(DATA)
    source = InflatedSource(FileSource(io.BytesIO(packed), len(packed)), 6)
    assert source.peek(offset) == DATA[offset : offset + 12]
    assert source.read(offset, 70_000) == DATA[offset : offset + 70_000]
    assert source.reaches(len(DATA))
    assert not source.reaches(len(DATA) + 1)
    assert source.ends_at(len(DATA))
    assert not source.ends_at(len(DATA) - 1)
    assert not source.limited


def test_a_cut_or_broken_stream_does_not_end_properly() -> None:
    packed = deflate(DATA)
    for damaged in (packed[:-4], packed[:100] + b"\xff" * 50):
        source = InflatedSource(FileSource(io.BytesIO(damaged), len(damaged)), 0)
        assert not source.reaches(len(DATA) + 1)
        assert not any(source.ends_at(offset) for offset in range(0, len(DATA) + 1, 1))


def test_no_more_is_inflated_than_asked_for_and_never_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_INFLATED_BYTES", 1_000_000)
    packed = deflate(bytes(50_000_000))
    stream = io.BytesIO(packed)
    source = InflatedSource(FileSource(stream, len(packed)), 0)
    assert source.peek(0) == bytes(12)
    assert len(source._bytes) <= 4 * BLOCK_SIZE
    assert source.reaches(1_000_000)
    assert not source.limited
    assert not source.reaches(1_000_001)
    assert source.limited
    assert len(source._bytes) == 1_000_000

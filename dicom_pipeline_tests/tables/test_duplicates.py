import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Rejection
from dicom_pipeline.tables.duplicates import Duplicate, InstanceHashes, find_duplicates, reject_duplicates
from dicom_pipeline.tables.rows import metadata_batch, reject_where
from dicom_pipeline.tables.schemas import metadata_schema
from dicom_pipeline_tests.tables.made_rows import entry, record


@dataclass(frozen=True)
class File:
    """A file of a made-up date; ``content`` None cannot be read, ``uid`` None was rejected before."""

    path: str
    uid: str | None
    content: bytes | None

    @property
    def size(self) -> int:
        return 2 if self.content is None else len(self.content)


files = st.lists(
    st.builds(
        File,
        path=st.text("ab/", max_size=3),
        uid=st.sampled_from(["1", "2", "3", None]),
        content=st.sampled_from([b"aa", b"ab", b"abc", None]),
    ),
    max_size=12,
)


def batches_of(date: Sequence[File], rows: int) -> list[pa.RecordBatch]:
    outcomes = [Rejection(Reason.NOT_DICOM) if file.uid is None else record(file.uid) for file in date]
    batch = metadata_batch([entry(file.path, file.size) for file in date], outcomes)
    return [batch.slice(start, rows) for start in range(0, batch.num_rows, rows)]


def find(date: Sequence[File], rows: int) -> dict[int, Duplicate]:
    def source(columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        table = pa.Table.from_batches(batches_of(date, rows), metadata_schema())
        return (table if columns is None else table.select(list(columns))).to_reader()

    def open_file(row: int, path: str) -> BinaryIO:
        assert date[row].path == path
        content = date[row].content
        if content is None:
            raise PermissionError(13, "denied")
        return io.BytesIO(content)

    return find_duplicates(hashes_of(batches_of(date, rows)), source, open_file)


def hashes_of(batches: Iterable[pa.RecordBatch]) -> InstanceHashes:
    hashes = InstanceHashes()
    for batch in batches:
        hashes.observe(batch)
    return hashes


def naive(date: Sequence[File]) -> dict[int, Duplicate]:
    """The rule, as it is written down."""
    by_uid = defaultdict(list)
    for row, file in enumerate(date):
        if file.uid is not None:
            by_uid[file.uid].append(row)
    expected = {}
    for rows in by_uid.values():
        if len(rows) < 2:
            continue
        equal = len({date[row].content for row in rows}) == 1 and date[rows[0]].content is not None
        best = min(rows, key=lambda row: date[row].path)
        for row in rows:
            if not equal:
                expected[row] = Duplicate.DIFFERENT
            elif row != best:
                expected[row] = Duplicate.IDENTICAL_COPY
    return expected


@settings(deadline=None, max_examples=60)
@given(files, st.integers(1, 5))
def test_duplicates_are_those_of_the_rule(date: list[File], rows: int) -> None:
    assert find(date, rows) == naive(date)


@settings(deadline=None, max_examples=60)
@given(files, st.integers(1, 5))
def test_only_the_rows_found_are_rejected(date: list[File], rows: int) -> None:
    found = naive(date)
    before = [row for batch in batches_of(date, rows) for row in batch.to_pylist()]
    after = [row for batch in reject_duplicates(batches_of(date, rows), found) for row in batch.to_pylist()]
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        assert new == (old if number not in found else rejected(old, found[number]))


def rejected(row: dict[str, Any], kind: Duplicate) -> dict[str, Any]:
    findings = [{"field": "SOPInstanceUID", "reason": "IdenticalCopy"}] if kind is Duplicate.IDENTICAL_COPY else []
    return dict.fromkeys(row) | {
        "path": row["path"],
        "file_size": row["file_size"],
        "outcome": "rejected",
        "reason": "DuplicateInstance",
        "field": "SOPInstanceUID",
        "findings": findings,
    }


def test_unequal_sizes_are_not_read() -> None:
    date = [File("a", "1", b"x"), File("b", "1", b"xy")]

    def fail(row: int, path: str) -> BinaryIO:
        raise AssertionError("opened")

    table = pa.Table.from_batches(batches_of(date, 9))
    found = find_duplicates(hashes_of(table.to_batches()), lambda columns=None: table.select(columns).to_reader(), fail)
    assert found == {0: Duplicate.DIFFERENT, 1: Duplicate.DIFFERENT}


def test_a_large_file_is_compared_to_its_last_byte() -> None:
    content = bytes(3 << 20)
    assert find([File("a", "1", content), File("b", "1", content)], 9) == {1: Duplicate.IDENTICAL_COPY}
    other = content[:-1] + b"\1"
    assert set(find([File("a", "1", content), File("b", "1", other)], 9).values()) == {Duplicate.DIFFERENT}


def test_rows_rejected_before_are_no_duplicates() -> None:
    batch = metadata_batch([entry("a"), entry("b")], [record("1"), record("1")])
    batch = reject_where(batch, pa.array([True, False]), Reason.STUDY_DATE_MISMATCH, "StudyDate")

    def source(columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        return pa.Table.from_batches([batch]).select(columns).to_reader()

    assert find_duplicates(hashes_of([batch]), source, lambda *_: io.BytesIO()) == {}

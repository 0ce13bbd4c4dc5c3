"""A listing as batches, and its fingerprint: every part counts, the order does not."""

import os

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.archive.entries import EntryRow
from dicom_pipeline.archive.paths import display_path, from_columns, raw_path
from dicom_pipeline.tables import listing
from dicom_pipeline.tables.listing import ListingSums, fingerprints, listing_batches
from dicom_pipeline.tables.schemas import FILES_SCHEMA

_ROWS = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"\0", b"x")),
        st.none() | st.integers(0, 2**40),
        st.none() | st.integers(-(2**62), 2**62),
        st.none() | st.sampled_from(["PermissionDenied", "Vanished", "None"]),
    ),
    max_size=8,
)


def _fingerprint(rows: list[EntryRow]) -> str:
    sums = ListingSums()
    for _ in sums.watch(listing_batches(iter(rows))):
        pass
    return sums.fingerprint


@settings(deadline=None)
@given(_ROWS)
def test_batches_hold_what_the_walk_found(rows: list[EntryRow]) -> None:
    table = pa.Table.from_batches(listing_batches(iter(rows)), FILES_SCHEMA)
    shown = [os.fsdecode(path) for path, *_ in rows]
    assert table["path"].to_pylist() == [display_path(path) for path in shown]
    assert table["raw_path"].to_pylist() == [raw_path(path) for path in shown]
    paths = map(from_columns, table["path"].to_pylist(), table["raw_path"].to_pylist())
    rest = (table[name].to_pylist() for name in ("size", "mtime_ns", "problem"))
    assert list(zip(map(os.fsencode, paths), *rest, strict=True)) == rows


@settings(deadline=None)
@given(_ROWS, st.randoms(use_true_random=False))
def test_order_is_no_matter(rows: list[EntryRow], random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert _fingerprint(shuffled) == _fingerprint(rows)


@settings(deadline=None)
@given(_ROWS, _ROWS)
def test_different_listings_differ(one: list[EntryRow], other: list[EntryRow]) -> None:
    same = sorted(map(repr, one)) == sorted(map(repr, other))
    assert (_fingerprint(one) == _fingerprint(other)) is same


def test_every_part_of_an_entry_counts() -> None:
    variants: list[EntryRow] = [
        (b"a/b", 1, 2, None),
        (b"a/c", 1, 2, None),
        (b"\xff", 1, 2, None),
        (rb"\xff", 1, 2, None),
        (b"a/b", 12, 2, None),
        (b"a/b", 1, 22, None),
        (b"a/b", 2, 1, None),
        (b"a/b", None, 2, None),
        (b"a/b", 1, None, None),
        (b"a/b", 1, 2, "Vanished"),
        (b"a/b", 1, 2, "None"),
    ]
    assert len({_fingerprint([v]) for v in variants}) == len(variants)


def test_an_entry_met_twice_does_not_cancel_itself() -> None:
    entry: EntryRow = (b"a", 1, 2, None)
    assert len({_fingerprint([entry] * times) for times in range(4)}) == 4


def test_sums_do_not_depend_on_where_batches_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[EntryRow] = [(b"%d" % n, n or None, n, None) for n in range(10)]
    whole = ListingSums()
    assert [b.num_rows for b in whole.watch(listing_batches(iter(rows)))] == [10]
    monkeypatch.setattr(listing, "_ROWS_A_BATCH", 4)
    parts = ListingSums()
    assert [b.num_rows for b in parts.watch(listing_batches(iter(rows)))] == [4, 4, 2]
    assert (parts.files, parts.bytes, parts.fingerprint) == (10, 45, whole.fingerprint)


def test_it_is_the_same_on_every_machine_and_day() -> None:
    # Stored as a data version: changing the way it is made marks every date of every archive as changed.
    assert _fingerprint([]) == "0" * 32
    assert _fingerprint([(b"20240101/a.dcm", 10, 20, None)]) == "bfd39e05c3bfae431c7f0dbe36a43538"


@settings(deadline=None)
@given(st.lists(_ROWS, max_size=9), st.sampled_from([1, 3, 10_000]))
def test_many_listings_at_once_have_the_fingerprints_they_have_alone(listings: list[list[EntryRow]], size: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(listing, "_ROWS_A_BATCH", size)
        found = list(fingerprints(enumerate(map(iter, listings))))
    assert found == [(number, _fingerprint(rows)) for number, rows in enumerate(listings)]

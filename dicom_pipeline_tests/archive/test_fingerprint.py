"""A listing's fingerprint: every part counts, the order does not."""

import os
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.fingerprint import Fingerprint

_ENTRIES = st.lists(
    st.builds(
        FileEntry,
        path=st.binary(min_size=1, max_size=6).map(lambda name: os.fsdecode(name.replace(b"\0", b"x"))),
        size=st.none() | st.integers(0, 2**40),
        mtime_ns=st.none() | st.integers(-(2**62), 2**62),
        problem=st.none() | st.sampled_from(["PermissionDenied", "Vanished", "None"]),
    ),
    max_size=8,
)


def _fingerprint(entries: list[FileEntry]) -> str:
    fingerprint = Fingerprint()
    for entry in entries:
        fingerprint.add(entry)
    return fingerprint.hexdigest()


@settings(deadline=None)
@given(_ENTRIES, st.randoms(use_true_random=False))
def test_order_is_no_matter(entries: list[FileEntry], random) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert _fingerprint(shuffled) == _fingerprint(entries)


@settings(deadline=None)
@given(_ENTRIES, _ENTRIES)
def test_different_listings_differ(one: list[FileEntry], other: list[FileEntry]) -> None:
    same = sorted(map(repr, one)) == sorted(map(repr, other))
    assert (_fingerprint(one) == _fingerprint(other)) is same


def test_every_part_of_an_entry_counts() -> None:
    entry = FileEntry("a/b", 1, 2, None)
    variants = [
        entry,
        replace(entry, path="a/c"),
        replace(entry, path=os.fsdecode(b"\xff")),
        replace(entry, size=12, mtime_ns=2),
        replace(entry, size=1, mtime_ns=22),
        replace(entry, size=None),
        replace(entry, mtime_ns=None),
        replace(entry, problem="Vanished"),
        replace(entry, problem="None"),
    ]
    assert len({_fingerprint([v]) for v in variants}) == len(variants)


def test_an_entry_met_twice_does_not_cancel_itself() -> None:
    entry = FileEntry("a", 1, 2, None)
    assert len({_fingerprint([entry] * times) for times in range(4)}) == 4


def test_it_is_the_same_on_every_machine_and_day() -> None:
    # Stored as a data version: changing the way it is made marks every date of every archive as changed.
    assert _fingerprint([]) == "0" * 32
    assert _fingerprint([FileEntry("20240101/a.dcm", 10, 20, None)]) == "58127c35bd2f9c5a958eb3edfdf4b22a"

"""Paths as two columns, and back."""

import os

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.archive.paths import display_path, from_columns, raw_path
from dicom_pipeline.tables.schemas import FILES_SCHEMA

_NAMES = st.one_of(st.binary(min_size=1), st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.encode))


@settings(deadline=None)
@given(_NAMES)
def test_the_two_columns_give_back_every_path(name: bytes) -> None:
    path = os.fsdecode(name)
    assert from_columns(display_path(path), raw_path(path)) == path


@settings(deadline=None)
@given(_NAMES)
def test_the_columns_can_be_stored(name: bytes) -> None:
    path = os.fsdecode(name)
    stored = pa.array([display_path(path)], FILES_SCHEMA.field("path").type)
    stored.validate(full=True)
    raw = pa.array([raw_path(path)], FILES_SCHEMA.field("raw_path").type)
    assert from_columns(stored[0].as_py(), raw[0].as_py()) == path


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_path_in_utf8_is_shown_as_it_is(path: str) -> None:
    assert display_path(path) == path
    assert raw_path(path) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"\xff", "\\xff"),
        (b"a/\xe9t\xe9.dcm", "a/\\xe9t\\xe9.dcm"),
        (b"\xc3\xa9\xc3", "é\\xc3"),
        (b"\n\xed\xa0\x80", "\n\\xed\\xa0\\x80"),
    ],
)
def test_bytes_that_are_not_utf8_are_shown_in_hexadecimal(name: bytes, shown: str) -> None:
    path = os.fsdecode(name)
    assert display_path(path) == shown
    assert raw_path(path) == name


def test_paths_that_look_alike_stay_two() -> None:
    named_so, undecodable = r"\xff", os.fsdecode(b"\xff")
    assert display_path(named_so) == display_path(undecodable)
    assert raw_path(named_so) != raw_path(undecodable)

"""The warehouse is compared with what was staged."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.dicom.fields import IMAGE, SLICE_TABLES, STATE, TableSpec
from dicom_pipeline.quality.catalogue import WAREHOUSE_CHECKS, Severity
from dicom_pipeline.quality.conflicts import Conflict
from dicom_pipeline.quality.reconcile import check_warehouse, compare_slice, every_image_has_its_series
from dicom_pipeline.tables.contents import ContentsObserver
from dicom_pipeline.tables.digest import SliceDigest
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline_tests.quality.staged import hashes

NONE = Conflict(0, 0)
KEYS = ("study_uid", "series_uid")


def images_of(*keys: tuple[str, str]) -> pa.Table:
    return contents(IMAGE, keys, KEYS)


def series_of(*rows: tuple[str, str, int | None]) -> pa.Table:
    return contents(STATE, rows, (*KEYS, "series_related_instances"))


def contents(table: TableSpec, rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...]) -> pa.Table:
    """Return the series of a slice of ``table`` whose rows have nothing but these values."""
    schema = table_schema(table)
    values = [
        pa.array([row[columns.index(f.name)] for row in rows] if f.name in columns else [None] * len(rows), f.type)
        for f in schema
    ]
    observer = ContentsObserver(table)
    observer.update(pa.RecordBatch.from_arrays(values, schema=schema))
    return observer.result().series


def test_equal_slices_match() -> None:
    found = compare_slice("dicom_reject", SliceDigest(3, "ab"), SliceDigest(3, "ab"))
    assert found.passed
    assert found.asset == "dicom_reject"
    assert found.counts == {"rows_expected": 3, "rows_found": 3, "digests_differ": 0, "offending": 0}


@pytest.mark.parametrize("actual", [SliceDigest(2, "ab"), SliceDigest(3, "cd")])
def test_other_slices_do_not(actual: SliceDigest) -> None:
    found = compare_slice("dicom_image_meta", SliceDigest(3, "ab"), actual)
    assert not found.passed
    assert found.severity is Severity.ERROR
    assert found.blocks


def test_images_and_series_agree() -> None:
    images = images_of(("1", "1.1"), ("1", "1.1"), ("2", "2.1"))
    found = every_image_has_its_series(images, series_of(("1", "1.1", 2), ("2", "2.1", 1)))
    assert found.passed
    assert found.counts["images"] == 3
    assert found.counts["series"] == 2


def test_an_empty_slice_agrees() -> None:
    assert every_image_has_its_series(images_of(), series_of()).passed


@pytest.mark.parametrize(
    ("series", "problem"),
    [
        ([("1", "1.1", 2)], "series_without_row"),
        ([("1", "1.1", 2), ("2", "2.1", 1), ("3", "3.1", 1)], "rows_without_image"),
        ([("1", "1.1", 2), ("2", "2.1", 2)], "wrong_counts"),
        ([("1", "1.1", 2), ("2", "2.1", None)], "wrong_counts"),
    ],
)
def test_images_and_series_disagree(series, problem: str) -> None:
    images = images_of(("1", "1.1"), ("1", "1.1"), ("2", "2.1"))
    found = every_image_has_its_series(images, series_of(*series))
    assert not found.passed
    assert found.severity is Severity.ERROR
    assert found.counts[problem] == 1
    assert found.counts["offending"] == 1
    assert len(found.uid_hashes) == 1


def test_a_series_is_known_by_its_study_too() -> None:
    found = every_image_has_its_series(images_of(("1", "9")), series_of(("2", "9", 1)))
    assert found.counts["series_without_row"] == 1
    assert found.counts["rows_without_image"] == 1
    assert found.uid_hashes == hashes("9")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=12),
    st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), st.integers(0, 3)),
)
def test_against_a_naive_model(images, series) -> None:
    found = every_image_has_its_series(images_of(*images), series_of(*((*key, n) for key, n in series.items())))
    counted = Counter(images)
    assert found.counts["series_without_row"] == len(counted.keys() - series.keys())
    assert found.counts["rows_without_image"] == len(series.keys() - counted.keys())
    assert found.counts["wrong_counts"] == sum(counted[key] != series[key] for key in counted.keys() & series.keys())
    assert found.passed is (dict(counted) == series)


def test_every_check_of_the_catalogue_is_made() -> None:
    digests = {spec.name: SliceDigest(0, "0" * 32) for spec in SLICE_TABLES}
    actual = {spec.name: ContentsObserver(spec).result() for spec in SLICE_TABLES}
    found = check_warehouse(digests, actual, NONE, NONE)
    assert [f.spec for f in found] == list(WAREHOUSE_CHECKS)
    assert all(f.passed for f in found)
    other = digests | {"dicom_state_meta": SliceDigest(0, "01")}
    failed = [f for f in check_warehouse(other, actual, NONE, NONE) if not f.passed]
    assert [(f.asset, f.check) for f in failed] == [("dicom_state_meta", "warehouse_matches_staging")]


def test_what_is_elsewhere_too_warns_and_does_not_block() -> None:
    digests = {spec.name: SliceDigest(0, "0" * 32) for spec in SLICE_TABLES}
    actual = {spec.name: ContentsObserver(spec).result() for spec in SLICE_TABLES}
    found = check_warehouse(digests, actual, Conflict(2, 5, ("h",)), Conflict(1, 3))
    failed = {f.check: (f.severity, f.blocks, f.counts["offending"]) for f in found if not f.passed}
    assert failed == {
        "sop_instance_in_one_place": (Severity.WARN, False, 2),
        "study_of_one_patient": (Severity.WARN, False, 1),
    }

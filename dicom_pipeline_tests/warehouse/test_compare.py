"""Two warehouses compared: what differs is found, down to the key, and nothing else is."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from dicom_pipeline.dicom.fields import IMAGE, REJECT, SLICE_TABLES, STATE
from dicom_pipeline.warehouse.base import Slice, Warehouse
from dicom_pipeline.warehouse.compare import SliceComparison, compare_slice, slices_of
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.conftest import Database
from dicom_pipeline_tests.warehouse.rows import SECOND_CLOCK, TARGET, empty_slice, facts, make_rows, make_slice

LATER = Slice(TARGET.tenant_id, TARGET.date + dt.timedelta(days=40))
CLINIC = Slice("clinic", TARGET.date)


@pytest.fixture
def other(make_database: Callable[[], Database]) -> Iterator[Warehouse]:
    """A warehouse to compare with: PostgreSQL, whatever the first one is."""
    with closing(create_warehouse(make_database().url)) as opened:
        opened.prepare()
        yield opened


def compared(a: Warehouse, b: Warehouse) -> dict[tuple[Slice, str], SliceComparison]:
    found = [c for target in slices_of(a, b, None, None, None) for c in compare_slice(a, b, target)]
    return {(comparison.target, comparison.table): comparison for comparison in found}


def test_the_same_rows_are_equal_whenever_and_by_whomever_they_were_loaded(
    warehouse: Warehouse, other: Warehouse
) -> None:
    for target in (TARGET, LATER, CLINIC):
        warehouse.replace_slice(target, make_slice(target), facts())
        other.replace_slice(target, make_slice(target, clock=SECOND_CLOCK), facts("run-2", SECOND_CLOCK))
    found = compared(warehouse, other)
    assert list(found) == [(target, t.name) for target in (CLINIC, TARGET, LATER) for t in SLICE_TABLES]
    assert all(c.equal and c.keys is None and c.a.rows > 0 for c in found.values())


def test_the_keys_that_differ_are_named(warehouse: Warehouse, other: Warehouse) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    images = make_rows(
        IMAGE, start=1, columns={"patient_id": ["other", *make_rows(IMAGE)["patient_id"].to_pylist()[2:], "x"]}
    )
    other.replace_slice(TARGET, {**make_slice(), IMAGE.name: images}, facts())
    found = compared(warehouse, other)
    assert [key[1] for key, comparison in found.items() if not comparison.equal] == [IMAGE.name]
    keys = found[TARGET, IMAGE.name].keys
    uids = [("1.2.3", "1.2.3.4", uid) for uid in make_rows(IMAGE, count=5)["sop_uid"].to_pylist()]
    assert keys.columns == ("study_uid", "series_uid", "sop_uid")
    assert (keys.only_a, keys.only_b, keys.other) == ((uids[0],), (uids[4],), (uids[1],))
    told = found[TARGET, IMAGE.name].as_json()
    assert told["equal"] is False
    assert told["keys"]["other"] == [dict(zip(keys.columns, uids[1], strict=True))]
    assert "keys" not in found[TARGET, STATE.name].as_json()


def test_a_slice_that_only_one_has_differs(warehouse: Warehouse, other: Warehouse) -> None:
    warehouse.prepare()
    other.replace_slice(LATER, {**empty_slice(), REJECT.name: make_rows(REJECT, LATER, 2)}, facts())
    found = compared(warehouse, other)
    assert {key: comparison.equal for key, comparison in found.items()} == {
        (LATER, IMAGE.name): True,
        (LATER, STATE.name): True,
        (LATER, REJECT.name): False,
    }
    assert len(found[LATER, REJECT.name].keys.only_b) == 2


def test_a_tenant_and_a_range_narrow_the_comparison(warehouse: Warehouse, other: Warehouse) -> None:
    for target in (TARGET, LATER):
        warehouse.replace_slice(target, make_slice(target), facts())
    other.replace_slice(CLINIC, make_slice(CLINIC), facts())
    assert slices_of(warehouse, other, None, None, None) == [CLINIC, TARGET, LATER]
    assert slices_of(warehouse, other, "clinic", None, None) == [CLINIC]
    assert slices_of(warehouse, other, "hospital", LATER.date, None) == [LATER]
    assert slices_of(warehouse, other, None, None, TARGET.date) == [CLINIC, TARGET]
    assert slices_of(warehouse, other, "nobody", None, None) == []

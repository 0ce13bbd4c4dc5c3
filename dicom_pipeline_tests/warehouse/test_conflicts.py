"""Conflicts over all dates of a tenant, on a real server."""

import datetime as dt

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.quality.conflicts import Conflict
from dicom_pipeline.warehouse.base import Slice, Warehouse
from dicom_pipeline_tests.warehouse.rows import TARGET, empty_slice, facts, make_rows

LATER = Slice(TARGET.tenant_id, dt.date(2024, 2, 1))
OTHER_TENANT = Slice("clinic", LATER.date)
NONE = Conflict(0, 0)


def load(warehouse: Warehouse, target: Slice, **columns: list[str]) -> None:
    """Load one image a value; whatever is not given is unlike in every slice but study and series."""
    count = len(next(iter(columns.values())))
    unlike = [f"{target.tenant_id} {target.date} {number}" for number in range(count)]
    given = {"sop_uid": unlike, "patient_id": ["p"] * count, "series_uid_hash": ["s"] * count, **columns}
    images: pa.Table = make_rows(IMAGE, target, count, columns=given)
    warehouse.replace_slice(target, {**empty_slice(), IMAGE.name: images}, facts())


@pytest.mark.parametrize("tenant", ["hospital", "nobody"])
def test_nothing_conflicts_where_all_is_well(warehouse: Warehouse, tenant: str) -> None:
    load(warehouse, TARGET, sop_uid=["1", "2"])
    load(warehouse, LATER, sop_uid=["3", "4"])
    load(warehouse, OTHER_TENANT, sop_uid=["1", "2"], patient_id=["q", "q"])
    assert warehouse.instances_in_several_places(tenant) == NONE
    assert warehouse.studies_of_several_patients(tenant) == NONE


def test_an_instance_under_two_dates_or_two_series_is_found(warehouse: Warehouse) -> None:
    load(warehouse, TARGET, sop_uid=["1", "2", "3", "3"], series_uid=["a", "a", "a", "b"], series_uid_hash=list("aaab"))
    load(warehouse, LATER, sop_uid=["1", "4"], series_uid_hash=["c", "c"])
    assert warehouse.instances_in_several_places(TARGET.tenant_id) == Conflict(2, 4, ("a",))


def test_a_study_under_two_patients_is_found_also_within_a_series(warehouse: Warehouse) -> None:
    load(warehouse, TARGET, study_uid=["1", "2"], patient_id=["p", "p"], study_uid_hash=["h1", "h2"])
    load(
        warehouse,
        LATER,
        study_uid=["1", "3", "3"],
        patient_id=["p ", "p", "P"],
        study_uid_hash=["h1", "h3", "h3"],
    )
    assert warehouse.studies_of_several_patients(TARGET.tenant_id) == Conflict(2, 4, ("h1", "h3"))


def test_all_are_counted_and_few_are_named(warehouse: Warehouse) -> None:
    uids = [f"{number:02}" for number in range(50)]
    load(warehouse, TARGET, sop_uid=uids, series_uid_hash=uids)
    load(warehouse, LATER, sop_uid=uids, series_uid_hash=uids)
    assert warehouse.instances_in_several_places(TARGET.tenant_id) == Conflict(50, 100, tuple(uids[:20]))

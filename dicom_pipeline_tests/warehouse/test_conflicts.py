"""Conflicts over all dates of a tenant, on a real server."""

import datetime as dt

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import IMAGE, STATE
from dicom_pipeline.quality.conflicts import Conflict
from dicom_pipeline.warehouse.base import Slice, Warehouse
from dicom_pipeline_tests.warehouse.conftest import Database
from dicom_pipeline_tests.warehouse.rows import TARGET, empty_slice, facts, make_rows

LATER = Slice(TARGET.tenant_id, dt.date(2024, 2, 1))
LAST = Slice(TARGET.tenant_id, dt.date(2024, 3, 1))
OTHER_TENANT = Slice("clinic", LATER.date)
NONE = Conflict(0, 0)


def load(warehouse: Warehouse, target: Slice, *, states: bool = False, **columns: list[str]) -> None:
    """Load one image a value; whatever is not given is unlike in every slice but study and series.

    ``states`` loads a series an image too.
    """
    count = len(next(iter(columns.values())))
    unlike = [f"{target.tenant_id} {target.date} {number}" for number in range(count)]
    given = {"sop_uid": unlike, "patient_id": ["p"] * count, "series_uid_hash": ["s"] * count, **columns}
    images: pa.Table = make_rows(IMAGE, target, count, columns=given)
    series = make_rows(STATE, target, count * states, columns={n: given[n] for n in columns} if states else {})
    warehouse.replace_slice(target, {**empty_slice(), IMAGE.name: images, STATE.name: series}, facts())


@pytest.mark.parametrize("tenant", ["hospital", "nobody"])
def test_nothing_conflicts_where_all_is_well(warehouse: Warehouse, tenant: str) -> None:
    load(warehouse, TARGET, sop_uid=["1", "2"])
    load(warehouse, LATER, sop_uid=["3", "4"])
    load(warehouse, OTHER_TENANT, sop_uid=["1", "2"], patient_id=["q", "q"])
    for date in (None, TARGET.date, LATER.date):
        assert warehouse.instances_in_several_places(tenant, date) == NONE
        assert warehouse.studies_of_several_patients(tenant, date) == NONE


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


def test_a_date_is_asked_for_its_own_instances_only(warehouse: Warehouse) -> None:
    load(warehouse, TARGET, sop_uid=["1", "2", "3", "3"], series_uid=["a", "a", "a", "b"], series_uid_hash=list("aaab"))
    load(warehouse, LATER, sop_uid=["1", "4"], series_uid_hash=["c", "c"])
    load(warehouse, LAST, sop_uid=["0", "9"])  # a span that holds all of them, and none of them
    load(warehouse, OTHER_TENANT, sop_uid=["4", "9"])
    assert warehouse.instances_in_several_places(TARGET.tenant_id, TARGET.date) == Conflict(2, 4, ("a",))
    assert warehouse.instances_in_several_places(TARGET.tenant_id, LATER.date) == Conflict(1, 2, ("a",))
    assert warehouse.instances_in_several_places(TARGET.tenant_id, LAST.date) == NONE
    assert warehouse.instances_in_several_places(TARGET.tenant_id, dt.date(2024, 5, 1)) == NONE


def test_a_date_is_asked_for_its_own_studies_only(warehouse: Warehouse) -> None:
    uids = {"study_uid": ["1", "2"], "series_uid": ["1.1", "2.1"], "study_uid_hash": ["h1", "h2"]}
    for target, patients in ((TARGET, ["p", "p"]), (LATER, ["q", "p"])):
        load(warehouse, target, states=True, patient_id=patients, **uids)
    load(warehouse, LAST, states=True, study_uid=["3"], series_uid=["3.1"], study_uid_hash=["h3"])
    for date in (TARGET.date, LATER.date):
        assert warehouse.studies_of_several_patients(TARGET.tenant_id, date) == Conflict(1, 2, ("h1",))
    assert warehouse.studies_of_several_patients(TARGET.tenant_id, LAST.date) == NONE


def test_an_index_leads_to_what_is_asked_for(warehouse: Warehouse, database: Database) -> None:
    load(warehouse, TARGET, sop_uid=["1", "2"])
    indexed = "SELECT indexdef FROM pg_indexes WHERE tablename = %s"
    for partition, column in (("dicom_image_meta_y2024m01", "sop_uid"), ("dicom_state_meta_y2024m01", "study_uid")):
        definitions = [row[0] for row in database.query(indexed, (partition,))]
        assert any(definition.endswith(f"btree ({column})") for definition in definitions)

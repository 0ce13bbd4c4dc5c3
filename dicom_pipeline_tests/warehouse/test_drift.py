"""Tables that differ, in every warehouse: told before a load, and only what loses nothing is mended."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES, IMAGE
from dicom_pipeline.errors import SchemaDrift
from dicom_pipeline.warehouse.base import Warehouse
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.conftest import Store
from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_slice

DROPPED = ("thumbnail_location", "rescale_type")
CHANGES = {
    "ALTER TABLE dicom_image_meta DROP COLUMN width": "dicom_image_meta.width is missing",
    "ALTER TABLE dicom_image_meta DROP COLUMN patient_id": "dicom_image_meta.patient_id is missing",
    "ALTER TABLE dicom_state_meta ADD COLUMN height INT": "dicom_state_meta.height is not a column of this version",
}


@pytest.fixture
def plain(empty_store: Store) -> Iterator[Warehouse]:
    with closing(create_warehouse(empty_store.url)) as opened:
        opened.prepare()
        yield opened


@pytest.fixture
def evolving(empty_store: Store) -> Iterator[Warehouse]:
    """The same warehouse, allowed to change its tables; not opened before it is used."""
    with closing(create_warehouse(empty_store.url, allow_schema_evolution=True)) as opened:
        yield opened


@pytest.mark.parametrize(("change", "told"), CHANGES.items(), ids=["nullable", "required", "unknown"])
def test_a_difference_is_told_and_fails_a_load_before_it_writes(
    empty_store: Store, plain: Warehouse, change: str, told: str
) -> None:
    empty_store.run(change)
    assert plain.differences() == [told]
    with closing(create_warehouse(empty_store.url)) as fresh, pytest.raises(SchemaDrift) as caught:
        fresh.replace_slice(TARGET, make_slice(), facts())
    assert caught.value.differences == [told]
    assert {int(empty_store.query(f"SELECT count(*) FROM {table.name}")[0][0]) for table in ALL_TABLES} == {0}


def test_a_missing_nullable_column_is_added_where_allowed(
    empty_store: Store, plain: Warehouse, evolving: Warehouse
) -> None:
    plain.replace_slice(TARGET, make_slice(), facts())
    digest = plain.digest(IMAGE, TARGET)
    empty_store.run(*(f"ALTER TABLE dicom_image_meta DROP COLUMN {name}" for name in DROPPED))
    with pytest.raises(SchemaDrift):
        plain.prepare()
    evolving.prepare()
    assert evolving.differences() == []
    assert evolving.replace_slice(TARGET, make_slice(), facts("run-2"))[IMAGE.name].updated > 0
    assert evolving.digest(IMAGE, TARGET) == digest


def test_a_missing_required_column_is_never_added(empty_store: Store, plain: Warehouse, evolving: Warehouse) -> None:
    empty_store.run(*(f"ALTER TABLE {IMAGE.name} DROP COLUMN {name}" for name in ("patient_id", "width")))
    with pytest.raises(SchemaDrift) as caught:
        evolving.prepare()
    assert len(caught.value.differences) == 2
    assert plain.differences() == caught.value.differences


def test_missing_tables_are_no_difference_and_are_made(empty_store: Store) -> None:
    with closing(create_warehouse(empty_store.url)) as warehouse:
        assert warehouse.differences() == []
        warehouse.prepare()
        empty_store.run("DROP TABLE dicom_reject")
        assert warehouse.differences() == []
        warehouse.prepare()
        assert [warehouse.read(table).read_all().num_rows for table in ALL_TABLES] == [0] * len(ALL_TABLES)


def test_a_view_in_a_tables_place_is_told(empty_store: Store, plain: Warehouse) -> None:
    empty_store.run("DROP TABLE dicom_load", "CREATE VIEW dicom_load AS SELECT tenant_id FROM dicom_reject")
    assert [line for line in plain.differences() if line.startswith("dicom_load is not")]
    with pytest.raises(SchemaDrift):
        plain.prepare()

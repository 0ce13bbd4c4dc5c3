"""Drift: every way a table can differ is told, and only a missing nullable column is mended."""

import pytest

from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.errors import SchemaDrift, WarehouseError
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.conftest import Database
from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_slice

CASES = {
    "ALTER TABLE dicom_image_meta DROP COLUMN width": ["dicom_image_meta.width is missing"],
    "ALTER TABLE dicom_image_meta DROP COLUMN patient_id": ["dicom_image_meta.patient_id is missing"],
    "ALTER TABLE dicom_image_meta ADD COLUMN height integer": [
        "dicom_image_meta.height is not a column of this version"
    ],
    "ALTER TABLE dicom_state_meta ALTER patient_size TYPE real": [
        "dicom_state_meta.patient_size is real instead of double precision"
    ],
    "ALTER TABLE dicom_state_meta ALTER modality TYPE varchar(8)": [
        "dicom_state_meta.modality is character varying(8) instead of character varying(16)"
    ],
    "ALTER TABLE dicom_reject ALTER reason DROP NOT NULL": ["dicom_reject.reason is nullable instead of NOT NULL"],
    "ALTER TABLE dicom_reject ALTER field SET NOT NULL": ["dicom_reject.field is NOT NULL instead of nullable"],
    "ALTER TABLE dicom_load DROP CONSTRAINT dicom_load_pkey": [
        "dicom_load has the primary key () instead of (tenant_id, partition_date, run_id, started_time)"
    ],
    "DROP TABLE dicom_load; CREATE VIEW dicom_load AS SELECT 1 AS one": ["dicom_load is not an ordinary table"],
}


@pytest.fixture(scope="module")
def drifting(make_database: object) -> Database:
    database = make_database()
    opened = create_warehouse(database.url)
    opened.prepare()
    opened.close()
    return database


@pytest.mark.parametrize(("change", "expected"), CASES.items(), ids=range(len(CASES)))
def test_each_difference_is_told(drifting: Database, change: str, expected: list[str]) -> None:
    """The change, the look at it and its undoing are one transaction of the warehouse's own connection."""
    warehouse = create_warehouse(drifting.url)
    session = warehouse._connection()
    with session.transaction(force_rollback=True):
        for statement in change.split("; "):
            session.execute(statement)
        differences = warehouse.differences()
        assert [line for line in differences if line in expected] == expected
        assert differences == expected or "VIEW" in change
        with pytest.raises(SchemaDrift, match="differ from what this version writes"):
            warehouse.prepare()
    assert warehouse.differences() == []
    warehouse.close()


def test_a_load_into_a_differing_table_fails_before_it_writes(empty_database: Database) -> None:
    create_warehouse(empty_database.url).prepare()
    empty_database.run("ALTER TABLE dicom_image_meta ALTER width TYPE bigint")
    warehouse = create_warehouse(empty_database.url, allow_schema_evolution=True)
    with pytest.raises(SchemaDrift) as caught:
        warehouse.replace_slice(TARGET, make_slice(), facts())
    assert caught.value.differences == ["dicom_image_meta.width is bigint instead of integer"]
    assert empty_database.query("SELECT count(*) FROM dicom_load") == [(0,)]
    warehouse.close()


def test_the_tables_live_in_the_schema_of_the_search_path(empty_database: Database) -> None:
    empty_database.run('CREATE SCHEMA "od""d schema"')
    url = f"{empty_database.url}&options=-csearch_path%3D%22od%22%22d%5C%20schema%22"
    warehouse = create_warehouse(url)
    warehouse.replace_slice(TARGET, make_slice(), facts())
    found = empty_database.query(
        "SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class WHERE relname LIKE 'dicom%'"
    )
    assert found == [('"od""d schema"',)]
    assert warehouse.digest(IMAGE, TARGET).rows == 4
    warehouse.close()


def test_a_search_path_without_a_schema_is_told(empty_database: Database) -> None:
    with pytest.raises(WarehouseError, match="search_path"):
        create_warehouse(f"{empty_database.url}&options=-csearch_path%3Dnone_such").prepare()


def test_a_changed_partition_function_is_replaced(empty_database: Database) -> None:
    warehouse = create_warehouse(empty_database.url)
    warehouse.prepare()
    empty_database.run(
        "CREATE OR REPLACE FUNCTION dicom_ensure_partition(parent text, day date) RETURNS void LANGUAGE sql AS ''"
    )
    warehouse.prepare()
    warehouse.replace_slice(TARGET, make_slice(), facts())
    warehouse.close()

"""The months of Doris's large tables: made when a date needs them, whoever made or dropped others."""

import datetime as dt
from collections.abc import Iterator
from contextlib import closing

import pytest

from dicom_pipeline.dicom.fields import IMAGE, REJECT, SLICE_TABLES, STATE, TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.base import Slice, Warehouse
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.doris.cluster import DorisDatabase
from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_slice

LARGE = (IMAGE, STATE)


@pytest.fixture
def database(make_doris_database: object) -> DorisDatabase:
    return make_doris_database()


@pytest.fixture
def warehouse(database: DorisDatabase) -> Iterator[Warehouse]:
    with closing(create_warehouse(database.url)) as opened:
        opened.prepare()
        yield opened


def load(warehouse: Warehouse, day: str, run: str = "run-1", count: int = 4) -> Slice:
    target = Slice(TARGET.tenant_id, dt.date.fromisoformat(day))
    warehouse.replace_slice(target, make_slice(target, count), facts(run))
    assert [warehouse.digest(t, target).rows for t in SLICE_TABLES] == [count, min(count, 2), min(count, 1)]
    return target


def partitions(database: DorisDatabase, table: TableSpec = IMAGE) -> dict[str, tuple[str, ...]]:
    shown = database.query(f"SHOW PARTITIONS FROM {table.name}")
    return {row[1]: tuple(part.split("]")[0] for part in row[6].split("keys: [")[1:]) for row in shown}


def test_months_are_whole_and_made_on_demand(warehouse: Warehouse, database: DorisDatabase) -> None:
    assert partitions(database) == {}
    for day in ("2024-01-31", "2024-02-01", "2024-02-29", "2023-12-31", "2024-01-01"):
        load(warehouse, day)
    for table in LARGE:
        assert partitions(database, table) == {
            "p202312": ("2023-12-01", "2024-01-01"),
            "p202401": ("2024-01-01", "2024-02-01"),
            "p202402": ("2024-02-01", "2024-03-01"),
        }


def test_the_first_and_the_last_month_there_are(warehouse: Warehouse, database: DorisDatabase) -> None:
    for day in ("0001-01-01", "0001-12-31", "9999-11-30", "9999-12-01", "9999-12-31"):
        load(warehouse, day)
    made = partitions(database)
    assert sorted(made) == ["p000101", "p000112", "p999911", "p999912"]
    assert made["p000101"] == ("0001-01-01", "0001-02-01")
    assert made["p999912"][0] == "9999-12-01"
    assert len(warehouse.dates(TARGET.tenant_id)) == 5


def test_a_slice_without_rows_makes_its_month_all_the_same(warehouse: Warehouse, database: DorisDatabase) -> None:
    load(warehouse, "2024-01-15", count=0)
    assert list(partitions(database)) == ["p202401"]


def test_a_partition_of_other_bounds_is_used(warehouse: Warehouse, database: DorisDatabase) -> None:
    for table in LARGE:
        database.run(f'ALTER TABLE {table.name} ADD PARTITION twenties VALUES [("2020-01-01"), ("2030-01-01"))')
    for run in ("run-1", "run-2"):
        load(warehouse, "2024-01-15", run)
    assert list(partitions(database)) == ["twenties"]
    assert warehouse.differences() == []
    load(warehouse, "2030-01-01")
    assert sorted(partitions(database)) == ["p203001", "twenties"]


@pytest.mark.parametrize("name", ["first_half", "p202401"])
def test_a_date_that_a_partition_of_other_bounds_leaves_out_is_told(
    warehouse: Warehouse, database: DorisDatabase, name: str
) -> None:
    for table in LARGE:
        database.run(f'ALTER TABLE {table.name} ADD PARTITION {name} VALUES [("2024-01-01"), ("2024-01-16"))')
    target = load(warehouse, "2024-01-15")
    with pytest.raises(WarehouseError, match="without a partition") as caught:
        load(warehouse, "2024-01-16")
    assert not caught.value.transient
    assert warehouse.digest(IMAGE, target).rows == 4
    for table in LARGE:
        database.run(f'ALTER TABLE {table.name} ADD PARTITION rest VALUES [("2024-01-16"), ("2024-02-01"))')
    load(warehouse, "2024-01-16", "run-2")


def test_a_partition_dropped_behind_the_warehouses_back_is_made_again(
    warehouse: Warehouse, database: DorisDatabase
) -> None:
    load(warehouse, "2024-01-15")
    for table in LARGE:
        database.run(f"ALTER TABLE {table.name} DROP PARTITION p202401")
    target = load(warehouse, "2024-01-15", "run-2")
    assert warehouse.digest(REJECT, target).rows == 1
    database.run(f"ALTER TABLE {STATE.name} DROP PARTITION p202401")
    load(warehouse, "2024-01-16", "run-3")
    load(warehouse, "2024-01-15", "run-4")
    assert list(partitions(database, STATE)) == ["p202401"]

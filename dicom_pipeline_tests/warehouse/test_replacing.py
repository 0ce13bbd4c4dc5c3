"""What a replacement writes, in every warehouse: nothing that is there already, and not before all is checked."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import IMAGE, LOAD, REJECT, SLICE_TABLES, STATE, TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.tables.digest import SliceDigest, digest_batches
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.warehouse.base import TableChange, Warehouse
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.conftest import Store
from dicom_pipeline_tests.warehouse.rows import FIRST_CLOCK, SECOND_CLOCK, TARGET, facts, make_rows, make_slice
from dicom_pipeline_tests.warehouse.watching import watching

NOTHING: dict[str, set[str]] = {table.name: set() for table in SLICE_TABLES}


def keys(table: TableSpec, rows: pa.Table) -> set[str]:
    return set(rows[table.key[-1]].to_pylist())


def digests_of(tables: dict[str, pa.Table]) -> dict[str, SliceDigest]:
    return {table.name: digest_batches(table, tables[table.name].to_batches()) for table in SLICE_TABLES}


def test_a_first_load_writes_every_row(warehouse: Warehouse, store: Store) -> None:
    given = make_slice()
    with watching(store) as written:
        warehouse.replace_slice(TARGET, given, facts())
    assert written == {table.name: keys(table, given[table.name]) for table in SLICE_TABLES}


def test_a_second_load_writes_no_row(warehouse: Warehouse, store: Store) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    with watching(store) as written:
        warehouse.replace_slice(TARGET, make_slice(clock=SECOND_CLOCK), facts("run-2"))
    assert written == NOTHING


def test_only_the_changed_row_is_written(warehouse: Warehouse, store: Store) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    rows = make_rows(IMAGE, columns={"slice_thickness": [0.5, None, 2 / 7, 3 / 7]})
    with watching(store) as written:
        warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: rows}, facts("run-2"))
    assert written == {**NOTHING, IMAGE.name: keys(IMAGE, rows.slice(0, 1))}


def test_only_the_table_that_differs_is_written(warehouse: Warehouse, store: Store) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    more = make_rows(STATE, count=3)
    with watching(store) as written:
        changes = warehouse.replace_slice(TARGET, {**make_slice(), STATE.name: more}, facts("run-2"))
    assert written == {**NOTHING, STATE.name: keys(STATE, more.slice(2, 1))}
    assert changes == {
        IMAGE.name: TableChange(0, 0, 0, rows=4),
        STATE.name: TableChange(inserted=1, updated=0, deleted=0, rows=3),
        REJECT.name: TableChange(0, 0, 0, rows=1),
    }
    for table in (IMAGE, REJECT):
        assert changes[table.name].read_back == warehouse.contents(table, TARGET)


def test_only_vanished_rows_are_deleted_and_the_others_left_alone(warehouse: Warehouse, store: Store) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    all_rows = make_rows(IMAGE)
    with watching(store) as written:
        warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: all_rows.slice(1, 2)}, facts("run-2"))
    assert written == {**NOTHING, IMAGE.name: {all_rows["sop_uid"][0].as_py(), all_rows["sop_uid"][3].as_py()}}
    assert warehouse.read(IMAGE, [TARGET]).read_all().equals(all_rows.slice(1, 2))


def never(table: TableSpec) -> pa.RecordBatchReader:
    """Rows that nobody may look at."""

    def batches() -> Iterator[pa.RecordBatch]:
        raise AssertionError("looked at")
        yield

    return pa.RecordBatchReader.from_batches(table_schema(table), batches())


def test_a_slice_of_known_digests_is_compared_without_its_rows(warehouse: Warehouse, store: Store) -> None:
    given = make_slice()
    warehouse.replace_slice(TARGET, given, facts())
    digests = digests_of(given)
    unseen = {table.name: never(table) for table in SLICE_TABLES}
    with watching(store) as written:
        changes = warehouse.replace_slice(TARGET, unseen, facts("run-2"), digests)
    assert written == NOTHING
    for table in SLICE_TABLES:
        assert changes[table.name] == TableChange(0, 0, 0, rows=given[table.name].num_rows)
        assert changes[table.name].read_back == warehouse.contents(table, TARGET)
    ledger = warehouse.read(LOAD, [TARGET], ["digest"]).read_all()["digest"].to_pylist()
    assert ledger == [digests[IMAGE.name].digest] * 2


@pytest.mark.parametrize("streamed", [True, False], ids=["reader", "table"])
@pytest.mark.parametrize("loaded", [0, 3], ids=["empty slice", "slice with rows"])
@pytest.mark.parametrize("table", SLICE_TABLES, ids=lambda table: table.name)
def test_rows_that_are_not_those_of_their_digest_change_nothing(
    warehouse: Warehouse, loaded: int, table: TableSpec, streamed: bool
) -> None:
    warehouse.replace_slice(TARGET, make_slice(count=loaded), facts())
    before = {t.name: warehouse.read(t).read_all() for t in SLICE_TABLES}
    digests = {table.name: digest_batches(table, make_rows(table, count=9).to_batches())}
    rows = make_rows(table)
    tables = {**make_slice(clock=SECOND_CLOCK), table.name: rows.to_reader() if streamed else rows}
    with pytest.raises(WarehouseError, match="changed between their check and their load"):
        warehouse.replace_slice(TARGET, tables, facts("run-2"), digests)
    assert {t.name: warehouse.read(t).read_all() for t in SLICE_TABLES} == before
    assert warehouse.read(LOAD).read_all()["run_id"].to_pylist() == ["run-1"]


def test_minus_zero_is_zero_for_the_load_as_for_the_digest(warehouse: Warehouse) -> None:
    for value in (0.0, -0.0):
        rows = make_rows(IMAGE, count=1, columns={"slice_thickness": [value]})
        changes = warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: rows}, facts(str(value)))
    assert changes[IMAGE.name].updated == 0


def test_rows_deleted_behind_the_warehouses_back_come_again(warehouse: Warehouse, store: Store) -> None:
    given = make_slice()
    warehouse.replace_slice(TARGET, given, facts())
    for turn in range(2, 4):  # the same state comes back twice
        store.run(f"DELETE FROM {IMAGE.name} WHERE tenant_id = '{TARGET.tenant_id}'")
        changes = warehouse.replace_slice(TARGET, make_slice(clock=SECOND_CLOCK), facts(f"run-{turn}"))
        assert changes[IMAGE.name] == TableChange(inserted=4, updated=0, deleted=0, rows=4)
        assert changes[STATE.name] == TableChange(0, 0, 0, rows=2)
    assert warehouse.digest(IMAGE, TARGET) == digests_of(given)[IMAGE.name]


def test_a_state_that_comes_back_can_be_left_again(warehouse: Warehouse) -> None:
    """One attempt told again and again leaves the ledger as it is, so that nothing but the rows tells states apart."""
    few, many = make_slice(count=1), make_slice(count=4)
    for _ in range(3):
        for given in (few, many):
            warehouse.replace_slice(TARGET, given, facts())
            for table in SLICE_TABLES:
                assert warehouse.read(table, [TARGET]).read_all().equals(given[table.name])


def test_a_changed_row_of_each_table_keeps_when_it_was_created(warehouse: Warehouse) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    state = make_rows(STATE, count=2, clock=SECOND_CLOCK, columns={"modality": ["XA", "XA"]})
    warehouse.replace_slice(TARGET, {**make_slice(), STATE.name: state}, facts("run-2"))
    rows = warehouse.read(STATE, [TARGET]).read_all()
    assert rows["created_time"].to_pylist() == [FIRST_CLOCK] * 2
    assert rows["updated_time"].to_pylist() == [SECOND_CLOCK] * 2


def test_reading_before_anything_is_prepared_says_so(empty_store: Store) -> None:
    warehouse = create_warehouse(empty_store.url)
    for call in (lambda: warehouse.read(IMAGE), lambda: warehouse.dates("x"), lambda: warehouse.digest(STATE, TARGET)):
        with pytest.raises(WarehouseError, match="not prepared"):
            call()
    warehouse.close()

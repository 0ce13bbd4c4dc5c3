"""The Warehouse contract, over every warehouse."""

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dicom_pipeline.dicom.fields import IMAGE, LOAD, REJECT, SLICE_TABLES, STATE, TableSpec
from dicom_pipeline.errors import StagingError, WarehouseError
from dicom_pipeline.tables.digest import digest_batches
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.warehouse.base import Slice, TableChange, Warehouse
from dicom_pipeline_tests.warehouse.rows import (
    DAY,
    FIRST_CLOCK,
    SECOND_CLOCK,
    TARGET,
    empty_slice,
    facts,
    make_rows,
    make_slice,
)

NEXT_DAY = Slice(TARGET.tenant_id, dt.date(2024, 2, 1))
MOMENTS = dt.datetime.fromisoformat("1900-01-01T00:00:00"), dt.datetime.fromisoformat("9999-12-31T23:59:59.999999")
OTHER_TENANT = Slice("clinic", DAY)
NOTHING = TableChange(inserted=0, updated=0, deleted=0, rows=0)


def rows_of(warehouse: Warehouse, table: TableSpec, target: Slice = TARGET) -> pa.Table:
    return warehouse.read(table, [target]).read_all()


def everything(warehouse: Warehouse) -> dict[str, pa.Table]:
    return {table.name: warehouse.read(table).read_all() for table in SLICE_TABLES}


def test_loaded_rows_are_read_back_as_they_were_given(warehouse: Warehouse) -> None:
    given = make_slice()
    changes = warehouse.replace_slice(TARGET, given, facts())
    assert changes[IMAGE.name] == TableChange(inserted=4, updated=0, deleted=0, rows=4)
    assert changes[REJECT.name] == TableChange(inserted=1, updated=0, deleted=0, rows=1)
    for table in SLICE_TABLES:
        assert rows_of(warehouse, table).equals(given[table.name], check_metadata=True)


def test_every_kind_of_value_survives_exactly(warehouse: Warehouse) -> None:
    count = 5
    image = make_rows(
        IMAGE,
        count=count,
        columns={
            "patient_id": ["", " ", "Ж漢字😀", "back\\slash\t\n", "x" * 64],
            "image_type": [None, "", "NULL", "\\N", "ORIGINAL\\PRIMARY"],
            "content_date": [
                None,
                dt.date(1, 1, 1),
                dt.date(9999, 12, 31),
                dt.date(1969, 12, 31),
                dt.date(2000, 2, 29),
            ],
            "content_time": [None, dt.time(0), dt.time(23, 59, 59, 999999), dt.time(0, 0, 0, 1), dt.time(12, 30)],
            "slice_thickness": [None, 0.0, 5e-324, -1.7976931348623157e308, 0.1],
            "instance_number": [None, 0, -(2**31), 2**31 - 1, 1],
            "space_size": [None, 0, -(2**63), 2**63 - 1, 2**32],
            "created_time": [MOMENTS[0], FIRST_CLOCK, FIRST_CLOCK, MOMENTS[1], FIRST_CLOCK],
        },
    )
    warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: image}, facts())
    assert rows_of(warehouse, IMAGE).equals(image.sort_by("sop_uid"))


def test_digest_of_the_rows_given_is_that_of_the_rows_read_back(warehouse: Warehouse) -> None:
    given = make_slice()
    warehouse.replace_slice(TARGET, given, facts())
    for table in SLICE_TABLES:
        assert warehouse.digest(table, TARGET) == digest_batches(table, given[table.name].to_batches())


def test_a_second_load_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    before = everything(warehouse)
    changes = warehouse.replace_slice(TARGET, make_slice(clock=SECOND_CLOCK), facts("run-2"))
    assert changes[IMAGE.name] == TableChange(inserted=0, updated=0, deleted=0, rows=4)
    assert everything(warehouse) == before


def test_changed_rows_keep_when_they_were_created(warehouse: Warehouse) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    changed = make_rows(IMAGE, clock=SECOND_CLOCK)
    patients = changed["patient_id"].to_pylist()
    changed = make_rows(IMAGE, clock=SECOND_CLOCK, columns={"patient_id": ["corrected", *patients[1:]]})
    changes = warehouse.replace_slice(TARGET, {**make_slice(clock=SECOND_CLOCK), IMAGE.name: changed}, facts("run-2"))
    assert changes[IMAGE.name] == TableChange(inserted=0, updated=1, deleted=0, rows=4)
    rows = rows_of(warehouse, IMAGE)
    assert rows["patient_id"].to_pylist() == changed["patient_id"].to_pylist()
    assert rows["created_time"].to_pylist() == [FIRST_CLOCK] * 4
    assert rows["updated_time"].to_pylist() == [SECOND_CLOCK, *[FIRST_CLOCK] * 3]


@pytest.mark.parametrize(("before", "after"), [(None, ""), ("", None), (None, "x"), ("x", None), ("x", "x ")])
def test_null_and_text_are_told_apart(warehouse: Warehouse, before: str | None, after: str | None) -> None:
    for value, run in ((before, "run-1"), (after, "run-2")):
        rows = make_rows(IMAGE, count=1, columns={"image_type": [value]})
        changes = warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: rows}, facts(run))
    assert changes[IMAGE.name].updated == 1
    assert rows_of(warehouse, IMAGE)["image_type"].to_pylist() == [after]


def test_a_refusal_for_another_reason_is_a_new_refusal(warehouse: Warehouse) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    reject = make_rows(REJECT, count=1, clock=SECOND_CLOCK, columns={"reason": ["NotDicom"], "run_id": ["run-2"]})
    warehouse.replace_slice(TARGET, {**make_slice(), REJECT.name: reject}, facts("run-2"))
    assert rows_of(warehouse, REJECT).equals(reject)


def test_vanished_rows_go_and_new_rows_come(warehouse: Warehouse) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    later = make_rows(IMAGE, start=2, count=5, clock=SECOND_CLOCK)
    changes = warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: later}, facts("run-2"))
    assert changes[IMAGE.name] == TableChange(inserted=3, updated=0, deleted=2, rows=5)
    rows = rows_of(warehouse, IMAGE)
    assert rows["sop_uid"].to_pylist() == later["sop_uid"].to_pylist()
    assert rows["created_time"].to_pylist() == [FIRST_CLOCK] * 2 + [SECOND_CLOCK] * 3


def test_other_tenants_and_dates_are_untouched(warehouse: Warehouse) -> None:
    for target in (TARGET, NEXT_DAY, OTHER_TENANT):
        warehouse.replace_slice(target, make_slice(target), facts())
    changes = warehouse.replace_slice(TARGET, empty_slice(), facts("run-2"))
    assert changes[IMAGE.name] == TableChange(inserted=0, updated=0, deleted=4, rows=0)
    for table in SLICE_TABLES:
        assert rows_of(warehouse, table).num_rows == 0
        for other in (NEXT_DAY, OTHER_TENANT):
            assert rows_of(warehouse, table, other).equals(make_slice(other)[table.name])


def test_an_empty_day_loads(warehouse: Warehouse) -> None:
    assert set(warehouse.replace_slice(TARGET, empty_slice(), facts()).values()) == {NOTHING}
    assert warehouse.dates(TARGET.tenant_id) == set()
    assert warehouse.read(LOAD).read_all().num_rows == 1


@pytest.mark.parametrize("loaded_before", [False, True])
@pytest.mark.parametrize(
    "columns",
    [
        {"tenant_id": ["hospital", "hospital", "clinic"]},
        {"study_date": [DAY, DAY, DAY + dt.timedelta(days=1)]},
        {"study_date": [DAY, None, DAY]},
    ],
)
def test_a_row_outside_the_slice_aborts_the_load(
    warehouse: Warehouse, columns: dict[str, list[object]], loaded_before: bool
) -> None:
    if loaded_before:
        warehouse.replace_slice(TARGET, make_slice(), facts())
    before = everything(warehouse)
    rows = make_rows(IMAGE, count=3, columns=columns)
    with pytest.raises(WarehouseError, match=r"1 rows (lie outside the slice|have no value)"):
        warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: rows}, facts("run-2"))
    assert everything(warehouse) == before


@pytest.mark.parametrize("loaded_before", [False, True])
def test_a_repeated_key_aborts_the_load_without_telling_it(warehouse: Warehouse, loaded_before: bool) -> None:
    if loaded_before:
        warehouse.replace_slice(TARGET, make_slice(), facts())
    before = everything(warehouse)
    rows = make_rows(IMAGE, count=2, columns={"sop_uid": ["9.8.7.6", "9.8.7.6"]})
    with pytest.raises(WarehouseError, match="same key") as caught:
        warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: rows}, facts("run-2"))
    assert "9.8.7.6" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert everything(warehouse) == before


@pytest.mark.parametrize(
    ("column", "value"), [("patient_id", None), ("modality", "CANARY" * 9), ("modality", "CANARY\0")]
)
def test_a_value_the_table_cannot_hold_is_not_repeated(warehouse: Warehouse, column: str, value: str | None) -> None:
    rows = make_rows(STATE, count=1, columns={column: [value]})
    with pytest.raises(WarehouseError) as caught:
        warehouse.replace_slice(TARGET, {**make_slice(), STATE.name: rows}, facts())
    assert "CANARY" not in str(caught.value)
    assert not caught.value.transient
    assert all(table.num_rows == 0 for table in everything(warehouse).values())


def test_rows_of_other_columns_are_refused(warehouse: Warehouse) -> None:
    rows = make_rows(IMAGE)
    for wrong in (rows.drop_columns(["width"]), rows.select(rows.column_names[::-1])):
        with pytest.raises(WarehouseError, match="other columns"):
            warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: wrong}, facts())


def test_a_slice_without_one_of_its_tables_is_refused(warehouse: Warehouse) -> None:
    for wrong in ({IMAGE.name: make_rows(IMAGE)}, {**make_slice(), "dicom_other": make_rows(IMAGE)}):
        with pytest.raises(WarehouseError, match="all its tables"):
            warehouse.replace_slice(TARGET, wrong, facts())
    assert warehouse.read(LOAD).read_all().num_rows == 0


@pytest.mark.parametrize("loaded_before", [False, True])
@pytest.mark.parametrize("failure", [StagingError("gone"), pa.ArrowInvalid("CANARY"), RuntimeError("bug")])
def test_a_failing_stream_rolls_everything_back(warehouse: Warehouse, failure: Exception, loaded_before: bool) -> None:
    if loaded_before:
        warehouse.replace_slice(TARGET, make_slice(), facts())
    before = everything(warehouse)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from make_rows(STATE, count=2, clock=SECOND_CLOCK).to_batches()
        raise failure

    reader = pa.RecordBatchReader.from_batches(table_schema(STATE), broken())
    expected = WarehouseError if isinstance(failure, pa.ArrowInvalid) else type(failure)
    with pytest.raises(expected) as caught:
        warehouse.replace_slice(
            TARGET, {IMAGE.name: make_rows(IMAGE, count=9), STATE.name: reader, REJECT.name: make_rows(REJECT)}, facts()
        )
    assert "CANARY" not in str(caught.value)
    assert everything(warehouse) == before
    warehouse.replace_slice(TARGET, make_slice(), facts("run-2"))  # the connection is still good


def test_types_that_mean_the_same_are_taken(warehouse: Warehouse) -> None:
    rows = make_rows(IMAGE)
    coded = rows.set_column(5, "patient_id", rows["patient_id"].cast(pa.large_string()).dictionary_encode())
    warehouse.replace_slice(TARGET, {**make_slice(), IMAGE.name: coded.to_reader(max_chunksize=1)}, facts())
    assert rows_of(warehouse, IMAGE).equals(rows)


def test_the_ledger_tells_of_each_load(warehouse: Warehouse) -> None:
    first = make_slice()
    warehouse.replace_slice(TARGET, first, facts())
    warehouse.replace_slice(TARGET, empty_slice(), facts("run-2", SECOND_CLOCK))
    ledger = warehouse.read(LOAD).read_all()
    assert ledger.schema.equals(table_schema(LOAD))
    one, two = ledger.sort_by("run_id").to_pylist()
    assert one["digest"] == digest_batches(IMAGE, first[IMAGE.name].to_batches()).digest
    assert (one["rows_inserted"], one["rows_updated"], one["rows_deleted"]) == (4, 0, 0)
    assert (one["files_listed"], one["files_accepted"], one["files_rejected"]) == (5, 4, 1)
    assert (two["rows_inserted"], two["rows_deleted"], two["digest"]) == (0, 4, "0" * 32)
    assert abs(one["finished_time"] - dt.datetime.now(dt.UTC).replace(tzinfo=None)) < dt.timedelta(minutes=1)


def test_telling_the_same_attempt_twice_keeps_its_first_ledger_row(warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.replace_slice(TARGET, make_slice(), facts())
    assert warehouse.read(LOAD).read_all()["rows_inserted"].to_pylist() == [4]


def test_dates_come_from_any_table(warehouse: Warehouse) -> None:
    days = [dt.date(1, 1, 1), dt.date(1987, 6, 5), DAY, dt.date(2024, 1, 16), dt.date(9999, 12, 31)]
    for number, day in enumerate(days):
        target = Slice("hospital", day)
        only = SLICE_TABLES[number % 3]
        warehouse.replace_slice(target, {**empty_slice(), only.name: make_rows(only, target)}, facts())
    warehouse.replace_slice(OTHER_TENANT, make_slice(OTHER_TENANT), facts())
    assert warehouse.dates("hospital") == set(days)
    assert warehouse.dates("clinic") == {DAY}
    assert warehouse.dates("nobody") == set()


def test_the_ledger_tells_the_last_load_of_each_date(warehouse: Warehouse) -> None:
    for target, run in [(TARGET, "run-1"), (NEXT_DAY, "run-1"), (OTHER_TENANT, "run-9"), (TARGET, "run-2")]:
        warehouse.replace_slice(target, make_slice(target), facts(run))
    found = warehouse.last_loads(TARGET.tenant_id)
    assert {date: load.run_id for date, load in found.items()} == {TARGET.date: "run-2", NEXT_DAY.date: "run-1"}
    told = facts("run-2")
    last = found[TARGET.date]
    assert (last.code_version, last.listed, last.accepted, last.rejected) == (
        told.code_version,
        told.listed,
        told.accepted,
        told.rejected,
    )
    assert abs(last.finished - dt.datetime.now(dt.UTC).replace(tzinfo=None)) < dt.timedelta(minutes=5)
    assert warehouse.last_loads("nobody") == {}


def test_overview_counts_series_and_instances(warehouse: Warehouse) -> None:
    state = make_rows(
        STATE, count=4, columns={"modality": ["MR", "CT", "CT", None], "series_related_instances": [1, 20, 300, 7]}
    )
    warehouse.replace_slice(TARGET, {**make_slice(), STATE.name: state}, facts())
    warehouse.replace_slice(OTHER_TENANT, make_slice(OTHER_TENANT), facts())
    assert warehouse.overview(TARGET.tenant_id).to_pylist() == [
        {"study_date": DAY, "modality": "CT", "series": 2, "instances": 320},
        {"study_date": DAY, "modality": "MR", "series": 1, "instances": 1},
        {"study_date": DAY, "modality": None, "series": 1, "instances": 7},
    ]
    nothing = warehouse.overview("nobody")
    assert nothing.num_rows == 0
    assert nothing.schema == warehouse.overview(TARGET.tenant_id).schema


def test_slices_are_read_in_the_order_of_the_key(warehouse: Warehouse) -> None:
    for target in (NEXT_DAY, TARGET, OTHER_TENANT):
        warehouse.replace_slice(target, make_slice(target), facts())
    some = warehouse.read(IMAGE, [NEXT_DAY, TARGET, TARGET], ["sop_uid", "study_date"]).read_all()
    assert some.column_names == ["sop_uid", "study_date"]
    assert some["study_date"].to_pylist() == [TARGET.date] * 4 + [NEXT_DAY.date] * 4
    assert some["sop_uid"].to_pylist() == sorted(make_rows(IMAGE)["sop_uid"].to_pylist()) * 2
    assert pc.unique(warehouse.read(IMAGE).read_all()["tenant_id"]).to_pylist() == ["clinic", "hospital"]
    assert warehouse.read(IMAGE, []).read_all().num_rows == 0


def test_an_unknown_column_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match='no column nonsense"'):
        warehouse.read(IMAGE, [TARGET], ['nonsense"'])


def test_a_reader_lives_on_its_own(warehouse: Warehouse) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    abandoned, reader = warehouse.read(IMAGE), warehouse.read(IMAGE)
    abandoned.read_next_batch()
    del abandoned
    warehouse.close()
    assert reader.read_all().num_rows == 4
    assert warehouse.dates(TARGET.tenant_id) == {DAY}


@pytest.mark.parametrize("tenant", ["a.b-c_D", "x" * 64, "'; DROP TABLE dicom_image_meta; --", '%s $1 \\ "', "日本"])
def test_names_are_bound_and_never_interpolated(warehouse: Warehouse, tenant: str) -> None:
    target = Slice(tenant, DAY)
    for run in ("run-1", "run-2"):
        warehouse.replace_slice(target, make_slice(target), facts(run))
    assert rows_of(warehouse, IMAGE, target).num_rows == 4
    assert warehouse.digest(IMAGE, target).rows == 4
    assert warehouse.dates(tenant) == {DAY}
    assert warehouse.overview(tenant).num_rows > 0

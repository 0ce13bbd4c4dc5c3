"""Drift in Doris: what is spelled otherwise is none, what differs is told, what may be mended is mended."""

import re
from collections.abc import Callable
from contextlib import closing

import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES, IMAGE, LOAD, REJECT, STATE, TableSpec
from dicom_pipeline.errors import SchemaDrift, WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.doris import drift, sql
from dicom_pipeline.warehouse.doris.warehouse import DorisWarehouse
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.doris_double import Action, DorisDouble, Fault, Place, Spelling
from dicom_pipeline_tests.warehouse.doris.pace import open_quick
from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_slice


@pytest.fixture
def prepared(own_double: DorisDouble) -> DorisDouble:
    with closing(create_warehouse(own_double.url())) as warehouse:
        warehouse.prepare()
    return own_double


@pytest.fixture(params=Spelling, ids=lambda spelling: spelling.value)
def spelled(request: pytest.FixtureRequest, prepared: DorisDouble) -> DorisDouble:
    """A double of each version's spelling in turn."""
    prepared.knobs.spelling = request.param
    return prepared


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(drift.time, "sleep", pauses.append)
    monkeypatch.setattr(drift.prepare, "__kwdefaults__", {"sleep": pauses.append})
    return pauses


def differences(double: DorisDouble) -> list[str]:
    with closing(create_warehouse(double.url())) as warehouse:
        return warehouse.differences()


def evolving(double: DorisDouble) -> DorisWarehouse:
    return open_quick(double.url(), allow_schema_evolution=True)


def remade(double: DorisDouble, table: TableSpec, change: Callable[[str], str]) -> None:
    made = sql.create_table("dicom", table, replication_num=1, buckets=1)
    assert change(made) != made
    double.query(f"DROP TABLE {table.name}")
    double.query(change(made))


def put(old: str, new: str) -> Callable[[str], str]:
    return lambda made: re.sub(old, new, made, count=1)


def test_every_spelling_of_a_type_is_that_type(spelled: DorisDouble) -> None:
    assert differences(spelled) == []


CASES = {
    "shorter": (
        STATE,
        put(r"`modality` VARCHAR\(16\)", "`modality` VARCHAR(15)"),
        "(15) instead of varchar(16)",
    ),
    "longer": (STATE, put(r"`modality` VARCHAR\(16\)", "`modality` VARCHAR(17)"), "(17) instead of varchar(16)"),
    "wider": (IMAGE, put("`width` INT", "`width` BIGINT"), "instead of int"),
    "narrower": (IMAGE, put("`space_size` BIGINT", "`space_size` INT"), "instead of bigint"),
    "double": (IMAGE, put("`slice_thickness` DOUBLE", "`slice_thickness` FLOAT"), "float instead of double"),
    "seconds": (IMAGE, put(r"`created_time` DATETIME\(6\)", "`created_time` DATETIME"), "instead of datetime(6)"),
    "millis": (LOAD, put(r"`finished_time` DATETIME\(6\)", "`finished_time` DATETIME(3)"), "instead of datetime(6)"),
    "moment": (IMAGE, put("`content_date` DATE", "`content_date` DATETIME(6)"), "instead of date"),
    "string": (IMAGE, put(r"`content_time` VARCHAR\(16\)", "`content_time` STRING"), "instead of varchar(16)"),
    "nullable": (REJECT, put(r"(`reason` \S+) NOT NULL", r"\1 NULL"), "reason is nullable instead of NOT NULL"),
    "required": (REJECT, put(r"(`field` \S+) NULL", r"\1 NOT NULL"), "field is NOT NULL instead of nullable"),
    "key": (LOAD, put(", `started_time`\\)", ")"), "has the key (tenant_id, partition_date, run_id) instead of"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_difference_is_told_and_keeps_a_load_from_writing(spelled: DorisDouble, case: str) -> None:
    table, change, told = CASES[case]
    remade(spelled, table, change)
    (difference,) = differences(spelled)
    assert difference.startswith(table.name)
    assert told in difference
    with closing(create_warehouse(spelled.url())) as warehouse, pytest.raises(SchemaDrift) as caught:
        warehouse.replace_slice(TARGET, make_slice(), facts())
    assert caught.value.differences == [difference]
    assert spelled.requests.all() == []


def test_the_keys_order_is_a_difference(prepared: DorisDouble) -> None:
    def swapped(made: str) -> str:
        lines = made.split("\n")
        first = next(n for n, line in enumerate(lines) if "`run_id`" in line)
        lines[first], lines[first + 1] = lines[first + 1], lines[first]
        return "\n".join(lines).replace("`run_id`, `started_time`)", "`started_time`, `run_id`)")

    remade(prepared, LOAD, swapped)
    assert differences(prepared) == [
        "dicom_load has the key (tenant_id, partition_date, started_time, run_id)"
        " instead of (tenant_id, partition_date, run_id, started_time)"
    ]


def test_a_view_in_a_tables_place_is_told(prepared: DorisDouble) -> None:
    prepared.query("DROP TABLE dicom_load")
    prepared.query("CREATE VIEW dicom_load AS SELECT tenant_id FROM dicom_reject")
    assert differences(prepared) == ["dicom_load is not a table of Doris's own"]
    with closing(evolving(prepared)) as warehouse, pytest.raises(SchemaDrift):
        warehouse.prepare()


@pytest.mark.parametrize("polls", [0, 1, 7])
def test_columns_are_added_and_lengthened_where_allowed(
    prepared: DorisDouble, no_waiting: list[float], polls: int
) -> None:
    with closing(create_warehouse(prepared.url())) as warehouse:
        warehouse.replace_slice(TARGET, make_slice(), facts())
        digest = warehouse.digest(IMAGE, TARGET)
    prepared.query("ALTER TABLE dicom_image_meta DROP COLUMN thumbnail_location")
    prepared.query("ALTER TABLE dicom_image_meta DROP COLUMN rescale_type")
    remade(prepared, STATE, put(r"`modality` VARCHAR\(16\)", "`modality` VARCHAR(4)"))
    prepared.knobs.slow_alters, prepared.knobs.alter_polls = True, polls
    assert len(differences(prepared)) == 3
    with closing(create_warehouse(prepared.url())) as warehouse, pytest.raises(SchemaDrift):
        warehouse.prepare()
    with closing(evolving(prepared)) as warehouse:
        warehouse.prepare()
        assert warehouse.differences() == []
        assert warehouse.replace_slice(TARGET, make_slice(), facts("run-2"))[IMAGE.name].updated > 0
        assert warehouse.digest(IMAGE, TARGET) == digest
    assert bool(no_waiting) == (polls > 0)


def test_nothing_is_mended_where_something_cannot_be(prepared: DorisDouble) -> None:
    prepared.query("ALTER TABLE dicom_image_meta DROP COLUMN rescale_type")
    remade(prepared, STATE, put(r"`modality` VARCHAR\(16\)", "`modality` VARCHAR(99)"))
    with closing(evolving(prepared)) as warehouse, pytest.raises(SchemaDrift) as caught:
        warehouse.prepare()
    assert len(caught.value.differences) == 2
    assert not prepared.cluster.databases["dicom"].table(IMAGE.name).has_column("rescale_type")


def test_a_short_column_of_the_key_is_never_lengthened(prepared: DorisDouble) -> None:
    remade(prepared, LOAD, put(r"`run_id` VARCHAR\(\d+\)", "`run_id` VARCHAR(3)"))
    with closing(evolving(prepared)) as warehouse, pytest.raises(SchemaDrift) as caught:
        warehouse.prepare()
    assert "varchar(3)" in str(caught.value)


def test_a_change_that_was_cancelled_is_told(prepared: DorisDouble, no_waiting: list[float]) -> None:
    prepared.query("ALTER TABLE dicom_image_meta DROP COLUMN rescale_type")
    prepared.knobs.slow_alters, prepared.knobs.alter_polls = True, 1000
    no_waiting_then_cancel = iter(range(100))

    def cancel(_: float) -> None:
        if next(no_waiting_then_cancel) == 3:
            for job in prepared.cluster.databases["dicom"].table(IMAGE.name).jobs:
                job.state = "CANCELLED" if job.state != "FINISHED" else job.state

    drift.prepare.__kwdefaults__["sleep"] = cancel
    with closing(evolving(prepared)) as warehouse, pytest.raises(SchemaDrift) as caught:
        warehouse.prepare()
    assert caught.value.differences == ["dicom_image_meta.rescale_type is missing"]


@pytest.mark.usefixtures("no_waiting")
def test_a_change_that_does_not_end_is_a_passing_failure(prepared: DorisDouble) -> None:
    prepared.query("ALTER TABLE dicom_image_meta DROP COLUMN rescale_type")
    prepared.knobs.slow_alters, prepared.knobs.alter_polls = True, 10**6
    with closing(evolving(prepared)) as warehouse, pytest.raises(WarehouseUnavailable, match="still under way"):
        warehouse.prepare()


@pytest.mark.usefixtures("no_waiting")
def test_a_change_by_another_session_is_waited_for_or_passes(prepared: DorisDouble) -> None:
    prepared.query("ALTER TABLE dicom_image_meta DROP COLUMN rescale_type")
    prepared.knobs.slow_alters, prepared.knobs.alter_polls = True, 3
    prepared.query(sql.add_column("dicom", IMAGE, IMAGE.field("rescale_type")))
    with closing(evolving(prepared)) as warehouse:
        with pytest.raises(WarehouseUnavailable, match="under way"):
            warehouse.prepare()
        for _ in range(10):
            try:
                warehouse.prepare()
                break
            except WarehouseUnavailable:
                prepared.query("SHOW ALTER TABLE COLUMN FROM dicom")
        assert warehouse.differences() == []


def test_a_database_that_is_as_it_should_be_is_only_read(prepared: DorisDouble) -> None:
    prepared.statements.clear()
    with closing(evolving(prepared)) as warehouse:
        warehouse.prepare()
    assert {s.split()[0] for s in prepared.statements.all()} <= {"SET", "SELECT", "SHOW", "ROLLBACK", "COMMIT"}


def test_fewer_backends_than_replicas_is_told_with_what_to_do(own_double: DorisDouble) -> None:
    warehouse = create_warehouse(own_double.url(replication_num=3))
    with closing(warehouse), pytest.raises(WarehouseError, match="replication_num") as caught:
        warehouse.prepare()
    assert not caught.value.transient


@pytest.mark.parametrize("place", [Place.MYSQL, Place.MYSQL_AFTER])
@pytest.mark.parametrize("number", range(len(ALL_TABLES)))
def test_a_preparation_that_broke_off_is_finished_by_the_next(
    own_double: DorisDouble, place: Place, number: int
) -> None:
    own_double.faults.add(Fault(place, Action.DROP, containing="CREATE TABLE", skip=number))
    with closing(create_warehouse(own_double.url())) as warehouse:
        with pytest.raises(WarehouseUnavailable):
            warehouse.prepare()
        warehouse.prepare()
        assert warehouse.differences() == []
        assert [warehouse.read(table).read_all().num_rows for table in ALL_TABLES] == [0] * len(ALL_TABLES)

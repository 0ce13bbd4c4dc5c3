"""What only PostgreSQL promises: waiting locks, one transaction, partitions."""

import datetime as dt
import resource
import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES, IMAGE, LOAD, REJECT, STATE
from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.warehouse.base import ArrowSource, Slice, Warehouse
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline.warehouse.postgres import connection as connecting
from dicom_pipeline.warehouse.postgres.replace import lock_key
from dicom_pipeline_tests.warehouse.conftest import Database
from dicom_pipeline_tests.warehouse.rows import DAY, TARGET, empty_slice, facts, make_rows, make_slice

END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


def test_a_ledger_that_is_not_there_knows_no_load_and_is_not_made(empty_database: Database) -> None:
    opened = create_warehouse(empty_database.url)
    assert opened.last_loads("hospital") == {}
    opened.close()
    assert empty_database.query("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]


def test_partitions_are_monthly_and_commented(empty_database: Database) -> None:
    warehouse = create_warehouse(empty_database.url)
    for day in ("2024-01-31", "2024-02-01", "2024-02-29", "0987-12-31"):
        target = Slice("hospital", dt.date.fromisoformat(day))
        warehouse.replace_slice(target, make_slice(target), facts())
    warehouse.close()
    bounds = "SELECT inhrelid::regclass::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c"
    assert empty_database.query(f"{bounds} ON c.oid = inhrelid WHERE inhparent = 'dicom_image_meta'::regclass") == [
        ("dicom_image_meta_y2024m01", "FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')"),
        ("dicom_image_meta_y2024m02", "FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')"),
        ("dicom_image_meta_y0987m12", "FOR VALUES FROM ('0987-12-01') TO ('0988-01-01')"),
    ]
    assert empty_database.query("SELECT count(*) FROM dicom_image_meta_y2024m02") == [(8,)]
    for table in ALL_TABLES:
        described = "SELECT a.attname, col_description(attrelid, attnum) FROM pg_attribute a WHERE attnum > 0"
        found = empty_database.query(f"{described} AND attrelid = '{table.name}'::regclass ORDER BY attnum")
        assert found == [(field.name, field.comment) for field in table.fields]


def test_a_partition_made_by_hand_is_used(empty_database: Database) -> None:
    warehouse = create_warehouse(empty_database.url)
    warehouse.prepare()
    years = "FOR VALUES FROM ('2020-01-01') TO ('2030-01-01')"
    empty_database.run(*(f"CREATE TABLE years_{t.name} PARTITION OF {t.name} {years}" for t in (IMAGE, STATE)))
    for run in ("run-1", "run-2"):
        warehouse.replace_slice(TARGET, make_slice(), facts(run))
    assert empty_database.query("SELECT count(*) FROM years_dicom_image_meta") == [(4,)]
    assert warehouse.differences() == []
    warehouse.close()


def gated(release: threading.Event, reached: threading.Event) -> dict[str, ArrowSource]:
    """A slice of nine images whose stream waits in its middle."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield from make_rows(IMAGE, count=4).to_batches()
        reached.set()
        assert release.wait(60)
        yield from make_rows(IMAGE, start=4, count=5).to_batches()

    return {**make_slice(), IMAGE.name: pa.RecordBatchReader.from_batches(table_schema(IMAGE), batches())}


def test_one_of_two_loads_of_a_slice_waits_and_nobody_else_does(warehouse: Warehouse, database: Database) -> None:
    warehouse.replace_slice(TARGET, make_slice(count=2), facts())
    slow, second, other = (create_warehouse(database.url) for _ in range(3))
    release, reached = threading.Event(), threading.Event()
    threads = [
        threading.Thread(target=slow.replace_slice, args=(TARGET, gated(release, reached), facts("slow"))),
        threading.Thread(target=second.replace_slice, args=(TARGET, make_slice(count=3), facts("second"))),
    ]
    threads[0].start()
    assert reached.wait(60)
    threads[1].start()
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while database.query(waiting) != [(1,)]:
        time.sleep(0.02)
    assert warehouse.read(IMAGE, [TARGET]).read_all().num_rows == 2  # readers see the old slice
    elsewhere = Slice("hospital", dt.date(2031, 5, 1))  # a month without a partition yet
    other.replace_slice(elsewhere, make_slice(elsewhere), facts("other"))
    release.set()
    for thread in threads:
        thread.join(60)
    ledger = {row["run_id"]: row["rows_inserted"] for row in warehouse.read(LOAD).read_all().to_pylist()}
    assert ledger == {"run-1": 2, "slow": 7, "other": 4, "second": 0}
    assert warehouse.read(IMAGE, [TARGET]).read_all().num_rows == 3
    for opened in (slow, second, other):
        opened.close()


def test_a_lock_that_is_never_given_up_is_a_passing_failure(
    warehouse: Warehouse, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_pipeline.warehouse.postgres.replace._LIMITS", ("SET LOCAL lock_timeout = '50ms'",))
    with database.connect() as session, session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(TARGET),))
        with pytest.raises(WarehouseUnavailable, match="held a lock for too long"):
            warehouse.replace_slice(TARGET, make_slice(), facts())


def test_the_lock_of_a_slice_is_the_same_everywhere() -> None:
    assert lock_key(TARGET) == -1479806727113254868
    assert lock_key(Slice("hospital", DAY + dt.timedelta(days=1))) != lock_key(TARGET)
    assert lock_key(Slice("clinic", DAY)) != lock_key(TARGET)


def test_a_big_slice_streams_in_bounded_memory(warehouse: Warehouse) -> None:
    batch = make_rows(IMAGE, count=5000)
    sop = batch.column_names.index("sop_uid")

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(30):
            uids = pa.array([f"1.2.3.{number}.{row}" for row in range(batch.num_rows)])
            yield from batch.set_column(sop, table_schema(IMAGE).field(sop), uids).to_batches()

    reader = pa.RecordBatchReader.from_batches(table_schema(IMAGE), batches())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    changes = warehouse.replace_slice(TARGET, {**empty_slice(), IMAGE.name: reader}, facts())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert changes[IMAGE.name].inserted == 150_000
    assert grown < 100 * 1024  # KiB; the slice is some 120 MB


def test_a_server_that_ended_the_connection_is_a_passing_failure(warehouse: Warehouse, database: Database) -> None:
    warehouse.prepare()
    database.query(END_SESSIONS)
    with pytest.raises(WarehouseUnavailable):
        warehouse.dates("hospital")
    assert warehouse.dates("hospital") == set()  # and the next call connects again


def test_an_idle_reader_that_was_ended_is_replaced(warehouse: Warehouse, database: Database) -> None:
    assert warehouse.read(IMAGE).read_all().num_rows == 0
    database.query(END_SESSIONS)
    with pytest.raises(WarehouseUnavailable):
        warehouse.dates("hospital")
    assert warehouse.read(IMAGE).read_all().num_rows == 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_PATIENCE_SECONDS", 0.3)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    warehouse = create_warehouse("postgresql://user:hunter2@127.0.0.1:1/db")
    with pytest.raises(WarehouseUnavailable, match="refused") as caught:
        warehouse.server_version()
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_connection_is_tried_again_only_while_that_may_help(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(connecting.time, "sleep", pauses.append)
    for role, database in (("nobody_such", "dicom"), ("dicom", "no_such")):
        url = server.url.replace("dicom@", f"{role}@").replace("/dicom?", f"/{database}?")
        with pytest.raises(WarehouseError, match="does not exist") as caught:
            create_warehouse(url).prepare()
        assert not caught.value.transient
    assert pauses == []
    monkeypatch.setattr(connecting, "_PATIENCE_SECONDS", 0.3)
    with pytest.raises(WarehouseUnavailable):
        create_warehouse("postgresql:///db?host=/nowhere/at/all").prepare()
    assert pauses


def test_the_version_is_the_servers(warehouse: Warehouse) -> None:
    assert warehouse.server_version().startswith("PostgreSQL 18")


def test_a_value_the_database_refuses_is_in_no_message(warehouse: Warehouse, database: Database) -> None:
    database.run("ALTER TABLE dicom_reject ADD CONSTRAINT no_canary CHECK (path NOT LIKE '%CANARY%')")
    try:
        rows = make_rows(REJECT, count=1, columns={"path": ["CANARY^JOHN"]})
        with pytest.raises(WarehouseError, match="CheckViolation 23514 on dicom_reject") as caught:
            warehouse.replace_slice(TARGET, {**make_slice(), REJECT.name: rows}, facts())
    finally:
        database.run("ALTER TABLE dicom_reject DROP CONSTRAINT no_canary")
    assert "CANARY" not in str(caught.value)

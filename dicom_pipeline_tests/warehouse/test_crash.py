"""Loads that are killed: each table is as before or as after, and a second load settles everything."""

import datetime as dt
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import IMAGE, LOAD, SLICE_TABLES
from dicom_pipeline.warehouse.base import Slice, Warehouse
from dicom_pipeline.warehouse.doris.load_state import Pace
from dicom_pipeline_tests.doris_double import Action, DorisDouble, Fault, Place
from dicom_pipeline_tests.warehouse.conftest import Store
from dicom_pipeline_tests.warehouse.doris.pace import open_quick
from dicom_pipeline_tests.warehouse.rows import DAY, FIRST_CLOCK, SECOND_CLOCK, TARGET, facts, make_rows, make_slice

THIRD_CLOCK = dt.datetime.fromisoformat("2024-02-03T10:00:00.000001")

LOAD_AND_WAIT = """
    import sys, time
    import pyarrow as pa
    from dicom_pipeline.dicom.fields import IMAGE, REJECT, STATE
    from dicom_pipeline.tables.schemas import table_schema
    from dicom_pipeline.warehouse.factory import create_warehouse
    from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_rows, make_slice

    def endless(table):
        yield from make_rows(table, count=9).to_batches()
        print("half", flush=True)
        time.sleep(60)

    slow = {"image": IMAGE, "state": STATE, "reject": REJECT}[sys.argv[2]]
    tables = {IMAGE.name: make_rows(IMAGE, start=2), STATE.name: make_rows(STATE), REJECT.name: make_rows(REJECT)}
    tables[slow.name] = pa.RecordBatchReader.from_batches(table_schema(slow), endless(slow))
    create_warehouse(sys.argv[1]).replace_slice(TARGET, tables, facts("killed"))
"""


def everything(warehouse: Warehouse, target: Slice = TARGET) -> dict[str, pa.Table]:
    return {table.name: warehouse.read(table, [target]).read_all() for table in SLICE_TABLES}


@pytest.mark.parametrize("moment", ["image", "reject"])
def test_a_load_killed_while_rows_come_in_leaves_the_slice_and_a_second_one_mends_it(
    warehouse: Warehouse, store: Store, moment: str
) -> None:
    warehouse.replace_slice(TARGET, make_slice(), facts())
    before = everything(warehouse)
    command = [sys.executable, "-c", textwrap.dedent(LOAD_AND_WAIT), store.url, moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
    assert everything(warehouse) == before
    later = {**make_slice(), IMAGE.name: make_rows(IMAGE, start=2)}
    warehouse.replace_slice(TARGET, later, facts("again"))
    assert warehouse.read(IMAGE, [TARGET]).read_all().equals(later[IMAGE.name])
    assert warehouse.read(LOAD).read_all()["run_id"].to_pylist() == ["again", "run-1"]


LOADS_ON_DEMAND = """
    import os, sys
    from dicom_pipeline.warehouse.factory import create_warehouse
    from dicom_pipeline_tests.warehouse.rows import SECOND_CLOCK, facts
    from dicom_pipeline_tests.warehouse.test_crash import after, the_slice

    def load(tenant):
        target = the_slice(tenant)
        told = facts("killed", SECOND_CLOCK)
        create_warehouse(sys.argv[1]).replace_slice(target, after(target, SECOND_CLOCK), told)

    load("whole")  # all that a load imports is there before the first of those that are killed
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            load(line.strip())
            os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("ended", flush=True)
"""


def the_slice(tenant: str) -> Slice:
    return Slice(tenant, DAY)


def after(target: Slice, clock: dt.datetime) -> dict[str, pa.Table]:
    """What the killed load wants: of each table's rows before, one is gone, one changed, and new ones come."""
    made = {}
    for table, changed in zip(SLICE_TABLES, ("patient_id", "patient_id", "reason"), strict=True):
        rows = make_rows(table, target, 4, start=1, clock=clock)
        values = rows[changed].to_pylist()
        place = rows.schema.get_field_index(changed)
        made[table.name] = rows.set_column(place, rows.schema.field(place), pa.array(["changed", *values[1:]]))
    return made


def before(target: Slice) -> dict[str, pa.Table]:
    return {table.name: make_rows(table, target, 3) for table in SLICE_TABLES}


Start = Callable[[str], int]


@pytest.fixture
def killable(own_double: DorisDouble) -> Iterator[tuple[Start, Callable[[], None]]]:
    """Start a load of ``after`` in a process of its own, known by its pid; wait until it has ended."""
    command = [sys.executable, "-c", textwrap.dedent(LOADS_ON_DEMAND), own_double.url()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None
        assert stdout.readline() == "ready\n"

        def start(tenant: str) -> int:
            stdin.write(f"{tenant}\n")
            stdin.flush()
            return int(stdout.readline())

        def wait() -> None:
            assert stdout.readline() == "ended\n"

        yield start, wait
        stdin.close()


HTTP_PLACES = (
    Place.FE,
    Place.BE_BEFORE_HEADERS,
    Place.BE_AFTER_HEADERS,
    Place.BE_MID_BODY,
    Place.BE_BEFORE_COMMIT,
    Place.BE_AFTER_COMMIT,
)


@contextmanager
def killed_at(fault: Fault, double: DorisDouble, start: Start, wait: Callable[[], None], tenant: str) -> Iterator[None]:
    """Let the load stumble over ``fault``, and kill it there."""
    double.faults.add(fault)
    pid = start(tenant)
    until = time.monotonic() + 30
    while double.faults.pending:
        assert time.monotonic() < until
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    wait()
    yield


def test_a_load_into_doris_killed_anywhere_leaves_each_table_before_or_after(
    own_double: DorisDouble, killable: tuple[Start, Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each statement, and at each stage of each of its four requests."""
    monkeypatch.setattr("dicom_pipeline.warehouse.doris.replace._PAUSE_SECONDS", 0.01)
    start, wait = killable
    with closing(open_quick(own_double.url(), Pace(first_pause=0.01))) as warehouse:
        target = the_slice("unharmed")
        warehouse.replace_slice(target, before(target), facts("before", FIRST_CLOCK))
        own_double.statements.clear()
        start(target.tenant_id)
        wait()
        statements = own_double.statements.all()
        first = statements.index("SYNC")
        faults = [
            Fault(Place.MYSQL, Action.DELAY, skip=number, seconds=0.05) for number in range(first, len(statements))
        ]
        faults += [
            Fault(place, Action.DELAY, seconds=0.05, containing=f"/{table.name}/")
            for table in (*SLICE_TABLES, LOAD)
            for place in HTTP_PLACES
        ]
        seen = set()
        for number, fault in enumerate(faults):
            target = the_slice(f"t{number}")
            warehouse.replace_slice(target, before(target), facts("before", FIRST_CLOCK))
            old, new = everything(warehouse, target), after(target, SECOND_CLOCK)
            with killed_at(fault, own_double, start, wait, target.tenant_id):
                seen.add(_as_before_or_after(warehouse, target, old, new))
            warehouse.replace_slice(target, after(target, THIRD_CLOCK), facts("again", THIRD_CLOCK))
            _is_settled(warehouse, target)
        assert len(seen) >= 4, "it was never killed between two tables"


def _as_before_or_after(
    warehouse: Warehouse, target: Slice, old: dict[str, pa.Table], new: dict[str, pa.Table]
) -> tuple[bool, ...]:
    """Return which tables are as after the load; those before them in the order of loading must be, too."""
    found = []
    for table in SLICE_TABLES:
        rows = warehouse.read(table, [target]).read_all()
        steady = [field.name for field in table.fields if not field.volatile]
        is_new = rows.select(steady).equals(new[table.name].select(steady))
        assert is_new or rows.equals(old[table.name])
        found.append(is_new)
    assert found == sorted(found, reverse=True)
    return tuple(found)


def _is_settled(warehouse: Warehouse, target: Slice) -> None:
    for table in SLICE_TABLES:
        rows, wanted = warehouse.read(table, [target]).read_all(), after(target, SECOND_CLOCK)[table.name]
        steady = [field.name for field in table.fields if not field.volatile]
        assert rows.select(steady).equals(wanted.select(steady))
        if table.name == "dicom_reject":
            continue
        created, updated = rows["created_time"].to_pylist(), rows["updated_time"].to_pylist()
        assert created[:2] == [FIRST_CLOCK] * 2
        assert updated[1] == FIRST_CLOCK
        assert {updated[0], *created[2:], *updated[2:]} <= {SECOND_CLOCK, THIRD_CLOCK}
        assert created[2:] == updated[2:]
    runs = warehouse.read(LOAD, [target]).read_all()["run_id"].to_pylist()
    assert runs in (["again", "before"], ["again", "before", "killed"])

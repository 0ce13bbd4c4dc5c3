"""Loads at once, in every warehouse: a slice ends as one of them has it, in all of its tables."""

import random
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from contextlib import ExitStack, closing
from functools import partial

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES, IMAGE, LOAD, REJECT, SLICE_TABLES
from dicom_pipeline.errors import WarehouseUnavailable
from dicom_pipeline.warehouse.base import Slice, Warehouse
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.conftest import Store
from dicom_pipeline_tests.warehouse.parallel import in_parallel
from dicom_pipeline_tests.warehouse.rows import DAY, TARGET, facts, make_rows, make_slice

OTHERS = (Slice("clinic", DAY), Slice(TARGET.tenant_id, DAY.replace(day=16)))


def variant(number: int) -> dict[str, pa.Table]:
    """A slice that shares keys with those of other numbers in every table, and no row."""
    count = 2 + number % 3
    marks = {table: {"reason" if table is REJECT else "patient_id": [f"W{number}"] * count} for table in SLICE_TABLES}
    return {t.name: make_rows(t, start=number % 2, count=count, columns=marks[t]) for t in SLICE_TABLES}


def is_exactly(warehouse: Warehouse, target: Slice, tables: Mapping[str, pa.Table]) -> bool:
    return all(
        warehouse.read(t, [target], [f.name for f in t.fields if not f.volatile])
        .read_all()
        .equals(tables[t.name].select([f.name for f in t.fields if not f.volatile]).sort_by(t.key[-1]))
        for t in SLICE_TABLES
    )


def whose(warehouse: Warehouse, numbers: range) -> int:
    """Return whose the slice is; fail if it is nobody's as a whole."""
    found = [number for number in numbers if is_exactly(warehouse, TARGET, variant(number))]
    held = {t.name: warehouse.read(t, [TARGET], [t.key[-1]]).read_all()[0].to_pylist() for t in SLICE_TABLES}
    assert len(found) == 1, f"the slice is a mixture: {held}"
    return found[0]


@pytest.mark.parametrize(("loaders", "rounds"), [(2, 5), (8, 1)], ids=["two", "eight"])
def test_a_slice_ends_as_one_of_the_loads_has_it(warehouse: Warehouse, store: Store, loaders: int, rounds: int) -> None:
    for target in OTHERS:
        warehouse.replace_slice(target, make_slice(target), facts())
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(create_warehouse(store.url))) for _ in range(loaders)]
        for turn in range(rounds):
            loads = [
                partial(w.replace_slice, TARGET, variant(number), facts(f"run-{turn}-{number}"))
                for number, w in enumerate(opened)
            ]
            ended = in_parallel(*random.sample(loads, loaders))
            assert [error for error in ended if error and not isinstance(error, WarehouseUnavailable)] == []
            assert None in ended
            whose(warehouse, range(loaders))
            ledger = warehouse.read(LOAD, [TARGET], ["run_id"]).read_all()["run_id"].to_pylist()
            assert sum(run.startswith(f"run-{turn}-") for run in ledger) == ended.count(None)
    for target in OTHERS:
        assert is_exactly(warehouse, target, make_slice(target))


def test_a_mixture_is_settled_by_two_loads_at_once(warehouse: Warehouse, store: Store) -> None:
    """Each finds one table as it should be already, and changes the other, so that nobody's change meets another's."""
    one, two = variant(0), variant(1)
    mixture = {**one, IMAGE.name: two[IMAGE.name]}
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(create_warehouse(store.url))) for _ in range(2)]
        for turn in range(3):
            warehouse.replace_slice(TARGET, mixture, facts(f"mixed-{turn}"))
            ended = in_parallel(
                *(
                    partial(w.replace_slice, TARGET, tables, facts(f"run-{turn}-{number}"))
                    for number, (w, tables) in enumerate(zip(opened, (one, two), strict=True))
                )
            )
            assert ended == [None, None]
            whose(warehouse, range(2))


LOAD_AGAIN_AND_AGAIN = """
    import sys
    from contextlib import closing
    from dicom_pipeline.errors import WarehouseUnavailable
    from dicom_pipeline.warehouse.factory import create_warehouse
    from dicom_pipeline_tests.warehouse.rows import TARGET, facts
    from dicom_pipeline_tests.warehouse.test_concurrency import variant

    url, number = sys.argv[1], int(sys.argv[2])
    with closing(create_warehouse(url)) as warehouse:
        warehouse.server_version()
        print("ready", flush=True)
        sys.stdin.readline()
        for turn in range(2):
            try:
                warehouse.replace_slice(TARGET, variant(number), facts(f"run-{number}-{turn}"))
            except WarehouseUnavailable:
                pass
"""


def test_a_slice_ends_as_one_of_two_processes_has_it(warehouse: Warehouse, store: Store) -> None:
    command = [sys.executable, "-c", textwrap.dedent(LOAD_AGAIN_AND_AGAIN), store.url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        loads = [stack.enter_context(subprocess.Popen([*command, str(number)], **pipes)) for number in range(2)]
        assert [load.stdout.readline() for load in loads] == ["ready\n"] * 2
        for load in loads:
            load.stdin.write("go\n")
            load.stdin.flush()
        assert [load.communicate(timeout=120)[1] for load in loads] == ["", ""]
        assert [load.returncode for load in loads] == [0, 0]
    whose(warehouse, range(2))


def test_sessions_that_start_at_once_agree(empty_store: Store) -> None:
    """Four find nothing, make the tables and a month, and load two slices in pairs."""
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(create_warehouse(empty_store.url))) for _ in range(4)]
        slices = [Slice(f"tenant-{number % 2}", DAY) for number in range(4)]
        loads = [
            partial(w.replace_slice, s, make_slice(s), facts(f"run-{number}"))
            for number, (w, s) in enumerate(zip(opened, slices, strict=True))
        ]
        assert in_parallel(*loads) == [None] * 4
        assert opened[0].differences() == []
        assert opened[0].read(IMAGE).read_all().num_rows == 8
        ledger = opened[0].read(LOAD).read_all()
        assert sorted(ledger["rows_inserted"].to_pylist()) == [0, 0, 4, 4]
        assert sorted(ledger["tenant_id"].to_pylist()) == ["tenant-0", "tenant-0", "tenant-1", "tenant-1"]


def test_a_reader_sees_a_table_before_or_after_a_load_and_never_between(warehouse: Warehouse, store: Store) -> None:
    states = [variant(number) for number in range(2)]
    warehouse.replace_slice(TARGET, states[0], facts())
    seen: list[pa.Table] = []
    columns = [f.name for f in IMAGE.fields if not f.volatile]

    def load() -> None:
        with closing(create_warehouse(store.url)) as loader:
            for turn in range(4):
                loader.replace_slice(TARGET, states[(turn + 1) % 2], facts(f"run-{turn}"))

    def look() -> None:
        seen.extend(warehouse.read(IMAGE, [TARGET], columns).read_all() for _ in range(20))

    assert in_parallel(load, look) == [None, None]
    known = [state[IMAGE.name].select(columns).sort_by("sop_uid") for state in states]
    assert all(any(table.equals(state) for state in known) for table in seen)


def test_two_that_make_all_tables_at_once_agree(empty_store: Store) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(create_warehouse(empty_store.url))) for _ in range(3)]
        assert in_parallel(*(w.prepare for w in opened)) == [None] * 3
        assert opened[0].differences() == []
        assert [opened[0].read(table).read_all().num_rows for table in ALL_TABLES] == [0] * len(ALL_TABLES)

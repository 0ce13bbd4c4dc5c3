"""What is new, changed, unchanged and vanished, found without keeping rows."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.dicom.fields import IMAGE, REJECT, TableSpec
from dicom_pipeline.warehouse.doris.standing_rows import KeyWatch, StandingRows
from dicom_pipeline_tests.warehouse.rows import FIRST_CLOCK, SECOND_CLOCK, make_rows

ROWS = st.dictionaries(st.integers(0, 12), st.integers(0, 2), max_size=12)


def images(rows: dict[int, int], clock: dt.datetime) -> pa.Table:
    """Rows named by a number, each with a value."""
    columns = {"sop_uid": [f"1.{n}" for n in rows], "instance_number": list(rows.values()), "width": [None] * len(rows)}
    return make_rows(IMAGE, count=len(rows), clock=clock, columns=columns)


def named(batches: list[pa.RecordBatch]) -> set[tuple[str, int | None]]:
    return {
        (row["sop_uid"], row["instance_number"]) for batch in batches if batch.num_rows for row in batch.to_pylist()
    }


@settings(deadline=None)
@given(ROWS, ROWS, st.integers(1, 5))
def test_rows_are_told_apart_as_dictionaries_would(before: dict[int, int], after: dict[int, int], size: int) -> None:
    standing_table, given_table = pool(before, FIRST_CLOCK), pool(after, SECOND_CLOCK)
    standing = StandingRows(IMAGE, standing_table.to_batches(max_chunksize=size))
    changes = [standing.meet(batch) for batch in given_table.to_batches(max_chunksize=size)]
    assert len(standing) == len(before)
    assert named([c.new for c in changes]) == {(f"1.{n}", v) for n, v in after.items() if n not in before}
    changed = {(f"1.{n}", v) for n, v in after.items() if n in before and before[n] != v}
    assert named([c.changed for c in changes]) == changed
    assert standing.vanished == len(before.keys() - after.keys())
    left = [standing.unmet(batch) for batch in standing_table.to_batches(max_chunksize=size)]
    assert named(left) == {(f"1.{n}", v) for n, v in before.items() if n not in after}
    for change in changes:
        assert set(change.changed["created_time"].to_pylist()) <= {FIRST_CLOCK}
        assert set(change.changed["updated_time"].to_pylist()) <= {SECOND_CLOCK}
        assert set(change.new["created_time"].to_pylist()) <= {SECOND_CLOCK}


def pool(rows: dict[int, int], clock: dt.datetime) -> pa.Table:
    """Rows of one pool, since other columns are filled by a row's place."""
    whole = images({n: n for n in range(13)}, clock)
    picked = whole.take(list(rows)) if rows else whole.slice(0, 0)
    values = pa.array(list(rows.values()), pa.int32())
    place = picked.schema.get_field_index("instance_number")
    return picked.set_column(place, picked.schema.field(place), values)


def test_created_time_is_kept_row_by_row() -> None:
    clocks = [FIRST_CLOCK + dt.timedelta(seconds=n) for n in range(4)]
    standing = StandingRows(IMAGE, make_rows(IMAGE, columns={"created_time": clocks}).to_batches())
    later = make_rows(IMAGE, clock=SECOND_CLOCK, columns={"instance_number": [90, 91, 92, 93]})
    order = [2, 0, 3, 1]
    (batch,) = later.take(order).combine_chunks().to_batches()
    assert standing.meet(batch).changed["created_time"].to_pylist() == [clocks[n] for n in order]


def test_a_reject_for_another_reason_is_created_anew() -> None:
    standing = StandingRows(REJECT, make_rows(REJECT, count=1).to_batches())
    (batch,) = make_rows(REJECT, count=1, clock=SECOND_CLOCK, columns={"reason": ["NotDicom"]}).to_batches()
    assert standing.meet(batch).changed["created_time"].to_pylist() == [SECOND_CLOCK]


@pytest.mark.parametrize(
    "columns",
    [{"updated_time": [SECOND_CLOCK] * 4}, {"created_time": [SECOND_CLOCK] * 4}, {"sop_uid": ["a", "b", "c", "d"]}],
    ids=lambda columns: next(iter(columns)),
)
def test_a_state_is_known_by_every_column_the_clocks_included(columns: dict[str, list[object]]) -> None:
    def state(rows: pa.Table) -> str:
        return StandingRows(IMAGE, rows.to_batches(max_chunksize=3)).state

    rows = make_rows(IMAGE)
    assert state(rows) == state(rows.take([3, 1, 0, 2]))
    assert len({state(rows), state(make_rows(IMAGE, columns=columns)), state(rows.slice(1)), state(rows[:0])}) == 4


@pytest.mark.parametrize("table", [IMAGE, REJECT], ids=lambda table: table.name)
def test_keys_that_stand_twice_are_counted(table: TableSpec) -> None:
    watch = KeyWatch(table)
    for start, count in ((0, 3), (3, 2), (2, 3)):
        for batch in make_rows(table, start=start, count=count).to_batches():
            watch.watch(batch)
    assert watch.repeated() == 3
    assert KeyWatch(table).repeated() == 0


def test_rows_that_differ_in_their_clocks_alone_are_another_state() -> None:
    states = [StandingRows(IMAGE, make_rows(IMAGE, clock=clock).to_batches()) for clock in (FIRST_CLOCK, SECOND_CLOCK)]
    assert states[0].contents == states[1].contents
    assert states[0].state != states[1].state
    assert states[0].state == StandingRows(IMAGE, make_rows(IMAGE).to_batches(max_chunksize=1)).state

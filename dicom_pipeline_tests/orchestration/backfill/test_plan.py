"""Which dates a backfill takes and in which runs, for any mixture of dates."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.backfill.plan import (
    CHOICES,
    WIDEST_GAP,
    Choice,
    days_between,
    plan_backfill,
    runs_over_gaps,
)
from dicom_pipeline.orchestration.backfill.status import ArchiveStatus, DateState, DateStatus
from dicom_pipeline.settings import Archive
from dicom_pipeline.warehouse.base import LastLoad

START = dt.date(2020, 1, 1)
LOAD = LastLoad("run", "0", dt.datetime(2024, 1, 1), 1, 1, 0)  # noqa: DTZ001


def day(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 400), st.booleans()), st.integers(1, 60), st.booleans())
def test_runs_take_every_wanted_date_and_no_other(marks: dict[int, bool], most: int, newest_first: bool) -> None:
    wanted = sorted(day(n) for n, mark in marks.items() if mark)
    others = {day(n) for n, mark in marks.items() if not mark}
    runs = runs_over_gaps(wanted, others, most, newest_first=newest_first)
    taken = [date for first, last in runs for date in days_between(first, last)]
    assert len(taken) == len(set(taken))
    assert set(wanted) <= set(taken)
    assert not others & set(taken)
    assert all((last - first).days < most for first, last in runs)
    assert all(first in wanted and last in wanted for first, last in runs)
    assert runs == sorted(runs, reverse=newest_first)


def test_days_without_files_do_not_end_a_run_but_a_long_gap_does() -> None:
    assert runs_over_gaps([day(0), day(2), day(7)], [], 10) == [(day(0), day(7))]
    assert runs_over_gaps([day(0), day(2), day(7)], [day(1)], 10) == [(day(0), day(0)), (day(2), day(7))]
    far = day(WIDEST_GAP + 1)
    assert runs_over_gaps([day(0), day(WIDEST_GAP)], [], 1000) == [(day(0), day(WIDEST_GAP))]
    assert runs_over_gaps([day(0), far], [], 1000) == [(day(0), day(0)), (far, far)]


def test_the_newest_first_are_whole_runs_from_the_newest_date_on() -> None:
    dates = [day(n) for n in range(5)]
    assert runs_over_gaps(dates, [], 2, newest_first=True) == [(day(3), day(4)), (day(1), day(2)), (day(0), day(0))]
    assert runs_over_gaps(dates, [], 2) == [(day(0), day(1)), (day(2), day(3)), (day(4), day(4))]


def found(root: str = "/nowhere") -> ArchiveStatus:
    states = [DateState.LOADED, DateState.MISSING, DateState.FAILED, DateState.STALE, DateState.OUTDATED]
    dates = [DateStatus(day(n), state, "", LOAD) for n, state in enumerate(states)]
    return ArchiveStatus(Archive(root=root), "warehouse", dates, files_compared=True)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (("missing",), [1]),
        (("failed",), [2]),
        (("stale",), [3]),
        (("outdated",), [4]),
        (("missing", "stale"), [1, 3]),
        (("all",), [0, 1, 2, 3, 4]),
    ],
)
def test_only_the_chosen_states_are_taken(only: tuple[str, ...], expected: list[int]) -> None:
    plan = plan_backfill(found(), Choice(first=START, only=only), 30)
    assert plan.dates == [day(n) for n in expected]
    assert plan.partitions(plan.runs) == plan.dates
    assert set(only) <= set(CHOICES)


def test_runs_beyond_the_limit_are_left_for_another_time() -> None:
    plan = plan_backfill(found(), Choice(first=START, max_runs=1, newest_first=True), 2)
    assert (plan.dates, plan.left) == ([day(3), day(4)], 3)
    assert plan_backfill(found(), Choice(first=START, max_runs=1), 2).dates == [day(0), day(1)]


def test_a_date_that_can_have_no_partition_is_refused_alone() -> None:
    status = found()
    status.dates.append(DateStatus(dt.date(9999, 1, 1), DateState.MISSING))
    plan = plan_backfill(status, Choice(first=START), 30)
    assert (plan.dates, plan.refused) == ([day(n) for n in range(5)], [dt.date(9999, 1, 1)])


def test_an_archive_that_lost_everything_is_not_believed(tmp_path: object) -> None:
    with pytest.raises(ConfigurationError, match="mounted"):
        plan_backfill(found(str(tmp_path)), Choice(), 30)
    assert plan_backfill(found(str(tmp_path)), Choice(first=START), 30).dates

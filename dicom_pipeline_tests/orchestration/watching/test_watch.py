"""Changed dates found on real files: what is due, what is waited for, and what the cursor remembers."""

import datetime as dt
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_pipeline.orchestration.sources import date_source
from dicom_pipeline.orchestration.watching.watch import Cursor, Found, Listed, Watch, ask
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.listing import ListingSums, listing_batches
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline_tests.orchestration.small_archive import days

MINUTE, HOUR = 60, 3600
TEN = days("2014-03-01", 10)


class Looker:
    """Looks at an archive of small files; its cursor goes through its text at every look, as it does in Dagster."""

    def __init__(self, root: Path, quiet: int = 10 * MINUTE) -> None:
        self.root = root
        self.source = date_source(Archive(root=str(root)), Staging(root.parent / "staging"))
        self.quiet = quiet
        self.text: str | None = None
        self.listed: dict[dt.date, Listed] = {}
        self.events = 0

    def write(self, date: dt.date, name: str = "a.dcm", text: str = "x", age: int = 100 * HOUR) -> None:
        path = self.root / f"{date:%Y%m%d}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1_000_000_000 - age, 1_000_000_000 - age))

    def load(self, *dates: dt.date) -> None:
        """Put the listing of dates on record, as their load does."""
        for date in dates:
            sums = ListingSums()
            for _ in sums.watch(listing_batches(self.source.rows(date))):
                pass
            self.events += 1
            self.listed[date] = Listed(sums.fingerprint, self.events)

    def __call__(self, now: int, seconds: float = 20, clock: Callable[[], float] = lambda: 0.0) -> Found:
        cursor = Cursor.read(self.text)
        watch = Watch(self.source, quiet=self.quiet, every=HOUR, seconds=seconds, clock=clock)
        found = watch.look(cursor, {*self.source.listing().dates, *self.listed}, self.listed, now)
        ask(cursor, found.due, found.due)
        self.text = cursor.write()
        return found


@pytest.fixture
def looker(tmp_path: Path) -> Looker:
    made = Looker(tmp_path / "archive")
    for date in TEN:
        made.write(date)
    made.load(*TEN)
    return made


def ticking(step: float) -> Callable[[], float]:
    moments = iter(range(1_000_000))
    return lambda: next(moments) * step


def add(looker: Looker) -> None:
    looker.write(TEN[4], "late.dcm")


def change(looker: Looker) -> None:
    looker.write(TEN[4], text="y")  # the same size and an old time: only the time of modification differs by a second
    os.utime(looker.root / "20140305" / "a.dcm", (1_000_000_001 - 100 * HOUR,) * 2)


def delete(looker: Looker) -> None:
    (looker.root / "20140305" / "a.dcm").unlink()


def delete_all(looker: Looker) -> None:
    delete(looker)
    (looker.root / "20140305").rmdir()


def test_nothing_changed_nothing_due(looker: Looker) -> None:
    assert [looker(now).due for now in (0 + HOUR, 2 * HOUR)] == [{}, {}]
    assert looker.text is not None
    assert len(looker.text) < 100


@pytest.mark.parametrize("happens", [add, change, delete, delete_all])
def test_what_changed_on_an_old_date_is_due_after_it_was_quiet_once(
    looker: Looker, happens: Callable[[Looker], None]
) -> None:
    happens(looker)
    start = HOUR
    assert looker(start).due == {}
    assert looker(start + 9 * MINUTE).due == {}
    assert list(looker(start + 10 * MINUTE).due) == [TEN[4]]
    assert looker(start + 30 * MINUTE).due == {}
    assert looker(3 * HOUR).due == {}
    looker.load(TEN[4])
    assert looker(5 * HOUR).due == {}
    assert json.loads(looker.text or "")["asked"] == {}


def test_a_date_that_goes_on_changing_is_waited_for(looker: Looker) -> None:
    now = HOUR
    for number in range(5):
        looker.write(TEN[4], f"{number}.dcm")
        assert looker(now).due == {}
        now += 10 * MINUTE
    assert list(looker(now).due) == [TEN[4]]


def test_files_that_go_and_come_again_are_seen_each_time(looker: Looker) -> None:
    looker.quiet = 0
    now = HOUR
    for _ in range(3):
        looker.write(TEN[9], "late.dcm")
        assert list(looker(now).due) == [TEN[9]]
        looker.load(TEN[9])
        (looker.root / "20140310" / "late.dcm").unlink()
        assert list(looker(now + 1).due) == [TEN[9]]
        looker.load(TEN[9])
        now += MINUTE


def test_a_new_date_is_due_and_an_empty_one_is_not(looker: Looker) -> None:
    looker.quiet = 0
    looker.write(dt.date(2014, 4, 1))
    (looker.root / "20140402").mkdir()
    assert list(looker(HOUR).due) == [dt.date(2014, 4, 1)]


def test_the_newest_are_looked_at_each_time_the_others_once_a_round(looker: Looker) -> None:
    assert (looker(HOUR).looked, looker(HOUR + MINUTE).looked, looker(2 * HOUR).looked) == (13, 3, 13)


def test_a_look_ends_in_time_and_the_next_goes_on_from_there(looker: Looker) -> None:
    looker.quiet = 0
    for date in TEN:
        looker.write(date, "late.dcm")
    seen: list[dt.date] = []
    for number in range(20):
        found = looker(HOUR + number * MINUTE, seconds=6, clock=ticking(1))
        assert 0 < found.looked <= 6
        seen += found.due
        looker.load(*found.due)
    assert sorted(seen) == TEN


def test_a_date_that_takes_too_long_keeps_no_other_from_being_looked_at(looker: Looker) -> None:
    for number in range(600):
        looker.write(TEN[0], f"{number}.dcm")
    looker.write(TEN[1], "late.dcm")
    looker.quiet = 0
    cursor = Cursor()
    watch = Watch(looker.source, quiet=0, every=HOUR, seconds=1000, most_seconds=20, clock=ticking(8))
    found = watch.look(cursor, TEN[:2], looker.listed, HOUR)
    assert (found.troubles, list(found.due)) == (2, [TEN[1]])


def test_a_date_that_cannot_be_listed_is_counted_and_not_asked_for(looker: Looker) -> None:
    looker.quiet = 0
    (looker.root / "20140305" / "a.dcm").unlink()
    (looker.root / "20140305").rmdir()
    (looker.root / "20140305").write_text("a file in the directory's place")
    found = looker(HOUR)
    assert (found.troubles, found.due) == (1, {})


@pytest.mark.parametrize("text", [None, "", "[]", "7", "{", '{"v":2}', '{"v":1,"at":"x"}', '{"v":1,"at":null}'])
def test_a_lost_or_foreign_cursor_costs_a_round(looker: Looker, text: str | None) -> None:
    looker.text = text
    assert looker(HOUR).looked == 13


def test_the_cursor_stays_small_and_holds_no_path(looker: Looker) -> None:
    many = days("2000-01-01", 2000)
    for date in many:
        looker.write(date, "DOE^JANE.dcm")
    looker(HOUR)
    assert looker.text is not None
    assert "DOE" not in looker.text
    assert len(looker.text) < 15_000
    assert len(Cursor.read(looker.text).pending) == 300


def test_what_finds_no_room_in_the_cursor_comes_next(looker: Looker) -> None:
    many = days("2000-01-01", 700)
    for date in many:
        looker.write(date)
    looker.quiet = MINUTE
    seen: set[dt.date] = set()
    for number in range(8):
        due = looker(HOUR + number * MINUTE).due
        looker.load(*due)
        seen |= set(due)
    assert seen == set(many)


def test_dates_that_are_gone_for_good_leave_the_cursor(looker: Looker) -> None:
    looker.write(dt.date(2014, 4, 1))
    looker(HOUR)
    (looker.root / "20140401" / "a.dcm").unlink()
    (looker.root / "20140401").rmdir()
    looker(HOUR + MINUTE)
    assert Cursor.read(looker.text).pending == {}

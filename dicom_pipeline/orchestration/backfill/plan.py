"""Which dates a backfill takes, and in which runs.

Scope: from how dates stand to the ranges that Dagster is asked for. Pure but for looking at the archives; launching and
following is in ``backfill.py``.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.backfill.status import ArchiveStatus, DateState
from dicom_pipeline.orchestration.sources import can_be_loaded
from dicom_pipeline.settings import Archive

ALL = "all"
CHOICES = (*(state.value for state in DateState if state is not DateState.LOADED), ALL)
"""What ``--only`` can be."""

WIDEST_GAP = 100
"""Days without files that a run goes over rather than end: a run costs as much as about two hundred of them."""

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person asked for.

    Attributes:
        only: States of dates to take, or ``all``.
        newest_first: Whether the latest dates come first.
        max_runs: Most runs an archive; None means as many as it takes.
    """

    first: dt.date | None = None
    last: dt.date | None = None
    only: tuple[str, ...] = (ALL,)
    newest_first: bool = False
    max_runs: int | None = None

    @property
    def compares_files(self) -> bool:
        """Whether it matters if files changed."""
        return DateState.STALE in self.only


@dataclass(frozen=True, slots=True)
class Plan:
    """The runs for one archive, in the order they are wanted.

    Attributes:
        archive: With partitions for all its dates.
        dates: The dates that were chosen and fit into the runs.
        runs: First and last date of each run; between them are chosen dates and days without files.
        left: How many chosen dates are left for another time by ``max_runs``.
        refused: Chosen dates that can have no partition.
    """

    archive: Archive
    dates: list[dt.date]
    runs: list[tuple[dt.date, dt.date]]
    left: int
    refused: list[dt.date]

    def partitions(self, runs: Iterable[tuple[dt.date, dt.date]]) -> list[dt.date]:
        """Return every day of the runs, ascending."""
        return sorted(day for first, last in runs for day in days_between(first, last))


def plan_backfill(found: ArchiveStatus, choice: Choice, partitions_per_run: int) -> Plan:
    """Choose among an archive's dates.

    Raises:
        ConfigurationError: The archive looks as if its file system were not mounted.
    """
    _refuse_unmounted(found, choice)
    wanted = [status.date for status in found.dates if ALL in choice.only or status.state in choice.only]
    chosen = [date for date in wanted if can_be_loaded(date)]
    others = {status.date for status in found.dates} - set(chosen)
    runs = runs_over_gaps(chosen, others, partitions_per_run, newest_first=choice.newest_first)[: choice.max_runs]
    dates = [date for date in chosen if any(first <= date <= last for first, last in runs)]
    return Plan(
        found.archive, dates, runs, len(chosen) - len(dates), [date for date in wanted if not can_be_loaded(date)]
    )


def runs_over_gaps(
    dates: Sequence[dt.date], others: Collection[dt.date], most: int, *, newest_first: bool = False
) -> list[tuple[dt.date, dt.date]]:
    """Return the ranges of runs that take all of ``dates`` and none of ``others``, at most ``most`` days each.

    A range has no gaps for Dagster, so that an archive without weekends would have a run a week. Days that are
    neither wanted nor known as anything have no files: a run goes over them, and they are loaded as the empty days they
    are.

    Args:
        dates: Ascending.
        others: Dates with files or rows that are not wanted.
        most: Days a run.
        newest_first: Whether runs are filled from the latest date on.
    """
    runs = [run for stretch in _stretches(dates, sorted(others)) for run in _cut(stretch, most, newest_first)]
    return sorted(runs, reverse=newest_first)


def _stretches(dates: Sequence[dt.date], others: Sequence[dt.date]) -> Iterator[list[dt.date]]:
    if not dates:
        return
    stretch = [dates[0]]
    unwanted = iter([*others, dt.date.max])
    barrier = next(unwanted)
    for before, date in pairwise(dates):
        while barrier < before:
            barrier = next(unwanted)
        if date - before > WIDEST_GAP * _DAY or before < barrier < date:
            yield stretch
            stretch = []
        stretch.append(date)
    yield stretch


def _cut(stretch: Sequence[dt.date], most: int, newest_first: bool) -> Iterator[tuple[dt.date, dt.date]]:
    """Cut a stretch into ranges that begin (the latest first: end) with a wanted date."""
    rest = list(reversed(stretch)) if newest_first else list(stretch)
    while rest:
        run = [date for date in rest if abs(date - rest[0]) < most * _DAY]
        rest = rest[len(run) :]
        yield min(run), max(run)


def days_between(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    """Yield the days from first to last, both included."""
    return (first + n * _DAY for n in range((last - first).days + 1))


def _refuse_unmounted(found: ArchiveStatus, choice: Choice) -> None:
    rows = sum(status.load is not None for status in found.dates)
    unlimited = choice.first is None and choice.last is None
    if unlimited and rows > 1 and not any(Path(found.archive.root).iterdir()):
        raise ConfigurationError(
            f"the archive is empty, but the warehouse has rows of {rows} dates of {found.tenant}: is its file system"
            " mounted? If the files are really gone, name the range with --from and --to"
        )

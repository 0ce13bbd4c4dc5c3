"""How far something long has got, on standard error.

Scope: bars on a terminal, plain lines elsewhere, nothing where it is to be quiet.
"""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    # Only named here: the command `extract` must not wait for Dagster.
    from dicom_pipeline.orchestration.loading.dates import DateOutcome

_T = TypeVar("_T")


class _Bar:
    """A bar that is there from entering to leaving."""

    _bar: Progress

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class _DatesWatcher(_Bar):
    """What watching dates be loaded has in common, whoever loads them.

    Args:
        told: What the bar says beside the number of dates; names a field of ``fields``.
        fields: What the bar begins with.
        quiet: Whether nothing is to be shown.
    """

    def __init__(self, told: str, *, quiet: bool, **fields: Any) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(told),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("loading", total=None, **fields)
        self._total = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def note(self, text: str) -> None:
        """Say something about the whole."""
        self._console.print(text, markup=False, soft_wrap=True)

    def begin(self, dates: int) -> None:
        """Say how many dates there are."""
        self._total = dates
        self._bar.update(self._task, total=dates)


class LoadWatcher(_DatesWatcher):
    """Shows a load as it goes: a bar on a terminal, one plain line a date elsewhere, nothing if ``quiet``."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__("dates, {task.fields[files]} files", quiet=quiet, files=0)
        self._files = 0
        self._done = 0

    def done(self, outcome: "DateOutcome") -> None:
        """Say what became of a date; failures are said on a terminal too."""
        self._done += 1
        self._files += outcome.listing.files if outcome.listing else 0
        self._bar.update(self._task, advance=1, files=self._files)
        if outcome.error is not None:
            self.note(f"{outcome.date}: FAILED: {outcome.error}")
        elif not self._console.is_terminal:
            self.note(f"{self._done}/{self._total} {outcome.date}: {_counts(outcome)}")


class BackfillWatcher(_DatesWatcher):
    """Shows a backfill as it goes: a bar on a terminal, now and then a plain line elsewhere, nothing if ``quiet``."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__("dates, {task.fields[failed]} failed", quiet=quiet, failed=0)
        self._told = 0

    def done(self, loaded: int, failed: int) -> None:
        """Say how many dates have ended how so far."""
        self._bar.update(self._task, completed=loaded + failed, failed=failed)
        ended = loaded + failed
        if not self._console.is_terminal and ended > self._told and ended >= min(self._told * 1.1 + 1, self._total):
            self._told = ended
            self.note(f"{ended}/{self._total} dates, {failed} failed")


class FileCounter(_Bar):
    """Shows how many files were read so far, on a terminal only."""

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("reading headers: {task.completed:,} files"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("reading", total=None)

    def __enter__(self) -> Callable[[int], None]:
        self._bar.start()
        return lambda files: self._bar.update(self._task, completed=files)


class DateCounter(_Bar):
    """Shows how many dates were looked at, on a terminal only."""

    def __init__(self, dates: int, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("comparing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("dates"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("comparing", total=dates)

    def __enter__(self) -> "Callable[[Iterable[_T]], list[_T]]":
        self._bar.start()
        return self._finished

    def _finished(self, parts: "Iterable[_T]") -> "list[_T]":
        done = list(parts)
        self._bar.update(self._task, advance=1)
        return done


def _counts(outcome: "DateOutcome") -> str:
    summary = outcome.metadata
    if summary is None:
        return "nothing read"
    return f"{summary.listed} files, {summary.accepted} accepted, {summary.rejected} rejected"

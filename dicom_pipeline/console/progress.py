"""How far something long has got, on standard error.

Scope: bars on a terminal, plain lines elsewhere, nothing where it is to be quiet.
"""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    # Only named here: the command `extract` must not wait for Dagster.
    from dicom_pipeline.orchestration.loading.dates import DateOutcome

_T = TypeVar("_T")


class LoadWatcher:
    """Shows a load as it goes: a bar on a terminal, one plain line a date elsewhere, nothing if ``quiet``."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("dates, {task.fields[files]} files"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("loading", total=None, files=0)
        self._files = 0
        self._done = 0
        self._total = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Say something about the load as a whole."""
        self._say(text)

    def begin(self, dates: int) -> None:
        """Say how many dates there are."""
        self._total = dates
        self._bar.update(self._task, total=dates)

    def done(self, outcome: "DateOutcome") -> None:
        """Say what became of a date; failures are said on a terminal too."""
        self._done += 1
        self._files += outcome.listing.files if outcome.listing else 0
        self._bar.update(self._task, advance=1, files=self._files)
        if outcome.error is not None:
            self._say(f"{outcome.date}: FAILED: {outcome.error}")
        elif not self._console.is_terminal:
            self._say(f"{self._done}/{self._total} {outcome.date}: {_counts(outcome)}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


class BackfillWatcher:
    """Shows a backfill as it goes: a bar on a terminal, now and then a plain line elsewhere, nothing if ``quiet``."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("dates, {task.fields[failed]} failed"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("loading", total=None, failed=0)
        self._total = self._told = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Say something about the backfill as a whole."""
        self._console.print(text, markup=False, soft_wrap=True)

    def begin(self, dates: int) -> None:
        """Say how many dates there are."""
        self._total = dates
        self._bar.update(self._task, total=dates)

    def done(self, loaded: int, failed: int) -> None:
        """Say how many dates have ended how so far."""
        self._bar.update(self._task, completed=loaded + failed, failed=failed)
        ended = loaded + failed
        if not self._console.is_terminal and ended > self._told and ended >= min(self._told * 1.1 + 1, self._total):
            self._told = ended
            self.note(f"{ended}/{self._total} dates, {failed} failed")


class FileCounter:
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class DateCounter:
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def _finished(self, parts: "Iterable[_T]") -> "list[_T]":
        done = list(parts)
        self._bar.update(self._task, advance=1)
        return done


def _counts(outcome: "DateOutcome") -> str:
    summary = outcome.metadata
    if summary is None:
        return "nothing read"
    return f"{summary.listed} files, {summary.accepted} accepted, {summary.rejected} rejected"

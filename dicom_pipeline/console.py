"""What a person at a terminal sees: progress, tables, plain lines elsewhere.

Scope: presentation of reports. Progress goes to standard error, results to standard output; nothing is computed here
and nothing of a patient is known here.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from dicom_pipeline.dicom.fields import SLICE_TABLES

if TYPE_CHECKING:
    # Only named here: the command `extract` must not wait for Dagster.
    from dicom_pipeline.orchestration.backfill import BackfillReport
    from dicom_pipeline.orchestration.dates import DateOutcome
    from dicom_pipeline.orchestration.report import LoadReport
    from dicom_pipeline.orchestration.status import ArchiveStatus, DateStatus
    from dicom_pipeline.tables.metadata import MetadataSummary
    from dicom_pipeline.warehouse.compare import SliceComparison

_T = TypeVar("_T")
_DATES_SHOWN = 40
_KEYS_SHOWN = 10


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


def print_load_report(report: "LoadReport") -> None:
    """Print a table of dates, then the totals."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    first, rest = report.outcomes[:_DATES_SHOWN], report.outcomes[_DATES_SHOWN:]
    shown = [*first, *(outcome for outcome in rest if outcome.error is not None)]
    console.print(_dates_table(shown))
    if len(shown) < len(report.outcomes):
        console.print(f"... and {len(report.outcomes) - len(shown)} more dates; all of them are in the UI")
    print_rows(f"{report.tenant} in {report.warehouse}", _totals(report.as_json()))


def print_backfill_report(report: "BackfillReport") -> None:
    """Print what became of the dates of each archive, and why those failed that did."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    for one in report.as_json()["archives"]:
        failed, rest = one["failed"][:_DATES_SHOWN], one["failed"][_DATES_SHOWN:]
        for date in failed:
            console.print(f"{date['date']}: FAILED: {date['reason']}", markup=False, soft_wrap=True)
        if rest:
            console.print(f"... and {len(rest)} more failed dates; `dicom-pipeline status` tells all")
        for backfill in one["backfills"]:
            if backfill["error"]:
                console.print(f"backfill {backfill['id']}: {backfill['error']}", markup=False, soft_wrap=True)
        rows = [
            ("dates chosen", one["chosen"]),
            ("dates loaded", one["loaded"]),
            ("dates failed", len(one["failed"])),
            ("dates not reached", len(one["not_reached"])),
            ("dates left for another time", one["left_for_another_time"]),
            ("seconds", round(report.seconds, 1)),
        ]
        print_rows(one["tenant"], rows)


def print_status(found: "ArchiveStatus") -> None:
    """Print how many dates of an archive stand how, and the stretches of those that need something."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    stretches = list(found.ranges())
    if stretches:
        console.print(_stretches_table(stretches[:_DATES_SHOWN]))
    if len(stretches) > _DATES_SHOWN:
        console.print(f"... and {len(stretches) - _DATES_SHOWN} more stretches; --json tells all")
    print_rows(f"{found.tenant} in {found.warehouse}", [("dates", len(found.dates)), *found.counts.items()])
    if not found.files_compared:
        console.print("files were not looked at: dates whose files changed count as loaded")


def _stretches_table(stretches: "list[list[DateStatus]]") -> Table:
    table = Table("from", "to", "dates", "state", "why")
    table.columns[2].justify = "right"
    for some in stretches:
        first, last = some[0], some[-1]
        table.add_row(str(first.date), str(last.date), str(len(some)), first.state.value, Text(first.reason))
    return table


def _dates_table(outcomes: "list[DateOutcome]") -> Table:
    table = Table("date", "files", "accepted", "rejected", *(s.name for s in SLICE_TABLES), "seconds", "row changes")
    for column in table.columns[1 : 5 + len(SLICE_TABLES)]:
        column.justify = "right"
    for outcome in outcomes:
        summary, changes = outcome.metadata, outcome.changes
        counts = [summary.listed, summary.accepted, _rejected(summary)] if summary else ["", "", ""]
        rows = [changes[s.name].rows if changes else "" for s in SLICE_TABLES]
        numbers = (*counts, *rows, f"{outcome.seconds:.1f}")
        table.add_row(str(outcome.date), *(str(value) for value in numbers), _outcome(outcome))
    return table


def _rejected(summary: "MetadataSummary") -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary.rejected_by_reason.items())
    return reasons or "0"


def _outcome(outcome: "DateOutcome") -> str:
    if outcome.error is not None:
        return "FAILED"
    changes = Counter[str]()
    for change in (outcome.changes or {}).values():
        changes.update(inserted=change.inserted, updated=change.updated, deleted=change.deleted)
    return ", ".join(f"{count} {what}" for what, count in changes.items() if count) or "unchanged"


def _totals(report: dict[str, Any]) -> list[tuple[str, int | float | str]]:
    dates, files, checks = report["dates"], report["files"], report["checks"]
    return [
        ("dates loaded", dates["loaded"]),
        ("dates failed", len(dates["failed"])),
        ("files listed", files["listed"]),
        ("files accepted", files["accepted"]),
        ("files rejected", files["rejected"]),
        *((f"  {reason}", count) for reason, count in files["rejected_by_reason"].items()),
        *((f"files read by {reader}", count) for reader, count in files["read_by"].items()),
        *((f"rows in {n}", "unknown" if count is None else count) for n, count in report["rows"].items()),
        ("checks passed", checks["passed"]),
        ("checks warned", checks["warned"]),
        ("checks failed", checks["failed"]),
        ("seconds", round(report["seconds"], 1)),
    ]


def print_comparison(a: str, b: str, compared: "Sequence[SliceComparison]") -> None:
    """Print the slices that differ, with some of their keys, then how much was compared."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(f"A {a}\nB {b}", markup=False, soft_wrap=True)
    differing = [comparison for comparison in compared if not comparison.equal]
    if differing:
        console.print(_comparison_table(differing))
    for comparison in differing:
        _print_keys(console, comparison)
    dates = len({comparison.target for comparison in compared})
    rows = ", ".join(
        f"{side} {sum(digest.rows for digest in digests):,}"
        for side, digests in (("A", [c.a for c in compared]), ("B", [c.b for c in compared]))
    )
    told = f"{len(differing)} of {len(compared)} slices differ" if differing else "all equal"
    console.print(f"{dates} dates, {len(compared)} slices of tables, rows: {rows}: {told}", soft_wrap=True)


def _comparison_table(differing: "Sequence[SliceComparison]") -> Table:
    table = Table("tenant", "date", "table", "rows in A", "rows in B", "only in A", "only in B", "other values")
    for column in table.columns[3:]:
        column.justify = "right"
    for c in differing:
        keys = c.keys
        counts = (len(keys.only_a), len(keys.only_b), len(keys.other)) if keys else ()
        row = (c.target.tenant_id, c.target.date, c.table, c.a.rows, c.b.rows, *counts)
        table.add_row(*(str(value) for value in row))
    return table


def _print_keys(console: Console, comparison: "SliceComparison") -> None:
    if comparison.keys is None:
        return
    kinds = {"only in A": comparison.keys.only_a, "only in B": comparison.keys.only_b, "other": comparison.keys.other}
    for kind, keys in kinds.items():
        place = f"{comparison.target.tenant_id} {comparison.target.date} {comparison.table}"
        for key in keys[:_KEYS_SHOWN]:
            console.print(f"{place} {kind}: {' '.join(key)}", markup=False, soft_wrap=True)
        if len(keys) > _KEYS_SHOWN:
            console.print(f"{place} {kind}: ... and {len(keys) - _KEYS_SHOWN} more; --json has all", soft_wrap=True)


def print_rows(title: str, rows: Sequence[tuple[str, int | float | str]]) -> None:
    """Print a small table of names and values below its title."""
    console = Console(highlight=False)
    console.print(title, markup=False, soft_wrap=True)
    table = Table("what", "count")
    table.columns[1].justify = "right"
    for name, value in rows:
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)

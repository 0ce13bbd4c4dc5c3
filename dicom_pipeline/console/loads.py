"""What a load or a backfill did, and how dates stand, as tables.

Scope: presentation of reports; nothing of a patient is known here.
"""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dicom_pipeline.console.rows import print_rows
from dicom_pipeline.dicom.fields import SLICE_TABLES

if TYPE_CHECKING:
    # Only named here: the command `extract` must not wait for Dagster.
    from dicom_pipeline.orchestration.backfill.launch import BackfillReport
    from dicom_pipeline.orchestration.backfill.status import ArchiveStatus, DateStatus
    from dicom_pipeline.orchestration.loading.dates import DateOutcome
    from dicom_pipeline.orchestration.loading.report import LoadReport
    from dicom_pipeline.tables.metadata import MetadataSummary

_DATES_SHOWN = 40


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

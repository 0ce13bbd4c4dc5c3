"""What a person reads while and after something runs."""

import datetime as dt

import pytest

from dicom_pipeline.console.loads import print_load_report
from dicom_pipeline.console.progress import FileCounter
from dicom_pipeline.orchestration.loading.dates import DateOutcome
from dicom_pipeline.orchestration.loading.report import LoadReport
from dicom_pipeline.tables.metadata import MetadataSummary
from dicom_pipeline_tests.orchestration.small_archive import days


def outcome(date: dt.date, error: str | None = None, **reasons: int) -> DateOutcome:
    rejected = sum(reasons.values())
    summary = MetadataSummary(9, 9 - rejected, rejected, reasons, 0, 9, {}, 0, 1.0)
    return DateOutcome(date, metadata=summary, error=error)


def test_a_date_says_why_its_files_were_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    print_load_report(LoadReport("t", "w", [outcome(dt.date(2024, 1, 1), NotDicom=2, EmptyFile=1)]))
    row = next(line for line in capsys.readouterr().out.splitlines() if "2024-01-01" in line)
    assert "2 NotDicom" in row


def test_a_failed_date_is_shown_however_many_came_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    dates = days("2024-01-01", 60)
    outcomes = [outcome(date) for date in dates[:-1]] + [outcome(dates[-1], error="refused")]
    print_load_report(LoadReport("t", "w", outcomes))
    shown = capsys.readouterr().out
    assert str(dates[-1]) in shown
    assert "FAILED" in shown
    assert "19 more dates" in shown


def test_rows_nobody_could_count_are_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    print_load_report(LoadReport("t", "w", rows={"dicom_image_meta": None}))
    assert "unknown" in capsys.readouterr().out


def test_the_counter_is_told_totals_and_adds_nothing_up() -> None:
    counter = FileCounter()
    with counter as count:
        count(250)
        count(400)
    assert counter._bar.tasks[0].completed == 400

"""Dates that fail for what passes, on a real database: tried again alone, while the others are done."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import dagster as dg
import pytest

from dicom_pipeline.errors import WarehouseUnavailable
from dicom_pipeline.orchestration import failures
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.loading.dates import DateLoader
from dicom_pipeline.warehouse.base import TableChange
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

FIVE = days("2024-01-01", 5)


class Warehouse:
    """Loads dates, but fails some of them as often as it is told, and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: dict[dt.date, list[Exception]]) -> None:
        self.tried: Counter[dt.date] = Counter()
        load = DateLoader.load

        def load_or_fail(loader: DateLoader, date: dt.date) -> dict[str, TableChange]:
            self.tried[date] += 1
            if fails.get(date):
                raise fails[date].pop(0)
            return load(loader, date)

        monkeypatch.setattr(DateLoader, "load", load_or_fail)
        monkeypatch.setattr(failures, "PAUSES", (0.01, 0.01))


def gone(times: int) -> list[Exception]:
    return [WarehouseUnavailable("the connection was lost") for _ in range(times)]


def test_only_the_date_that_failed_is_tried_again_and_told_once(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.archive.fill(FIVE)
    warehouse = Warehouse(monkeypatch, {FIVE[1]: gone(2)})
    report = loader()
    assert (report.failed, [outcome.date for outcome in report.outcomes]) == ([], [*FIVE[:1], *FIVE[2:], FIVE[1]])
    assert warehouse.tried == {date: 3 if date == FIVE[1] else 1 for date in FIVE}
    with open_instance(loader.settings.dagster_home) as instance:
        [run] = [run for run in instance.get_runs() if run.job_name == "load_default"]
        assert run.status is dg.DagsterRunStatus.SUCCESS
        key = dg.AssetKey(["default", "dicom_image_meta"])
        assert len(instance.get_materialized_partitions(key)) == 5


def test_a_date_that_failed_for_good_is_not_tried_again_beside_one_that_passes(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.archive.fill(FIVE)
    warehouse = Warehouse(monkeypatch, {FIVE[1]: gone(1), FIVE[3]: [RuntimeError("DOE^JANE")] * 9})
    report = loader()
    assert [outcome.date for outcome in report.failed] == [FIVE[3]]
    assert (warehouse.tried[FIVE[1]], warehouse.tried[FIVE[3]]) == (2, 1)
    with open_instance(loader.settings.dagster_home) as instance:
        [run] = [run for run in instance.get_runs() if run.job_name == "load_default"]
        assert run.tags[failures.RETRY_RUN_TAG] == "false"
        events = str(instance.all_logs(run.run_id))
    assert "1 of 5 dates failed: 2024-01-04" in events
    assert "DOE" not in events


def test_where_all_fail_the_rest_is_not_tried_each_time(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.archive.fill(FIVE)
    warehouse = Warehouse(monkeypatch, {date: gone(9) for date in FIVE})
    report = loader()
    assert [outcome.date for outcome in report.failed] == FIVE
    assert {str(outcome.error) for outcome in report.failed} == {"the connection was lost"}
    assert warehouse.tried == dict.fromkeys(FIVE[:3], 3)


def test_what_one_run_waited_for_in_vain_the_next_does_not_wait_for(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    dates = [FIVE[0], FIVE[2]]  # a run each
    loader.archive.fill(dates)
    warehouse = Warehouse(monkeypatch, {date: gone(9) for date in dates})
    loader()
    assert warehouse.tried == {dates[0]: 3, dates[1]: 1}


WAITING = """
import sys
from dicom_pipeline.cli import main
from dicom_pipeline.errors import WarehouseUnavailable
from dicom_pipeline.orchestration.loading.dates import DateLoader

def load(self, date):
    print("tried", flush=True)
    raise WarehouseUnavailable("gone")

DateLoader.load = load
sys.argv[1:] = ["load", sys.argv[1], "--home", sys.argv[2]]
main()
"""


def test_an_interrupt_ends_a_pause(loader: Loader) -> None:
    loader.archive.fill(FIVE[:1])
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(loader.archive.root), str(loader.settings.home)],
        env={**os.environ, "DICOM_PIPELINE_WAREHOUSE": loader.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "tried\n"
    time.sleep(1.0)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest) == (130, ""), errors
    assert time.monotonic() - begun < 10

import datetime as dt
import signal
import threading
import time
from typing import cast

import pytest

from dicom_pipeline.errors import ArchiveError, PipelineError
from dicom_pipeline.orchestration.loading.ahead import DatesAhead
from dicom_pipeline.orchestration.loading.dates import DateLoader
from dicom_pipeline.orchestration.sources import date_source
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

DATES = days("2024-01-01", 4)


class MadeUpLoader:
    """Notes what is asked of it; waits where a test says so, and fails where the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dt.date]] = []
        self.unlistable: set[dt.date] = set()
        self.go_on = threading.Event()
        self.go_on.set()
        self.given_up = False

    def list_files(self, date: dt.date) -> dt.date:
        self.calls.append(("list", date))
        if date in self.unlistable:
            raise ArchiveError("cannot be listed")
        return date

    def extract(self, date: dt.date) -> dt.date:
        self.calls.append(("extract", date))
        assert self.go_on.wait(60)
        return date

    def give_up(self) -> None:
        self.given_up = True
        self.go_on.set()


def wait_for(loader: MadeUpLoader, call: tuple[str, dt.date]) -> None:
    deadline = time.monotonic() + 60
    while call not in loader.calls:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ahead(loader: MadeUpLoader) -> DatesAhead:
    return DatesAhead(cast(DateLoader, loader), DATES)


def test_dates_are_listed_and_extracted_in_order_one_ahead() -> None:
    loader = MadeUpLoader()
    with ahead(loader) as dates:
        for date in DATES:
            assert dates.list_files(date) == date
            assert dates.extract(date) == date
            begun = {day for _, day in loader.calls}
            assert len(begun) <= DATES.index(date) + 2
    assert loader.calls == [(step, date) for date in DATES for step in ("list", "extract")]
    assert not loader.given_up


def test_the_next_date_is_under_way_before_it_is_asked_for() -> None:
    loader = MadeUpLoader()
    with ahead(loader) as dates:
        dates.list_files(DATES[0])
        dates.extract(DATES[0])
        wait_for(loader, ("extract", DATES[1]))


def test_an_error_waits_for_its_date_and_what_was_listed_before_is_not_extracted() -> None:
    loader = MadeUpLoader()
    loader.unlistable = {DATES[1]}
    with ahead(loader) as dates:
        dates.list_files(DATES[0])
        dates.extract(DATES[0])
        with pytest.raises(ArchiveError, match="cannot be listed"):
            dates.list_files(DATES[1])
        assert dates.list_files(DATES[2]) == DATES[2]
        dates.extract(DATES[2])
    assert ("extract", DATES[1]) not in loader.calls


def test_leaving_early_gives_up_what_is_under_way() -> None:
    loader = MadeUpLoader()
    loader.go_on.clear()
    with ahead(loader) as dates:
        dates.list_files(DATES[0])
        wait_for(loader, ("extract", DATES[0]))
    assert loader.given_up
    assert ("list", DATES[2]) not in loader.calls


def test_an_interrupt_while_a_date_is_waited_for_gives_it_up() -> None:
    loader = MadeUpLoader()
    loader.go_on.clear()

    def interrupt() -> None:
        wait_for(loader, ("extract", DATES[0]))
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), ahead(loader) as dates:  # noqa: PT012
        dates.list_files(DATES[0])
        threading.Timer(0.1, interrupt).start()
        dates.extract(DATES[0])
    assert loader.given_up


def test_a_loader_that_is_given_up_extracts_nothing_more(loader: Loader) -> None:
    staging = Staging(loader.settings.staging_directory)
    archive = Archive(root=str(loader.archive.root))
    [date] = days("2024-01-01", 1)
    loader.archive.fill([date])
    with Extractor() as extractor:
        one = DateLoader(
            archive=archive,
            source=date_source(archive, staging),
            staging=staging,
            extractor=extractor,
            warehouse=create_warehouse(loader.url),
            run_id="r",
            clock=dt.datetime(2024, 1, 2),  # noqa: DTZ001
            reject_limit=0.05,
        )
        one.list_files(date)
        one.give_up()
        with pytest.raises(PipelineError, match="ended before this date"):
            one.extract(date)
    assert not staging.exists("default", "dicom_metadata", date)


def test_a_date_given_up_is_as_it_was(loader: Loader) -> None:
    dates = days("2024-01-01", 3)
    loader.archive.fill(dates)
    assert loader().failed == []
    before = loader.content()
    progress = loader.progress

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    progress.done = interrupt  # type: ignore[method-assign,assignment]
    with pytest.raises(KeyboardInterrupt):
        loader()
    assert loader.content() == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("date-ahead", "header-scan"))]

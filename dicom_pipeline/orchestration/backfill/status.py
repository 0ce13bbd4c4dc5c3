"""How the dates of an archive stand: loaded, missing, failed, stale, loaded by an older version.

Scope: putting together what lies in the archive, what the ledger says was loaded and what Dagster remembers, into one
state a date. Looks only. ``dicom-pipeline status`` shows it, ``dicom-pipeline backfill --only`` chooses by it.

The ledger says what is in the warehouse, since it was written with the rows; the event log says from which files, since
the fingerprint of a listing is its data version. A date needs both: another warehouse makes it missing whatever Dagster
shows, and so does a load that was killed before it was on record. To load it again writes no row that is there already.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

import dagster as dg

from dicom_pipeline import __version__
from dicom_pipeline.archive.entries import EntryRow
from dicom_pipeline.errors import ArchiveError
from dicom_pipeline.orchestration.backfill.history import DateHistory, failures_of, read_history
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.partitions import key_of
from dicom_pipeline.orchestration.sources import DateSource, IndexedSource, can_be_loaded, date_source
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.tables.listing import fingerprints
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline.warehouse.base import LastLoad, Warehouse
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse


class DateState(StrEnum):
    """How a date stands; the first that holds counts."""

    FAILED = "failed"
    MISSING = "missing"
    STALE = "stale"
    OUTDATED = "outdated"
    LOADED = "loaded"


@dataclass(frozen=True, slots=True)
class DateStatus:
    """One date.

    Attributes:
        reason: Why it is not simply loaded; one line without a patient's data.
        load: The latest load of the date, if there was one.
    """

    date: dt.date
    state: DateState
    reason: str = ""
    load: LastLoad | None = None


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """Every date of an archive that has files, or had some, in ascending order.

    Attributes:
        archive: The archive, with partitions for all its dates.
        files_compared: Whether files were looked at; if not, no date is called stale because they changed.
    """

    archive: Archive
    warehouse: str
    dates: list[DateStatus]
    files_compared: bool

    @property
    def tenant(self) -> str:
        """The archive's tenant."""
        return self.archive.tenant

    @property
    def counts(self) -> dict[str, int]:
        """Number of dates in each state, none left out."""
        found = Counter(status.state for status in self.dates)
        return {state.value: found[state] for state in DateState}

    @property
    def good(self) -> bool:
        """Whether every date is loaded."""
        return all(status.state is DateState.LOADED for status in self.dates)

    def ranges(self) -> Iterator[list[DateStatus]]:
        """Yield neighbours in one state for one reason together, those that are loaded left out."""
        for (state, _), some in groupby(self.dates, lambda status: (status.state, status.reason)):
            if state is not DateState.LOADED:
                yield list(some)

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "tenant": self.tenant,
            "warehouse": self.warehouse,
            "code_version": __version__,
            "files_compared": self.files_compared,
            "counts": self.counts,
            "dates": [_date_json(status) for status in self.dates],
        }


def _date_json(status: DateStatus) -> dict[str, Any]:
    told: dict[str, Any] = {"date": key_of(status.date), "state": status.state.value, "reason": status.reason or None}
    load = status.load
    if load is not None:
        told["load"] = {
            "run_id": load.run_id,
            "code_version": load.code_version,
            "finished": f"{load.finished.isoformat(timespec='seconds')}Z",
            "files": {"listed": load.listed, "accepted": load.accepted, "rejected": load.rejected},
        }
    return told


def look_at_archives(
    settings: Settings,
    archives: Iterable[Archive],
    first: dt.date | None,
    last: dt.date | None,
    *,
    compare_files: bool = True,
) -> list[ArchiveStatus]:
    """Return how the dates of each archive stand; see ``archive_status``."""
    found = []
    with open_instance(settings.dagster_home) as instance:
        for archive in archives:
            with closing(open_warehouse(settings, archive)) as warehouse:
                found.append(
                    archive_status(settings, archive, warehouse, instance, first, last, compare_files=compare_files)
                )
    return found


def open_warehouse(settings: Settings, archive: Archive) -> Warehouse:
    """Return the archive's warehouse, for looking: its tables are not prepared."""
    url = settings.warehouse_of(archive) or EmbeddedPostgres(settings.home).start()
    return create_warehouse(url, allow_schema_evolution=settings.allow_schema_evolution)


def archive_status(
    settings: Settings,
    archive: Archive,
    warehouse: Warehouse,
    instance: dg.DagsterInstance,
    first: dt.date | None = None,
    last: dt.date | None = None,
    *,
    compare_files: bool = True,
) -> ArchiveStatus:
    """Return how the archive's dates from ``first`` to ``last`` stand (both included, None means no limit).

    Args:
        settings: Staging and reader.
        archive: Which archive.
        warehouse: Where its rows are.
        instance: Where its history is.
        first: First date.
        last: Last date.
        compare_files: Whether to ask every file for size and time; without it only directories are looked at.

    Raises:
        ArchiveError: The archive cannot be listed.
        WarehouseError: The ledger cannot be read.
    """
    staging = Staging(settings.staging_directory)
    source = date_source(archive, staging)
    if isinstance(source, IndexedSource) and compare_files:
        source.refresh(settings.reader)
    listed, loads = source.listing().dates, warehouse.last_loads(archive.tenant)
    archive = archive.covering([date for date in {*listed, *loads} if can_be_loaded(date)])
    if isinstance(source, IndexedSource):
        # Files without a date count under the first partition, which has just been settled.
        source = date_source(archive, staging)
        listed = source.listing().dates
    start, end = max(first or dt.date.min, archive.start_date or dt.date.min), last or dt.date.max
    loads = {date: load for date, load in loads.items() if start <= date <= end}
    history = {date: known for date, known in read_history(instance, archive).items() if start <= date <= end}
    failed = {date for date, known in history.items() if known.failed}
    wanted = (
        {date for date in listed if start <= date <= end}
        | failed
        | {date for date, load in loads.items() if load.listed}
    )
    told = failures_of(instance, archive, sorted(failed)) if failed else {}
    now = _fingerprints(source, sorted((wanted & loads.keys()) - failed)) if compare_files else {}
    dates = [
        _status(date, told.get(date) if date in failed else None, loads.get(date), history.get(date), now)
        for date in sorted(wanted)
    ]
    return ArchiveStatus(archive, warehouse.display_url, dates, compare_files)


def _status(
    date: dt.date,
    failure: str | None,
    load: LastLoad | None,
    history: DateHistory | None,
    now: Mapping[dt.date, str | ArchiveError],
) -> DateStatus:
    if failure is not None:
        return DateStatus(date, DateState.FAILED, failure, load)
    if load is None:
        return DateStatus(date, DateState.MISSING, "" if can_be_loaded(date) else "no date that can be loaded", None)
    if history is None or not history.loaded:
        return DateStatus(date, DateState.MISSING, "its rows are loaded, but no record of their listing is here", load)
    if change := _change(now.get(date), history.fingerprint, load):
        return DateStatus(date, DateState.STALE, change, load)
    if load.code_version != __version__:
        return DateStatus(date, DateState.OUTDATED, f"loaded by version {load.code_version}", load)
    return DateStatus(date, DateState.LOADED, "", load)


def _change(now: str | ArchiveError | None, then: str | None, load: LastLoad) -> str:
    """Say how the files of a date differ from those it was loaded from; nothing if they don't or weren't looked at."""
    if now is None or now == then:
        return ""
    if isinstance(now, ArchiveError):
        return str(now)
    if then is None:
        return "its files were listed anew after they were loaded"
    if not int(now, 16):
        return f"its {load.listed} files are gone"
    return "files came, changed or vanished"


def _fingerprints(source: DateSource, dates: Iterable[dt.date]) -> dict[dt.date, str | ArchiveError]:
    troubles: dict[dt.date, str | ArchiveError] = {}
    found: dict[dt.date, str | ArchiveError] = {}
    found.update(fingerprints((date, _rows(source, date, troubles)) for date in dates))
    return found | troubles


def _rows(source: DateSource, date: dt.date, troubles: dict[dt.date, str | ArchiveError]) -> Iterator[EntryRow]:
    """Yield the date's entries; one date that cannot be listed does not keep the others from being looked at."""
    try:
        yield from source.rows(date)
    except ArchiveError as error:
        troubles[date] = error

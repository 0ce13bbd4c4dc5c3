"""The next date is listed and extracted while the one before is checked, loaded and stored.

Scope: one thread beside the run's own, at most one date ahead, and its end when the run ends early. Reading headers
holds no lock most of the time, and the warehouse is another process: both go on at once. What is shown of a date, and
in which order, is the run's business: an error waits until its date has its turn.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self

from dicom_pipeline.orchestration.loading.dates import DateLoader, Listing
from dicom_pipeline.tables.metadata import MetadataSummary


class _Steps(NamedTuple):
    """The first two steps of a date, done or on their way."""

    listing: "Future[Listing]"
    metadata: "Future[MetadataSummary]"


class DatesAhead:
    """Lists and extracts dates in their order; a context manager. Leaving it gives up what nobody has asked for."""

    def __init__(self, loader: DateLoader, dates: Sequence[dt.date]) -> None:
        self._loader = loader
        self._to_do: Iterator[dt.date] = iter(dates)
        self._thread = ThreadPoolExecutor(1, "date-ahead")
        self._under_way: dict[dt.date, _Steps] = {}

    def __enter__(self) -> Self:
        self._begin_next()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        if any(not steps.metadata.done() for steps in self._under_way.values()):
            self._loader.give_up()
        self._thread.shutdown()

    def list_files(self, date: dt.date) -> Listing:
        """Return the listing of the date, as ``DateLoader.list_files`` does; the date after it begins meanwhile."""
        self._begin_next()
        try:
            return self._under_way[date].listing.result()
        except Exception:
            del self._under_way[date]
            raise

    def extract(self, date: dt.date) -> MetadataSummary:
        """Return what extraction amounts to, as ``DateLoader.extract`` does."""
        try:
            # It stays under way until it is there: an interrupt has to find it.
            summary = self._under_way[date].metadata.result()
        except Exception:
            del self._under_way[date]
            raise
        del self._under_way[date]
        return summary

    def _begin_next(self) -> None:
        date = next(self._to_do, None)
        if date is not None:
            listing = self._thread.submit(self._loader.list_files, date)
            self._under_way[date] = _Steps(listing, self._thread.submit(self._extract, date, listing))

    def _extract(self, date: dt.date, listing: "Future[Listing]") -> MetadataSummary:
        # What an earlier run listed is not what is there now.
        listing.result()
        return self._loader.extract(date)

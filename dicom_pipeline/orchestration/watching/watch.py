"""Which dates of an archive changed since they were listed last: what the sensor looks for.

Scope: looking, within a time budget, and remembering in a small cursor where it was and what is still settling. The
files of a date are compared by their fingerprint, so that late, changed and deleted ones are found, whatever their
names and times. Dates are gone through in rounds, the newest with every look. No Dagster.

The cursor holds dates, times and digests, nothing else. A lost or foreign one costs a round.
"""

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from dicom_pipeline.archive.entries import EntryRow
from dicom_pipeline.errors import ArchiveError
from dicom_pipeline.orchestration.sources import DateSource
from dicom_pipeline.tables.listing import ListingSums, listing_batches

_VERSION = 1
_NEWEST = 3
_MOST_PENDING = 300
_MOST_ASKED = 500
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Listed:
    """The latest listing of a date on record: its fingerprint, and the number of its event."""

    fingerprint: str
    event: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A date that was asked to be loaded: for which state of its files, and how often.

    Without a token the run that was to do it died before it came to the date, and the date may be asked for again.
    """

    token: str
    times: int = 1


@dataclass(slots=True)
class Cursor:
    """What one look leaves to the next.

    Attributes:
        at: The last date of this round that was looked at; None between rounds.
        began: When this round, or the latest, began.
        pending: Dates whose files differ: their fingerprint (its beginning), and since when it has been that.
        asked: Dates that were asked to be loaded and have not been listed since.
    """

    at: dt.date | None = None
    began: int = 0
    pending: dict[dt.date, tuple[str, int]] = field(default_factory=dict)
    asked: dict[dt.date, Asked] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """Return the cursor that was written; a new one if there is none, or none that can be read."""
        try:
            document = json.loads(text or "")
            if document["v"] != _VERSION:
                return cls()
            return cls(
                at=dt.date.fromisoformat(document["at"]) if document["at"] else None,
                began=int(document["began"]),
                pending={dt.date.fromisoformat(d): (str(f), int(t)) for d, (f, t) in document["pending"].items()},
                asked={dt.date.fromisoformat(d): Asked(str(a), int(n)) for d, (a, n) in document["asked"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def write(self) -> str:
        """Return the cursor as text."""
        document = {
            "v": _VERSION,
            "at": self.at.isoformat() if self.at else None,
            "began": self.began,
            "pending": {date.isoformat(): value for date, value in self.pending.items()},
            "asked": {date.isoformat(): (a.token, a.times) for date, a in list(self.asked.items())[-_MOST_ASKED:]},
        }
        return json.dumps(document, separators=(",", ":"))


@dataclass(slots=True)
class Found:
    """What a look found.

    Attributes:
        due: Dates to load, with the token of each one's state.
        looked: How many dates were looked at.
        settling: How many differ and are waited for.
        troubles: How many could not be listed, or not in the time there is.
        new_round: Whether a round began.
    """

    due: dict[dt.date, str] = field(default_factory=dict)
    looked: int = 0
    settling: int = 0
    troubles: int = 0
    new_round: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks for changed dates.

    Attributes:
        source: The archive's files.
        quiet: Seconds that a date must stay as it is.
        every: Seconds between the beginnings of two rounds.
        seconds: Seconds after which no further date is begun.
        most_seconds: Seconds after which a date that takes so long is left.
        clock: Counts seconds.
    """

    source: DateSource
    quiet: int
    every: int
    seconds: float = 20.0
    most_seconds: float = 40.0
    clock: Callable[[], float] = time.monotonic

    def look(self, cursor: Cursor, dates: Iterable[dt.date], listed: Mapping[dt.date, Listed], now: int) -> Found:
        """Go on where the cursor is; it is brought up to date, but for what is due.

        Args:
            cursor: What the look before left.
            dates: Every date that can be loaded: those with files, and those that had some.
            listed: The latest listing on record of each.
            now: Seconds since 1970.
        """
        found, started = Found(), self.clock()
        ordered = sorted(dates)
        _forget_others(cursor, set(ordered))
        for date, in_round in self._in_turn(cursor, ordered, now, found):
            if self.clock() - started > self.seconds:
                break
            if not self._look_at(date, cursor, listed.get(date), now, found, started + self.most_seconds):
                break
            found.looked += 1
            if in_round:
                cursor.at = date
        else:
            cursor.at = None
        found.settling = len(cursor.pending) - len(found.due)
        return found

    def wait(self, cursor: Cursor, now: int) -> Found:
        """Look at nothing; a round begins and ends, if it is time."""
        found = Found(new_round=now - cursor.began >= self.every)
        if found.new_round:
            cursor.at, cursor.began = None, now
        return found

    def _in_turn(self, cursor: Cursor, dates: list[dt.date], now: int, found: Found) -> Iterator[tuple[dt.date, bool]]:
        """Yield what is settling, the newest, and then the dates of the round with True."""
        first = [date for date, (_, since) in cursor.pending.items() if now - since >= self.quiet]
        first += [date for date in reversed(dates[-_NEWEST:]) if date not in first]
        yield from ((date, False) for date in first)
        if cursor.at is None:
            if now - cursor.began < self.every:
                return
            cursor.at, cursor.began, found.new_round = dt.date.min, now, True
        done = cursor.at
        yield from ((date, True) for date in dates if date > done)

    def _look_at(
        self, date: dt.date, cursor: Cursor, listed: Listed | None, now: int, found: Found, deadline: float
    ) -> bool:
        """Look at one date; return whether the cursor had room for what was found."""
        try:
            fingerprint, files = self._fingerprint(date, deadline)
        except (ArchiveError, TimeoutError):
            found.troubles += 1
            return True
        if fingerprint == listed.fingerprint if listed else files == 0:
            cursor.pending.pop(date, None)
            cursor.asked.pop(date, None)
            return True
        token = token_of(fingerprint, listed)
        asked = cursor.asked.get(date)
        if asked is not None and asked.token == token:
            cursor.pending.pop(date, None)
            return True
        known, since = cursor.pending.get(date, ("", now))
        if known != fingerprint[:_DIGITS]:
            since = now
            if date not in cursor.pending and len(cursor.pending) >= _MOST_PENDING:
                return False
            cursor.pending[date] = (fingerprint[:_DIGITS], now)
        if now - since >= self.quiet:
            found.due[date] = token
        return True

    def _fingerprint(self, date: dt.date, deadline: float) -> tuple[str, int]:
        sums = ListingSums()
        for _ in sums.watch(listing_batches(self._until(deadline, self.source.rows(date)))):
            pass
        return sums.fingerprint, sums.files

    def _until(self, deadline: float, rows: Iterator[EntryRow]) -> Iterator[EntryRow]:
        for number, row in enumerate(rows):
            if number % 256 == 255 and self.clock() > deadline:
                raise TimeoutError
            yield row


def ask(cursor: Cursor, due: Mapping[dt.date, str], dates: Iterable[dt.date]) -> None:
    """Note that these of the dates that are due are asked for now."""
    for date in dates:
        before = cursor.asked.pop(date, None)
        died = before is not None and not before.token
        cursor.asked[date] = Asked(due[date], before.times + 1 if before and died else 1)
        cursor.pending.pop(date, None)


def token_of(fingerprint: str, listed: Listed | None) -> str:
    """Return a short name of a date's state: these files after that listing. The same files may come again later."""
    text = f"{fingerprint}/{listed.event if listed else 0}"
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _forget_others(cursor: Cursor, dates: set[dt.date]) -> None:
    cursor.pending = {date: value for date, value in cursor.pending.items() if date in dates}
    cursor.asked = {date: value for date, value in cursor.asked.items() if date in dates}

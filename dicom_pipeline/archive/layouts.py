"""Where in an archive a date's files lie, when directories tell the date.

Scope: date templates and the search for date directories. Archives whose directories say nothing about the date
belong to ``index.py``.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dicom_pipeline.archive.entries import ArchiveStore, DirectoryVanished, EntryRow
from dicom_pipeline.errors import ConfigurationError

_WORDS = {"YYYY": "%Y", "MM": "%m", "DD": "%d"}
# Fixed width and ASCII digits only: a name that matches is the only name of its date.
_PATTERNS = {"%Y": "(?P<year>[0-9]{4})", "%m": "(?P<month>[0-9]{2})", "%d": "(?P<day>[0-9]{2})"}
_HINT = "use %Y, %m and %d once each, such as %Y%m%d, %Y/%m/%d or YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class DateListing:
    """The dates that have a directory.

    Attributes:
        dates: In ascending order.
        outside: Entries of the levels above a date's files that belong to no date: their files are in no partition.
            Levels that were left out because their year or month is not asked for are not counted.
    """

    dates: list[dt.date]
    outside: int


class DateDirectories:
    """The layout in which a date's files lie below one directory, named by a template.

    The template is that of strftime, reduced to ``%Y``, ``%m`` and ``%d``, or has the words YYYY, MM and DD in their
    place; ``/`` separates levels. Names are taken strictly: ``2024/3/5`` is no date under ``%Y/%m/%d``.
    """

    def __init__(self, template: str = "%Y%m%d") -> None:
        """Check the template.

        Raises:
            ConfigurationError: It does not name year, month and day exactly once, is no relative path without ``..``,
                or holds another directive.
        """
        self.template = _directives(template)
        _refuse_bad_components(self.template)
        self._levels = [re.compile(_pattern(component)) for component in self.template.split("/")]

    def directory(self, date: dt.date) -> str:
        """Return the date's directory, relative to the root."""
        # Not strftime: it writes years before 1000 with fewer digits on some systems.
        parts = {"%Y": f"{date.year:04d}", "%m": f"{date.month:02d}", "%d": f"{date.day:02d}", "%%": "%"}
        return re.sub("%.", lambda match: parts[match[0]], self.template)

    def dates(self, store: ArchiveStore, first: dt.date | None = None, last: dt.date | None = None) -> DateListing:
        """Find the dates from ``first`` to ``last``, both included, that have a directory.

        Lists only the levels above a date's files, and of those only what the range may lie in.

        Raises:
            ArchiveError: One of these directories cannot be listed.
        """
        search = _Search(store, self._levels, first or dt.date.min, last or dt.date.max)
        search.descend("", 0, {})
        return DateListing(sorted(search.dates), search.outside)

    def rows(self, store: ArchiveStore, date: dt.date) -> Iterator[EntryRow]:
        """Yield the date's entries; none if it has no directory.

        Raises:
            ArchiveError: The root or the date's directory cannot be listed.
        """
        try:
            return store.rows(self.directory(date))
        except DirectoryVanished:
            return iter(())


class _Search:
    """One search for date directories: its range, and what it has found so far."""

    def __init__(self, store: ArchiveStore, levels: list[re.Pattern[str]], first: dt.date, last: dt.date) -> None:
        self._store = store
        self._levels = levels
        self._first = first
        self._last = last
        self.dates: list[dt.date] = []
        self.outside = 0

    def descend(self, directory: str, level: int, known: Mapping[str, int]) -> None:
        """List one directory, whose path says ``known`` parts of the date, and those below it."""
        self.outside += self._store.count_others(directory)
        for name in self._store.subdirectories(directory):
            match = self._levels[level].fullmatch(name)
            if match is None:
                self.outside += 1
                continue
            parts = {**known, **{part: int(digits) for part, digits in match.groupdict().items()}}
            self._take(f"{directory}/{name}" if directory else name, level, parts)

    def _take(self, path: str, level: int, parts: Mapping[str, int]) -> None:
        try:
            # Parts not known yet are filled with what every year and month has.
            date = dt.date(parts.get("year", 2000), parts.get("month", 1), parts.get("day", 1))
        except ValueError:
            self.outside += 1
            return
        if level + 1 < len(self._levels):
            if self._may_hold(parts):
                self.descend(path, level + 1, parts)
        elif self._first <= date <= self._last:
            self.dates.append(date)

    def _may_hold(self, parts: Mapping[str, int]) -> bool:
        if "year" not in parts:
            return True
        start = (parts["year"], parts.get("month", 1))
        end = (parts["year"], parts.get("month", 12))
        return end >= (self._first.year, self._first.month) and start <= (self._last.year, self._last.month)


def _directives(template: str) -> str:
    """Return the template with the words YYYY, MM and DD, if it is written so, as directives."""
    if "%" in template:
        return template
    return re.sub("|".join(_WORDS), lambda match: _WORDS[match[0]], template)


def _refuse_bad_components(template: str) -> None:
    directives = re.findall("%.?", template, re.DOTALL)
    if sorted(d for d in directives if d != "%%") != sorted(_PATTERNS):
        raise ConfigurationError(f"the date format {template!r} does not name one date: {_HINT}")
    if "\0" in template or any(component in {"", ".", ".."} for component in template.split("/")):
        raise ConfigurationError(f"the date format {template!r} is no relative path below the archive's root: {_HINT}")


def _pattern(component: str) -> str:
    pieces = re.split("(%[Ymd%])", component)
    return "".join("%" if piece == "%%" else _PATTERNS.get(piece, re.escape(piece)) for piece in pieces)

"""The targets: what was promised before anything was measured.

Scope: each target's number, and how it is found in the raw results. A target is never adjusted to a result; where one
is missed, ``notes.json`` says why.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.extraction.peers import OURS, OURS_ON_TWO
from benchmarks.loading.bench import LIMIT
from benchmarks.loading.growth import EMPTY, FULL
from benchmarks.report.raw import Raw
from benchmarks.results import Spread, ratios, spread
from benchmarks.whole.bench import COMMAND, COPY, EXTRACTION, SCRIPT
from benchmarks.years.bench import DATE, MANY, ONE

_SPEED, _WALL, _CPU = "rows a second", "wall", "cpu"
_GIB = 2.0**30


@dataclass(frozen=True, slots=True)
class Target:
    """One target.

    Attributes:
        key: Its name in ``notes.json``.
        what: The sentence of the report's table.
        goal: The number.
        at_least: Whether more is better.
        unit: What follows the number: ``x`` for ratios.
        find: Where it is in the results; None if it was not measured.
    """

    key: str
    what: str
    goal: float
    at_least: bool
    unit: str
    find: Callable[[Raw], Spread | None]

    def met(self, found: Spread) -> bool:
        """Whether the median keeps the promise."""
        return found.median >= self.goal if self.at_least else found.median <= self.goal


def _less_cpu_than(peer: str, raw: Raw, of: str = OURS) -> Spread | None:
    return raw.ratio("extraction", (peer, _CPU), (of, _CPU))


def _floor(raw: Raw) -> Spread | None:
    return raw.ratio("extraction", (OURS, _CPU), ("floor, Python", _CPU))


def _threads(raw: Raw) -> Spread | None:
    return raw.ratio("extraction", (OURS, _WALL), (OURS_ON_TWO, _WALL))


def _load_speed_of(peer: str, raw: Raw) -> Spread | None:
    return raw.ratio("loading", (OURS, _SPEED), (peer, _SPEED))


def _reload(raw: Raw) -> Spread | None:
    return raw.ratio("loading", (OURS, f"reload {_SPEED}"), (OURS, _SPEED))


def _rows_rewritten(raw: Raw) -> Spread | None:
    return raw.spread("loading", OURS, "rows written by reload")


def _growth(raw: Raw) -> Spread | None:
    found = raw.parts.get("growth")
    return ratios(found["seconds"][FULL], found["seconds"][EMPTY]) if found else None


def _script(raw: Raw) -> Spread | None:
    return raw.ratio("end_to_end", (SCRIPT, _WALL), (COMMAND, _WALL))


def _bare_parts(raw: Raw) -> Spread | None:
    command, *bare = (raw.values("end_to_end", name, _WALL) for name in (COMMAND, EXTRACTION, COPY))
    return ratios(command, [a + b for a, b in zip(*bare, strict=True)]) if command and all(bare) else None


def _memory(raw: Raw) -> Spread | None:
    found = raw.parts.get("memory")
    return spread([found["pss"] / _GIB]) if found else None


def _date_in_years(raw: Raw) -> Spread | None:
    return raw.spread("years", MANY, DATE)


def _run_a_date(raw: Raw) -> Spread | None:
    return raw.ratio("years", (ONE, DATE), (MANY, DATE))


TARGETS: tuple[Target, ...] = (
    Target(
        "extraction-pydicom",
        "Headers to Arrow, processor time a file on one thread: less than pydicom as people write it",
        70,
        True,
        "x",
        partial(_less_cpu_than, "pydicom"),
    ),
    Target(
        "extraction-dcmtk",
        "... less than DCMTK's C++ library",
        10,
        True,
        "x",
        partial(_less_cpu_than, "DCMTK C++"),
    ),
    Target("extraction-dcmdump", "... less than dcmdump", 30, True, "x", partial(_less_cpu_than, "dcmdump")),
    Target("extraction-dicomsdl", "... less than dicomsdl", 5, True, "x", partial(_less_cpu_than, "dicomsdl")),
    Target("extraction-floor", "... of what opening and reading the bytes costs in Python", 5, False, "x", _floor),
    Target(
        "extraction-pure",
        "The same without compiled code: less than pydicom",
        15,
        True,
        "x",
        partial(_less_cpu_than, "pydicom", of="ours, pure"),
    ),
    Target("extraction-threads", "Wall time on two threads: faster than on one", 1.7, True, "x", _threads),
    Target(
        "load-to-sql",
        "Load of image rows as new slices: faster than pandas to_sql",
        12,
        True,
        "x",
        partial(_load_speed_of, "pandas to_sql"),
    ),
    Target(
        "load-limit",
        "... of the speed of psql's copy of a ready binary file",
        0.6,
        True,
        "x",
        partial(_load_speed_of, LIMIT),
    ),
    Target("reload-speed", "Reload of unchanged slices: speed against their first load", 1, True, "x", _reload),
    Target("reload-rows", "... rows written", 0, False, " rows", _rows_rewritten),
    Target("growth", "A day's load into a full table, against into an empty one", 1.3, False, "x", _growth),
    Target("whole-script", "End to end, every check on: faster than the script people write", 20, True, "x", _script),
    Target("whole-parts", "... of the time of bare extraction and bare COPY", 2.5, False, "x", _bare_parts),
    Target("whole-memory", "Largest memory of a load of one date with all files", 1, False, " GiB", _memory),
    Target(
        "years-date",
        "A small date in a backfill through Dagster's daemon",
        0.2,
        False,
        " s",
        _date_in_years,
    ),
    Target("years-runs", "... faster than one run a date", 30, True, "x", _run_a_date),
)

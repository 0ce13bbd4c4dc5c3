"""Raw results: one JSON file a part, with the machine and the versions it was measured with.

Scope: writing and reading them, and the few statistics the reports use. What they mean is said in ``report/``.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import describe_machine, versions
from benchmarks.sizes import Sizes, Workplace

PARTS = ("extraction", "loading", "growth", "end_to_end", "memory", "years")


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and largest of some measurements."""

    median: float
    least: float
    most: float

    def scaled(self, factor: float) -> "Spread":
        """Return the spread in another unit."""
        return Spread(self.median * factor, self.least * factor, self.most * factor)


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of at least one value."""
    return Spread(median(values), min(values), max(values))


def ratios(of: Sequence[float], to: Sequence[float]) -> Spread:
    """Return the spread of the ratios round by round: what disturbs a round disturbs both of its measurements."""
    return spread([a / b for a, b in zip(of, to, strict=True)])


def save(place: Workplace, part: str, sizes: Sizes, seed: int, found: Mapping[str, Any]) -> None:
    """Write a part's result, over an earlier one."""
    place.results.mkdir(parents=True, exist_ok=True)
    whole = {
        "measured": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "sizes": asdict(sizes),
        "machine": describe_machine(place.root),
        "versions": versions(),
        **found,
    }
    _path(place, part).write_text(json.dumps(whole, indent=1), encoding="utf-8")


def load(place: Workplace, part: str) -> dict[str, Any] | None:
    """Return a part's result, None if it was never measured."""
    path = _path(place, part)
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _path(place: Workplace, part: str) -> Path:
    return place.results / f"{part}.json"

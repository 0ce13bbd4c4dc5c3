"""Raw results as the report asks for them.

Scope: finding measurements of a peer in a part, whether or not part and peer were measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.results import PARTS, Spread, load, ratios, spread
from benchmarks.sizes import Workplace


@dataclass(frozen=True, slots=True)
class Raw:
    """The parts that were measured, by name."""

    parts: Mapping[str, dict[str, Any]]

    def values(self, part: str, peer: str, key: str) -> list[float]:
        """Return a peer's measurements, round by round; empty if it was not measured."""
        found = self.parts.get(part, {}).get("peers", {}).get(peer)
        if found is None or found["unavailable"] is not None:
            return []
        return [float(values[key]) for values in found["rounds"]]

    def spread(self, part: str, peer: str, key: str) -> Spread | None:
        """Return the spread of a peer's measurements, None if there are none."""
        values = self.values(part, peer, key)
        return spread(values) if values else None

    def ratio(self, part: str, one: tuple[str, str], other: tuple[str, str]) -> Spread | None:
        """Return the ratio of two measurements (peer, key) of the same rounds, None if one is missing."""
        above, below = self.values(part, *one), self.values(part, *other)
        return ratios(above, below) if above and below else None


def load_raw(place: Workplace) -> Raw:
    """Read what has been measured."""
    return Raw({part: found for part in PARTS if (found := load(place, part)) is not None})

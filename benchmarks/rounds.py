"""Rounds: everybody is measured once a round, so that what disturbs the machine disturbs all alike.

Scope: the order of measurements and who drops out. What one measurement is, is the caller's.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


class Unavailable(Exception):
    """A peer cannot be measured here; the text says why, for the report."""


@dataclass(slots=True)
class Measured:
    """What is known of one peer: its measurements in the order of rounds, or why there are none."""

    rounds: list[dict[str, float]] = field(default_factory=list)
    unavailable: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for the raw results."""
        return {"rounds": self.rounds, "unavailable": self.unavailable}


def run_rounds(
    names: Sequence[str], measure: Callable[[str, int], dict[str, float]], rounds: int
) -> dict[str, Measured]:
    """Measure everybody ``rounds`` times after one round (number 0) that warms caches and is not kept.

    Each round begins with another peer. Who raises ``Unavailable`` is not asked again.
    """
    found = {name: Measured() for name in names}
    for number in range(rounds + 1):
        begin = number % len(names)
        for name in [*names[begin:], *names[:begin]]:
            if found[name].unavailable is None:
                _measure_one(name, number, measure, found[name])
    return found


def _measure_one(name: str, number: int, measure: Callable[[str, int], dict[str, float]], into: Measured) -> None:
    try:
        values = measure(name, number)
    except Unavailable as reason:
        into.unavailable = str(reason)
        print(f"  {name}: {reason}", file=sys.stderr)  # noqa: T201
        return
    shown = ", ".join(f"{key} {value:.4g}" for key, value in values.items())
    print(f"  round {number}: {name}: {shown}", file=sys.stderr)  # noqa: T201
    if number:
        into.rounds.append(values)

"""The cluster's time.

Scope: a clock that tests can move on, for whatever expires.
"""

import datetime as dt
import time


class Clock:
    """Real time, and what was added to it."""

    def __init__(self) -> None:
        self._added = 0.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self._added

    def moment(self) -> dt.datetime:
        """Return the time in UTC, to the second, without a zone."""
        return dt.datetime.fromtimestamp(int(self.now()), dt.UTC).replace(tzinfo=None)

    def move(self, seconds: float) -> None:
        """Let time pass at once."""
        self._added += seconds

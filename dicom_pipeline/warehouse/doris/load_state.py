"""Waiting for what has become of a label: the FE is asked until the load has ended one way or the other.

Scope: ``get_load_state`` and patience. Asking is of use wherever the answer to a load was lost, or speaks of another
load of the same label, or of rows that are not visible yet.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.doris.answers import State, read_state
from dicom_pipeline.warehouse.doris.client import Client, Lost
from dicom_pipeline.warehouse.doris.exchange import Limits

_ASK_SECONDS = 10.0
_FAILURES = 5
_LONGEST_POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How time passes: what a test puts in place of hours.

    Attributes:
        clock: Seconds, rising.
        sleep: Waits for so many seconds.
        jitter: A number from 0 to 1, so that several who failed together do not try again together.
        until_body: Seconds for which a body is held back from a server that does not ask for it.
        first_pause: The shortest pause, in seconds; each is twice as long as the one before.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    until_body: float = 3.0
    first_pause: float = 0.2

    def pause(self, turn: int, *, factor: float = 1.0, longest: float = 60.0) -> None:
        """Sleep before the ``turn``th repetition, counted from 1."""
        self.sleep(min(longest, factor * self.first_pause * 2 ** min(turn - 1, 30)) * (0.5 + self.jitter()))


class LoadStates:
    """Asks one database's FE for the states of labels."""

    def __init__(self, client: Client, database: str, patience: float, pace: Pace) -> None:
        """``patience``: seconds for which one label is waited for."""
        self._client = client
        self._path = f"/api/{quote(database, safe='')}/get_load_state?label="
        self._patience = patience
        self._pace = pace

    def wait(self, label: str, *, committed: bool, until: float) -> bool:
        """Wait until the label's load is visible, or has not been or will not be committed.

        Args:
            label: Whose.
            committed: Whether a load of the label is known to be committed, so that only its visibility is open.
            until: When to stop at the latest, on the pace's clock.

        Returns:
            Whether it is visible. If not, the same label may be sent again: also where the FE cannot be asked, as Doris
            takes a label only once.

        Raises:
            WarehouseUnavailable: It takes longer than that, or it is committed and the FE cannot be asked.
        """
        until = min(until, self._pace.clock() + self._patience)
        failures = turn = 0
        state: State | None = None
        while True:
            found = self._ask(label)
            failures = 0 if found else failures + 1
            state = found or state
            if found is State.VISIBLE:
                return True
            committed = committed or found is State.COMMITTED
            if not committed and (found in (State.ABORTED, State.UNKNOWN) or failures == _FAILURES):
                return False
            if failures == _FAILURES or self._pace.clock() >= until:
                raise _not_ended(label, state, committed)
            turn += 1
            self._pace.pause(turn, longest=_LONGEST_POLL_SECONDS)

    def _ask(self, label: str) -> State | None:
        try:
            return read_state(self._client.get(self._path + label, Limits(_ASK_SECONDS)).answer)
        except (Lost, WarehouseError):
            return None


def _not_ended(label: str, state: State | None, committed: bool) -> WarehouseUnavailable:
    if committed:
        return WarehouseUnavailable(
            f"the load {label} is committed in Doris, but was not seen to become visible; run the date again later"
        )
    if state is State.PRECOMMITTED:
        return WarehouseUnavailable(
            f"the label {label} belongs to a two-phase transaction in Doris that waits: commit or abort that "
            "transaction, then run the date again"
        )
    return WarehouseUnavailable(
        f"a load of the label {label} is still under way in Doris and its outcome unknown; running the date again "
        "settles it"
    )

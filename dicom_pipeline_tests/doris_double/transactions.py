"""Labels and the loads they stand for.

Scope: the states of a load's transaction as ``DatabaseTransactionMgr`` has them, one label a database at a time, how
long it is kept, the limit of those that run, and the moment at which rows become visible.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from dicom_pipeline_tests.doris_double.clock import Clock
from dicom_pipeline_tests.doris_double.errors import LoadError

HOUR = 3600.0


class State(StrEnum):
    PREPARE = "PREPARE"
    PRECOMMITTED = "PRECOMMITTED"
    COMMITTED = "COMMITTED"
    VISIBLE = "VISIBLE"
    ABORTED = "ABORTED"


_RUNNING = (State.PREPARE, State.PRECOMMITTED)
_EXISTING = {State.PREPARE: "RUNNING", State.PRECOMMITTED: "PRECOMMITTED"}


@dataclass(slots=True)
class Transaction:
    """One load: its label, its state, and what makes its rows visible."""

    number: int
    database: str
    label: str
    begun: float
    timeout: float
    state: State = State.PREPARE
    ended: float | None = None
    publish: Callable[[], None] | None = None
    hidden_polls: int = 0
    """How often it is still told as COMMITTED, or as PREPARE if it ``ends_aborted``, when it is asked for."""
    ends_aborted: bool = False


@dataclass(slots=True)
class Transactions:
    """All transactions of the cluster."""

    clock: Clock
    retention: float = 12 * HOUR
    running_limit: int = 1000
    _all: list[Transaction] = field(default_factory=list)

    def begin(self, database: str, label: str, timeout: float) -> Transaction:
        """Begin a load.

        Raises:
            LoadError: The label is taken, or too many loads run.
        """
        self._expire()
        taken = self.find(database, label)
        if taken is not None and taken.state is not State.ABORTED:
            raise LoadError(
                "LABEL_ALREADY_EXISTS",
                f"errCode = 2, detailMessage = Label [{label}] has already been used, relate to txn [{taken.number}]",
                status="Label Already Exists",
                existing=_EXISTING.get(taken.state, "FINISHED"),
            )
        running = sum(t.database == database and t.state in _RUNNING for t in self._all)
        if running >= self.running_limit:
            text = f"current running txns on db {database} is {running}, larger than limit {self.running_limit}"
            raise LoadError("ANALYSIS_ERROR", f"errCode = 2, detailMessage = {text}")
        begun = Transaction(18000 + len(self._all), database, label, self.clock.now(), timeout)
        self._all.append(begun)
        return begun

    def find(self, database: str, label: str) -> Transaction | None:
        """Return the latest transaction of a label, unless it is forgotten by now."""
        self._expire()
        oldest = self.clock.now() - self.retention
        for found in reversed(self._all):
            if (found.database, found.label) == (database, label):
                return None if found.ended is not None and found.ended < oldest else found
        return None

    def by_number(self, database: str, number: int) -> Transaction | None:
        """Return the transaction of this number."""
        return next((t for t in self._all if t.database == database and t.number == number), None)

    def told_state(self, database: str, label: str) -> str:
        """Return what ``get_load_state`` says; asking brings a late publication nearer."""
        found = self.find(database, label)
        if found is None:
            return "UNKNOWN"
        told = found.state
        if found.hidden_polls > 0:
            found.hidden_polls -= 1
        elif found.ends_aborted:
            self.abort(found)
            told = found.state
        elif found.state is State.COMMITTED:
            self._publish(found)
            told = found.state
        return str(told)

    def commit(self, transaction: Transaction, hidden_polls: int = 0) -> None:
        """Commit; the rows are visible at once unless publication is late."""
        transaction.state, transaction.ended = State.COMMITTED, self.clock.now()
        transaction.hidden_polls = hidden_polls
        if not hidden_polls:
            self._publish(transaction)

    def abort(self, transaction: Transaction) -> None:
        """Roll back; the label is free again."""
        transaction.state, transaction.ended, transaction.publish = State.ABORTED, self.clock.now(), None
        transaction.ends_aborted = False

    def abort_running(self) -> None:
        """Roll back whatever a backend that went away was at."""
        for transaction in self._all:
            if transaction.state is State.PREPARE:
                self.abort(transaction)

    def _publish(self, transaction: Transaction) -> None:
        if transaction.publish is not None:
            transaction.publish()
        transaction.state, transaction.publish = State.VISIBLE, None

    def _expire(self) -> None:
        now = self.clock.now()
        for transaction in self._all:
            if transaction.state in _RUNNING and now > transaction.begun + transaction.timeout:
                self.abort(transaction)

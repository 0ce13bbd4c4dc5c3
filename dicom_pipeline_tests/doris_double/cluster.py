"""The cluster as all its servers see it.

Scope: the state the frontend and the backends share: databases, transactions, accounts, the knobs tests turn, the logs,
and the lock under which a load becomes visible as a whole.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dicom_pipeline_tests.doris_double.accounts import Account, Accounts
from dicom_pipeline_tests.doris_double.catalog import Change, Database, Rows, Table
from dicom_pipeline_tests.doris_double.clock import Clock
from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.faults import Faults
from dicom_pipeline_tests.doris_double.logs import RequestLog, SqlLog
from dicom_pipeline_tests.doris_double.spelling import Spelling
from dicom_pipeline_tests.doris_double.transactions import Transactions

MEGABYTE = 1 << 20


@dataclass(slots=True)
class Knobs:
    """What differs between clusters and versions, and may be turned while the double runs.

    Attributes:
        spelling: How ``information_schema.columns`` spells types.
        alter_polls: How often a change of columns is seen unfinished.
        slow_alters: Whether changes that are light take their time as well.
        follower_lag: Whether the frontend is a follower that hears of loads only by SYNC.
        publish_polls: For the next loads in turn: how often each is told as COMMITTED before it is visible.
        max_body_bytes: ``streaming_load_max_mb``.
        max_json_bytes: ``streaming_load_json_max_mb``, for JSON that is not by line.
        json_by_line_default: Whether JSON is read by line when no header says so: newer versions do.
        two_phase_by_label: Whether a two-phase commit may name the label: newer versions let it.
        time_zone: The cluster's zone, for values with an offset when no header says another.
        default_sql_mode: The ``sql_mode`` a session begins with.
        version_comment: What ``@@version_comment`` says.
        redirect_to: Where the frontend sends loads, as ``scheme://host:port``, in place of a backend.
    """

    spelling: Spelling = Spelling.NEW
    alter_polls: int = 3
    slow_alters: bool = False
    follower_lag: bool = False
    publish_polls: list[int] = field(default_factory=list)
    max_body_bytes: int = 10240 * MEGABYTE
    max_json_bytes: int = 100 * MEGABYTE
    json_by_line_default: bool = False
    two_phase_by_label: bool = True
    time_zone: str = "Asia/Shanghai"
    default_sql_mode: str = "ONLY_FULL_GROUP_BY"
    version_comment: str = "Doris version doris-4.0.8-rc01-double"
    redirect_to: str | None = None


@dataclass(slots=True)
class Backend:
    """Where a backend listens, and the host name the cluster knows it by."""

    number: int
    host: str
    http_port: int = 0
    alive: bool = True


class Cluster:
    """Everything that is not a socket."""

    def __init__(self, accounts: Iterable[Account], backends: int, backend_host: str) -> None:
        self.lock = threading.RLock()
        self.clock = Clock()
        self.knobs = Knobs()
        self.faults = Faults()
        self.requests = RequestLog()
        self.statements = SqlLog()
        self.accounts = Accounts(accounts)
        self.transactions = Transactions(self.clock)
        self.databases: dict[str, Database] = {}
        self.backends = [Backend(10001 + number, backend_host) for number in range(backends)]
        self.fe_http_port = 0
        self.error_logs: dict[str, str] = {}
        self._numbers = iter(range(20001, 1 << 30))
        self._unseen: dict[int, Rows] = {}

    def number(self) -> int:
        """Return a number nothing else has."""
        return next(self._numbers)

    def database(self, name: str) -> Database:
        """Return the database."""
        if name not in self.databases:
            raise DorisError(f"Unknown database '{name}'", 1049)
        return self.databases[name]

    def publish(self, table: Table, changes: list[Change], temporary: bool = False) -> None:
        """Make a load's rows visible, all of them in one step."""
        with self.lock:
            if temporary:
                self._publish_temporary(table, changes)
                return
            if self.knobs.follower_lag:
                self._unseen.setdefault(table.number, table.rows)
            table.rows = table.upserted(table.rows, changes)

    def _publish_temporary(self, table: Table, changes: list[Change]) -> None:
        for name, partition in table.temporary.items():
            own = [change for change in changes if partition.holds(table.date_of(change.row))]
            table.temporary_rows[name] = table.upserted(table.temporary_rows[name], own)

    def seen_rows(self, table: Table) -> Rows:
        """Return the rows as a session sees them: of a follower, those it has heard of."""
        return self._unseen.get(table.number, table.rows)

    def sync(self) -> None:
        """Let the frontend hear of everything."""
        self._unseen.clear()

    @contextmanager
    def behind_its_back(self) -> Iterator[None]:
        """Let the statements of this thread see everything."""
        with self.lock:
            unseen, self._unseen = self._unseen, {}
            try:
                yield
            finally:
                self._unseen = unseen

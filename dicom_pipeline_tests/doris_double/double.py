"""The double as tests use it.

Scope: starting and stopping all servers on a thread of their own, the URL to reach them by, looking behind the
warehouse's back, letting a backend restart.
"""

import asyncio
import contextlib
import ssl
import tempfile
import threading
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from dicom_pipeline_tests.doris_double.accounts import Account
from dicom_pipeline_tests.doris_double.backend import BackendServer
from dicom_pipeline_tests.doris_double.clock import Clock
from dicom_pipeline_tests.doris_double.cluster import Cluster, Knobs
from dicom_pipeline_tests.doris_double.executor import Executor
from dicom_pipeline_tests.doris_double.faults import Faults
from dicom_pipeline_tests.doris_double.frontend import Frontend
from dicom_pipeline_tests.doris_double.logs import RequestLog, SqlLog
from dicom_pipeline_tests.doris_double.mysql import MysqlSide
from dicom_pipeline_tests.doris_double.tls import make_certificates
from dicom_pipeline_tests.doris_double.transactions import Transactions

HOST = "127.0.0.1"
_WAIT_SECONDS = 10.0


class DorisDouble:
    """A cluster of one frontend and some backends, in this process.

    Args:
        password: The password of ``root``.
        accounts: Further accounts.
        backends: How many backends there are.
        backend_host: The host name the cluster knows its backends by; not the frontend's, so that a client which goes
            by the host name loses what it sent there.
        tls: Whether HTTP is HTTPS; the frontend's plain port then sends to its other one.
        mysql_tls: Whether the MySQL side offers TLS.
        port: The frontend's MySQL port; 0 takes any.
        http_port: The frontend's HTTP port; 0 takes any.
    """

    def __init__(
        self,
        *,
        password: str = "s3cret@:/%",
        accounts: Iterable[Account] = (),
        backends: int = 1,
        backend_host: str = "localhost",
        tls: bool = False,
        mysql_tls: bool = False,
        port: int = 0,
        http_port: int = 0,
    ) -> None:
        self.password = password
        self.cluster = Cluster([Account("root", password), *accounts], backends, backend_host)
        self.port = port
        self.http_port = http_port
        self.https_port = 0
        self.tls_ca: Path | None = None
        self._tls = tls
        self._mysql_tls = mysql_tls
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._context: ssl.SSLContext | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dorisdouble", daemon=True)
        self._frontends: list[Frontend] = []
        self._backends: list[BackendServer] = []
        self._mysql: MysqlSide | None = None

    @property
    def faults(self) -> Faults:
        """What is still to go wrong."""
        return self.cluster.faults

    @property
    def requests(self) -> RequestLog:
        """The HTTP requests so far."""
        return self.cluster.requests

    @property
    def statements(self) -> SqlLog:
        """The SQL statements so far."""
        return self.cluster.statements

    @property
    def knobs(self) -> Knobs:
        """What differs between clusters and versions."""
        return self.cluster.knobs

    @property
    def clock(self) -> Clock:
        """The cluster's clock."""
        return self.cluster.clock

    @property
    def transactions(self) -> Transactions:
        """The labels, how long they are kept, how many may run."""
        return self.cluster.transactions

    @property
    def be_ports(self) -> list[int]:
        """The backends' HTTP ports."""
        return [backend.http_port for backend in self.cluster.backends]

    def start(self) -> Self:
        """Start all servers."""
        if self._tls or self._mysql_tls:
            self._directory = tempfile.TemporaryDirectory(prefix="dorisdouble-")
            self.tls_ca, self._context = make_certificates(Path(self._directory.name))
        self._thread.start()
        self._run(self._start())
        return self

    def stop(self) -> None:
        """Stop all servers and end every connection."""
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_SECONDS)
        self._loop.close()
        if self._directory is not None:
            self._directory.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, database: str = "dicom", *, user: str = "root", password: str | None = None, **options: Any) -> str:
        """Return the URL of a database; an option that is None is left out."""
        known: dict[str, Any] = {"http_port": self.http_port, "replication_num": len(self.cluster.backends)}
        if self._tls:
            known |= {"http_port": self.https_port, "https": "true"}
        if self.tls_ca is not None:
            known["tls_ca"] = self.tls_ca
        given = urlencode({name: value for name, value in (known | options).items() if value is not None}, safe="/:,=")
        login = f"{quote(user, safe='')}:{quote(self.password if password is None else password, safe='')}"
        return f"doris://{login}@{HOST}:{self.port}/{database}?{given}"

    def query(self, sql: str, database: str | None = "dicom") -> list[tuple[Any, ...]]:
        """Carry out a statement as root behind everyone's back: no log, no faults, no lag; return its rows."""
        with self.cluster.behind_its_back():
            known = database if database in self.cluster.databases else None
            result = Executor(self.cluster, Account("root"), known, self.port).execute(sql)
            return [] if result is None else [tuple(row) for row in result.rows]

    def rows(self, table: str, database: str = "dicom") -> list[dict[str, Any]]:
        """Return the visible rows of a table, in the order of its key."""
        with self.cluster.lock:
            found = self.cluster.database(database).table(table)
            names = [column.name for column in found.columns]
            return [dict(zip(names, found.rows[key], strict=True)) for key in sorted(found.rows)]

    def restart_be(self, number: int = 0) -> None:
        """Restart a backend: its connections end, the loads it was at are rolled back, its port stays."""
        self._run(self._restart_be(number))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_SECONDS)

    async def _start(self) -> None:
        context = self._context if self._tls else None
        for backend in self.cluster.backends:
            server = BackendServer(self.cluster, backend, tls=self._tls)
            await server.start(HOST, 0, context)
            backend.http_port = server.port
            self._backends.append(server)
        if context is not None:
            await self._start_frontend(Frontend(self.cluster, backend_tls=True), 0, context)
            self.https_port = self._frontends[0].port
        await self._start_frontend(Frontend(self.cluster, self.https_port or None), self.http_port, None)
        self.http_port = self.cluster.fe_http_port = self._frontends[-1].port
        self._mysql = MysqlSide(self.cluster, self._context if self._mysql_tls else None)
        await self._mysql.start(HOST, self.port)
        self.port = self._mysql.port

    async def _start_frontend(self, frontend: Frontend, port: int, context: ssl.SSLContext | None) -> None:
        await frontend.start(HOST, port, context)
        self._frontends.append(frontend)

    async def _restart_be(self, number: int) -> None:
        old, backend = self._backends[number], self.cluster.backends[number]
        old.stop()
        with self.cluster.lock:
            self.cluster.transactions.abort_running()
            self.cluster.error_logs.clear()
        await asyncio.sleep(0)
        server = BackendServer(self.cluster, backend, tls=self._tls)
        await server.start(HOST, backend.http_port, self._context if self._tls else None)
        self._backends[number] = server

    async def _stop(self) -> None:
        for server in (*self._frontends, *self._backends):
            server.stop()
        if self._mysql is not None:
            self._mysql.stop()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*others, return_exceptions=True)

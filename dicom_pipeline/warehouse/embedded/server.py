"""Starting and stopping the embedded PostgreSQL.

Scope: the life of one server: making its data directory, starting it detached, waiting until it answers, stopping it.
It listens on a Unix socket in a private directory and on no TCP port, asks for no password (whoever can open the
socket is its owner or root), and outlives the process that started it, until ``stop``.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from dicom_pipeline.errors import ConfigurationError, WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.embedded.account import Account, bootstrap_account, choose_account, give
from dicom_pipeline.warehouse.embedded.binaries import MAJOR_VERSION, Binaries, find_binaries
from dicom_pipeline.warehouse.embedded.configuration import DATABASE, ROLE, SERVER_SETTINGS, server_environment
from dicom_pipeline.warehouse.embedded.places import Places, make_private
from dicom_pipeline.warehouse.embedded.process import clear_leftovers, server_pid

if TYPE_CHECKING:
    import psycopg

_START_PATIENCE_SECONDS = 300.0
_STOP_PATIENCE_SECONDS = 60.0
_ORPHAN_PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 0.05
_LOG_LIMIT_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """How the embedded server is: ``absent`` (never started), ``stopped`` or ``running``; the URL if it runs."""

    state: str
    url: str | None
    data_directory: Path


class EmbeddedPostgres:
    """The PostgreSQL server that belongs to a home directory.

    Args:
        home: The directory below which it keeps everything; made if missing.
    """

    def __init__(self, home: Path) -> None:
        self._places = Places(Path(os.path.realpath(home)) / "postgres")

    @property
    def url(self) -> str:
        """The server's URL, whether it runs or not."""
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self._places.sockets), safe='/')}"

    def start(self) -> str:
        """Start the server unless it runs, wait until it answers and return its URL.

        Raises:
            ConfigurationError: No build for this platform, or the directory cannot hold a database.
            WarehouseUnavailable: It did not answer in time.
            WarehouseError: It refused to start; the message has the last line of its log.
        """
        if self._answers():
            return self.url
        binaries = find_binaries()
        self._places.make_base()
        with self._places.locked():
            if not self._answers():
                self._bring_up(binaries)
        return self.url

    def stop(self) -> bool:
        """Stop the server, rolling back open transactions; return whether it was running.

        Raises:
            WarehouseUnavailable: It did not end in time.
        """
        if not self._places.base.exists():
            return False
        with self._places.locked():
            pid = server_pid(self._places.data)
            if pid is None:
                return False
            os.kill(pid, signal.SIGINT)
            if not self._wait_for_end(_STOP_PATIENCE_SECONDS):
                os.kill(pid, signal.SIGQUIT)
                if not self._wait_for_end(_STOP_PATIENCE_SECONDS):
                    raise WarehouseUnavailable("the embedded database did not stop; try again")
        return True

    def status(self) -> EmbeddedStatus:
        """Say how the server is, without changing that."""
        data = self._places.data
        if not data.exists():
            return EmbeddedStatus("absent", None, data)
        running = self._answers()
        return EmbeddedStatus("running" if running else "stopped", self.url if running else None, data)

    def psql_command(self) -> list[str]:
        """Return the command line of an interactive ``psql`` on the server."""
        return [str(find_binaries().psql), self.url]

    def _bring_up(self, binaries: Binaries) -> None:
        account = choose_account(self._places.data, (self._places.data, binaries.postgres))
        for unfinished in self._places.base.glob("new-*"):  # an orphaned initdb may still write: the next start sweeps
            shutil.rmtree(unfinished, ignore_errors=True)
        if not self._places.data.exists():
            self._make_data(binaries, account)
        self._check_version()
        make_private(self._places.sockets, account)
        if server_pid(self._places.data) is None:
            self._launch(binaries, account)
        else:
            self._wait_until_answering(None)
        self._ensure_database()

    def _make_data(self, binaries: Binaries, account: Account) -> None:
        """Make the data directory under another name and rename it, so that one that exists is whole."""
        maker = bootstrap_account((self._places.data, binaries.postgres)) if os.geteuid() == 0 else account
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=self._places.base))
        make_private(fresh, maker)
        command = [binaries.initdb, "-D", fresh, "-U", ROLE, "-A", "trust", "--encoding=UTF8", "--no-locale"]
        try:
            done = subprocess.run(
                [str(word) for word in command],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env=server_environment(),
                **maker.popen_arguments(),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigurationError(f"{_CANNOT_RUN} ({type(error).__name__})") from None
        if done.returncode:
            raise ConfigurationError(f"the embedded database could not be made: {_last_line(done.stderr)}")
        if (maker.uid, maker.gid) != (account.uid, account.gid):
            give(fresh, account)
        fresh.rename(self._places.data)

    def _check_version(self) -> None:
        try:
            version = (self._places.data / "PG_VERSION").read_text().strip()
        except OSError:
            raise ConfigurationError(
                f"{self._places.data} is not a whole PostgreSQL data directory; move it away to begin anew"
            ) from None
        if version != str(MAJOR_VERSION):
            raise ConfigurationError(
                f"the embedded database is of PostgreSQL {version} and this version runs {MAJOR_VERSION}: dump it with"
                " the old one, or move it away and load again"
            )

    def _launch(self, binaries: Binaries, account: Account) -> None:
        """Start the server; children of a killed one may live on for a moment, so try again for some seconds."""
        deadline = time.monotonic() + _ORPHAN_PATIENCE_SECONDS
        while True:
            clear_leftovers(self._places.data, self._places.sockets)
            begin = self._open_log()
            process = self._spawn(binaries, account)
            if self._wait_until_answering(process):
                return
            reason = _last_line(self._places.log.read_bytes()[begin:].decode(errors="replace"))
            if "shared memory block" not in reason or time.monotonic() > deadline:
                raise WarehouseError(f"the embedded database did not start: {reason or 'it left no word in its log'}")
            time.sleep(1)

    def _open_log(self) -> int:
        """Make sure the log is a private file of moderate size and return its length in bytes."""
        log = self._places.log
        if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        log.touch(mode=0o600)
        return log.stat().st_size

    def _spawn(self, binaries: Binaries, account: Account) -> "subprocess.Popen[bytes]":
        settings = {**SERVER_SETTINGS, "unix_socket_directories": f'"{self._places.sockets}"'}
        command = [str(binaries.postgres), "-D", str(self._places.data)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._places.log.open("ab") as log:
            try:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=server_environment(),
                    start_new_session=True,
                    **account.popen_arguments(),
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise ConfigurationError(f"{_CANNOT_RUN} ({type(error).__name__})") from None

    def _wait_until_answering(self, process: "subprocess.Popen[bytes] | None") -> bool:
        """Wait for the first answer, through recovery after a crash too; False if the process ended instead."""
        deadline = time.monotonic() + _START_PATIENCE_SECONDS
        while not self._answers():
            if process is not None and process.poll() is not None:
                return False
            if time.monotonic() > deadline:
                raise WarehouseUnavailable("the embedded database is still starting, perhaps recovering; try again")
            time.sleep(_PAUSE_SECONDS)
        return True

    def _wait_for_end(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while server_pid(self._places.data) is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True

    def _answers(self) -> bool:
        import psycopg

        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> "psycopg.Connection":
        import psycopg

        return psycopg.connect(
            host=str(self._places.sockets), user=ROLE, dbname="postgres", connect_timeout=5, autocommit=True
        )

    def _ensure_database(self) -> None:
        with self._connect() as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).rowcount:
                connection.execute(f"CREATE DATABASE {DATABASE}".encode())


_CANNOT_RUN = (
    "the embedded PostgreSQL cannot be run under an unprivileged account here; run as an ordinary user, or give"
    " --warehouse postgresql://…"
)


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL" in line or "error:" in line]
    return (fatal or lines or [""])[-1].strip()

"""The embedded server: private, quiet, and alive again after every kind of crash."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from dicom_pipeline.errors import ConfigurationError, WarehouseError
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres, account, binaries, configuration, process
from dicom_pipeline_tests.warehouse.conftest import Database

IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server of this module's own, to be ill-treated."""
    embedded = EmbeddedPostgres(tmp_path_factory.mktemp("ill-treated"))
    embedded.start()
    yield embedded
    embedded.stop()


@pytest.fixture
def running(made: EmbeddedPostgres) -> EmbeddedPostgres:
    made.start()
    return made


def data_of(embedded: EmbeddedPostgres) -> Path:
    return embedded.status().data_directory


def pid_of(embedded: EmbeddedPostgres) -> int:
    pid = process.server_pid(data_of(embedded))
    assert pid is not None
    return pid


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill(embedded: EmbeddedPostgres) -> None:
    os.kill(pid_of(embedded), signal.SIGKILL)
    wait_for(lambda: process.server_pid(data_of(embedded)) is None)


def test_the_url_is_an_ordinary_one(running: EmbeddedPostgres) -> None:
    assert Database(running.url).query("SELECT current_user::text, current_database()::text") == [("dicom", "dicom")]
    settings = (
        "SELECT current_setting('server_encoding'), current_setting('lc_collate', true), datcollate FROM pg_database"
    )
    assert {(row[0], row[2]) for row in Database(running.url).query(settings)} == {("UTF8", "C")}
    assert Database(running.url).query("SHOW fsync") == [("on",)]
    assert running.status().state == "running"
    assert running.status().url == running.url


def test_nothing_listens_on_tcp_and_nobody_else_can_enter(running: EmbeddedPostgres) -> None:
    assert Database(running.url).query("SHOW listen_addresses") == [("",)]
    noted_address = (data_of(running) / "postmaster.pid").read_text().splitlines()[5]
    assert noted_address == ""
    for place in (data_of(running), data_of(running).parent / "run"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_of(running).parent / "server.log").stat().st_mode) == 0o600


def test_the_log_repeats_no_value(running: EmbeddedPostgres) -> None:
    with Database(running.url).connect() as session:
        session.execute("CREATE TEMPORARY TABLE t (name text PRIMARY KEY, n int CHECK (n > 0))")
        session.execute("INSERT INTO t VALUES ('CANARY^JOHN', 1)")
        for statement, values in (
            ("INSERT INTO t VALUES (%s, 2)", ("CANARY^JOHN",)),
            ("INSERT INTO t VALUES (%s, 0)", ("CANARY^JANE",)),
            ("SELECT %s::int", ("CANARY^JIM",)),
            ("SELECT 'CANARY^JACK' FROM nowhere", None),
        ):
            with pytest.raises(psycopg.Error):
                session.execute(statement, values)
        with pytest.raises(psycopg.Error), session.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write("CANARY^JILL\tCANARY\n")
    log = (data_of(running).parent / "server.log").read_text()
    assert "ready to accept connections" in log
    assert "CANARY" not in log


def test_starting_again_finds_the_running_server(running: EmbeddedPostgres) -> None:
    pid = pid_of(running)
    assert EmbeddedPostgres(data_of(running).parent.parent).start() == running.url
    assert pid_of(running) == pid


def test_a_home_reached_through_a_link_is_the_same_server(running: EmbeddedPostgres, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data_of(running).parent.parent)
    assert EmbeddedPostgres(tmp_path / "link").url == running.url


def test_stop_and_start_keep_the_rows(running: EmbeddedPostgres) -> None:
    Database(running.url).run("DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 1 AS one")
    assert running.stop()
    assert not running.stop()
    assert running.status().state == "stopped"
    assert running.status().url is None
    assert (data_of(running) / "PG_VERSION").exists()
    running.start()
    assert Database(running.url).query("SELECT * FROM kept") == [(1,)]


def test_it_recovers_from_a_killed_server_with_sessions(running: EmbeddedPostgres) -> None:
    Database(running.url).run("DROP TABLE IF EXISTS kept", "CREATE TABLE kept AS SELECT 2 AS two")
    session = Database(running.url).connect()
    session.execute("BEGIN")
    session.execute("DELETE FROM kept")
    kill(running)
    running.start()
    session.close()
    assert Database(running.url).query("SELECT * FROM kept") == [(2,)]


@pytest.mark.parametrize("first_line", ["self", "-self", "0", "garbage", "999999999", None])
def test_it_recovers_from_a_pid_file_that_misleads(running: EmbeddedPostgres, first_line: str | None) -> None:
    """A pid some other process of the same user has now, a standalone backend's negative pid, nonsense, nothing."""
    kill(running)
    note = data_of(running) / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"], **account.choose_account(data_of(running), ()).popen_arguments()) as other:
        lines = note.read_text().splitlines()
        if first_line is None:
            note.write_text("")
        else:
            note.write_text("\n".join([first_line.replace("self", str(other.pid)), *lines[1:]]) + "\n")
        lock = data_of(running).parent / "run" / ".s.PGSQL.5432.lock"
        lock.write_text(f"{other.pid}\n")
        try:
            running.start()
            assert other.poll() is None
        finally:
            other.kill()
    assert running.status().state == "running"


START = """
    import sys
    from pathlib import Path
    from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
    print("go", flush=True)
    print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
"""


def start_elsewhere(home: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(START), str(home)], stdout=subprocess.PIPE, text=True
    )


def test_an_interrupted_first_start_and_two_at_once_end_well(tmp_path: Path) -> None:
    """The first process is killed while initdb works; then two start together, and one server comes of it."""
    embedded = EmbeddedPostgres(tmp_path)
    with start_elsewhere(tmp_path) as killed:
        wait_for(lambda: any((tmp_path / "postgres").glob("new-*/*")))
        killed.kill()
    assert embedded.status().state == "absent"
    try:
        with start_elsewhere(tmp_path) as one, start_elsewhere(tmp_path) as two:
            assert one.communicate()[0] == two.communicate()[0] == f"go\n{embedded.url}\n"
        assert embedded.status().state == "running"  # it outlives the processes that started it
        embedded.stop()
        embedded.start()
        assert list((tmp_path / "postgres").glob("new-*")) == []
    finally:
        embedded.stop()


def test_a_long_home_has_its_socket_elsewhere(tmp_path: Path) -> None:
    embedded = EmbeddedPostgres(tmp_path / ("long" * 25) / "home with blanks & ümlauts")
    sockets = Path(psycopg.conninfo.conninfo_to_dict(embedded.url)["host"])
    try:
        assert Database(embedded.start()).query("SELECT 1") == [(1,)]
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    finally:
        embedded.stop()
        shutil.rmtree(sockets)


@pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
def test_an_ordinary_user_starts_and_stops_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In a home of its own, below directories that let it pass."""
    home = Path("/tmp") / f"dicom-pipeline-user-{os.getpid()}"
    home.mkdir()
    os.chown(home, 65534, 65534)
    script = textwrap.dedent(START) + "EmbeddedPostgres(Path(sys.argv[1])).stop()"
    user = account.Account(65534, 65534, keeps_passage=True)  # for the sake of Python and the wheel below /root
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(home)],
            capture_output=True,
            text=True,
            check=False,
            **user.popen_arguments(),
        )
        assert done.returncode == 0, done.stderr
        assert (home / "postgres" / "data").stat().st_uid == 65534
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(not IS_ROOT, reason="PostgreSQL refuses root only")
def test_roots_server_runs_as_an_account_nobody_has(running: EmbeddedPostgres) -> None:
    uid = os.stat(f"/proc/{pid_of(running)}").st_uid
    assert uid == data_of(running).stat().st_uid
    assert 61184 <= uid <= 65519


@pytest.mark.skipif(not IS_ROOT, reason="only root changes owners")
def test_a_root_owned_parent_that_lets_nobody_pass_is_no_obstacle(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    embedded = EmbeddedPostgres(closed / "home")
    try:
        assert Database(embedded.start()).query("SELECT 1") == [(1,)]
    finally:
        embedded.stop()


def test_a_platform_without_a_build_is_told_politely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_PACKAGE", "no_such_package")
    with pytest.raises(ConfigurationError, match="--warehouse postgresql://"):
        EmbeddedPostgres(tmp_path).start()
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_permissions_is_told_politely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "chmod", lambda self, mode: os.chmod(self, 0o755))
    with pytest.raises(ConfigurationError, match=r"Unix permissions.*--warehouse postgresql://"):
        EmbeddedPostgres(tmp_path).start()


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="choose another --home"):
        EmbeddedPostgres(tmp_path / "file" / "home").start()


def test_a_data_directory_that_is_none_or_too_old_is_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="not a whole PostgreSQL data directory"):
        EmbeddedPostgres(tmp_path).start()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match="of PostgreSQL 16"):
        EmbeddedPostgres(tmp_path).start()
    assert [entry.name for entry in data.iterdir()] == ["PG_VERSION"]


def test_a_server_that_refuses_tells_its_reason(running: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    running.stop()
    monkeypatch.setitem(configuration.SERVER_SETTINGS, "shared_buffers", "nonsense")
    with pytest.raises(WarehouseError, match=r'did not start.*"shared_buffers"'):
        running.start()


def test_psql_is_the_wheels_own(running: EmbeddedPostgres) -> None:
    command = [*running.psql_command(), "-Atc", "SELECT 40 + 2"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"


def test_an_absent_server_has_nothing_to_stop(tmp_path: Path) -> None:
    embedded = EmbeddedPostgres(tmp_path / "home")
    assert embedded.status().state == "absent"
    assert not embedded.stop()
    assert not (tmp_path / "home").exists()

"""Connecting to Doris's MySQL port: who refuses and why is said in a line, and tried again only while that may help."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.doris import connection as connecting
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.doris_double import Account, Action, DorisDouble, Fault, Place
from dicom_pipeline_tests.doris_double.tls import openssl_is_here
from dicom_pipeline_tests.warehouse.conftest import Store, needs_the_double
from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_slice

SECRET = "s3cret@:/%"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between tries; nobody waits."""
    waited: list[float] = []
    monkeypatch.setattr(connecting, "_PATIENCE_SECONDS", 0.25)
    monkeypatch.setattr(connecting.time, "sleep", waited.append)
    return waited


def refusal(url: str) -> WarehouseError:
    with closing(create_warehouse(url)) as warehouse, pytest.raises(WarehouseError) as caught:
        warehouse.server_version()
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    assert "hunter2" not in text
    assert "127.0.0.1" in text
    assert caught.value.__suppress_context__
    return caught.value


def test_the_version_is_the_servers(empty_store: Store) -> None:
    with closing(create_warehouse(empty_store.url)) as warehouse:
        assert warehouse.server_version().startswith(("PostgreSQL 18", "Doris "))


@pytest.mark.parametrize("password", ["", "hunter2", SECRET + "x", "s3cret"])
def test_a_wrong_password_is_not_tried_again(own_double: DorisDouble, pauses: list[float], password: str) -> None:
    error = refusal(own_double.url(password=password))
    assert not error.transient
    assert "user or password is wrong" in str(error)
    assert pauses == []


def test_an_unknown_user_is_not_tried_again(own_double: DorisDouble, pauses: list[float]) -> None:
    assert "user or password is wrong" in str(refusal(own_double.url(user="nobody")))
    assert pauses == []


@pytest.mark.parametrize("password", ["", "pässwörd 漢字", "%40@:/?#[]&=+ \\'\"", "x" * 200])
def test_a_password_may_be_anything(password: str) -> None:
    needs_the_double()
    account = Account("etl@x", password)
    with DorisDouble(accounts=[account]) as double:
        url = double.url(user=account.user, password=password)
        with closing(create_warehouse(url)) as warehouse:
            warehouse.replace_slice(TARGET, make_slice(), facts())
            assert warehouse.digest(IMAGE, TARGET).rows == 4
            assert password == "" or password not in warehouse.display_url


def test_a_server_that_is_down_is_tried_for_a_while(pauses: list[float]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        error = refusal(f"doris://root:hunter2@127.0.0.1:{nobody.getsockname()[1]}/dicom")
    assert isinstance(error, WarehouseUnavailable)
    assert "nothing answers there" in str(error)
    assert pauses == [0.1 * 2**turn for turn in range(len(pauses))]
    assert len(pauses) > 1


def test_a_frontend_that_starts_meanwhile_is_reached(own_double: DorisDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its port takes connections before it speaks."""
    own_double.faults.add(Fault(Place.MYSQL, Action.DROP, containing="SET sql_mode", times=2))
    with closing(create_warehouse(own_double.url())) as warehouse:
        assert warehouse.server_version() == "Doris 4.0.8"
    assert own_double.faults.pending == 0


@contextmanager
def speaking(greeting: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that greets each connection in its own way."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    return
                with accepted:
                    accepted.settimeout(0.5)
                    try:
                        greeting(accepted)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


GREETINGS = {
    "http": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "a packet of another version": b"\x05\x00\x00\x00\x09abc\x00",
    "an empty packet": b"\x00\x00\x00\x00",
    "zeros": b"\x00" * 64,
    "a cut greeting": b"\x4a\x00\x00\x00\x0a5.7.99",
    "a huge packet": b"\xff\xff\xff\x00" + b"\x0a" * 100,
    "nothing": b"",
}


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_a_server_that_speaks_no_mysql_is_told(greeting: bytes) -> None:
    with speaking(lambda accepted: accepted.sendall(greeting)) as port:
        refusal(f"doris://root:hunter2@127.0.0.1:{port}/dicom")


@pytest.mark.parametrize("when", ["before any bytes", "after the greeting"])
def test_a_server_that_ends_connections_at_once_is_a_passing_failure(pauses: list[float], when: str) -> None:
    greeting = b"" if when == "before any bytes" else b"\x4a\x00\x00\x00\x0a5.7.99\x00"
    with speaking(lambda accepted: accepted.sendall(greeting)) as port:
        error = refusal(f"doris://root:hunter2@127.0.0.1:{port}/dicom")
    assert error.transient
    assert pauses


@pytest.mark.parametrize(
    ("code", "transient"), [(1040, True), (1203, True), (1045, False), (1044, False), (9999, False)]
)
def test_a_refusal_in_mysqls_words_is_told_in_ours(pauses: list[float], code: int, transient: bool) -> None:
    payload = b"\xff" + code.to_bytes(2, "little") + b"#HY000CANARY hunter2"
    packet = len(payload).to_bytes(3, "little") + b"\x00" + payload
    with speaking(lambda accepted: accepted.sendall(packet)) as port:
        error = refusal(f"doris://root:hunter2@127.0.0.1:{port}/dicom")
    assert "CANARY" not in str(error)
    assert error.transient == transient
    assert bool(pauses) == transient


@pytest.mark.parametrize(
    ("plugin", "options", "told"),
    [
        (b"client_ed25519", "", "is it another database?"),
        (b"mysql_clear_password", "?https=true", "it asks for a readable password"),
    ],
)
def test_a_server_that_wants_another_way_of_authentication_is_told(plugin: bytes, options: str, told: str) -> None:
    """As MariaDB and MySQL 8 do, with plugins that pymysql has no package for, and as somebody in between could."""
    salt = b"abcdefgh", b"ijklmnopqrst\0"
    hello = (
        b"\x0a8.0.36\0" + bytes(4) + salt[0] + b"\0\xff\xf7\x21\x02\0\xff\xdf\x15" + bytes(10) + salt[1]
        + b"mysql_native_password\0"
    )  # fmt: skip
    switch = b"\xfe" + plugin + b"\0" + b"".join(salt)
    heard = []

    def greeting(accepted: socket.socket) -> None:
        accepted.sendall(len(hello).to_bytes(3, "little") + b"\0" + hello)
        heard.append(accepted.recv(1000))
        accepted.sendall(len(switch).to_bytes(3, "little") + b"\2" + switch)
        heard.append(accepted.recv(1000))

    with speaking(greeting) as port:
        assert told in str(refusal(f"doris://root:hunter2@127.0.0.1:{port}/dicom{options}"))
    assert heard
    assert b"hunter2" not in b"".join(heard)


needs_openssl = pytest.mark.skipif(not openssl_is_here(), reason="needs the command openssl")


@pytest.fixture(scope="module")
def secure() -> Iterator[DorisDouble]:
    """A cluster that speaks TLS everywhere, with a CA that nobody knows."""
    needs_the_double()
    with DorisDouble(tls=True, mysql_tls=True) as started:
        yield started


@needs_openssl
@pytest.mark.parametrize("http_port", ["https", "http"])
def test_a_load_over_tls_trusts_the_ca_of_the_url(secure: DorisDouble, http_port: str) -> None:
    """A frontend that is asked at its plain port sends us to the other one, and is followed."""
    plain = {"https": "false", "http_port": secure.http_port} if http_port == "http" else {}
    secure.requests.clear()
    with closing(create_warehouse(secure.url(f"over_{http_port}", tls="true", **plain))) as warehouse:
        warehouse.replace_slice(TARGET, make_slice(), facts())
        assert warehouse.digest(IMAGE, TARGET).rows == 4
        assert isinstance(warehouse._held._sock, ssl.SSLSocket)
    assert all(request.tls for request in secure.requests.loads())
    assert len(secure.requests.loads()) == 4


@needs_openssl
def test_a_ca_that_is_not_known_is_not_trusted(secure: DorisDouble, pauses: list[float]) -> None:
    error = refusal(secure.url(tls="true", tls_ca=None))
    assert not error.transient
    assert pauses == []
    assert "certificate is not trusted" in str(error)
    secure.requests.clear()
    with closing(create_warehouse(secure.url("untrusted", tls_ca=None))) as warehouse:
        warehouse.prepare()
        with pytest.raises(WarehouseError, match="certificate is not trusted") as caught:
            warehouse.replace_slice(TARGET, make_slice(), facts())
    assert not caught.value.transient
    assert secure.requests.all() == []


@needs_openssl
def test_a_file_that_is_no_ca_is_named(secure: DorisDouble, tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    for content in (None, "not a certificate"):
        if content is not None:
            empty.write_text(content)
        opened = create_warehouse(secure.url(tls="true", tls_ca=empty))
        with pytest.raises(WarehouseError, match="tls_ca") as caught:
            opened.server_version()
        assert not caught.value.transient


@needs_openssl
@pytest.mark.parametrize("greets", [True, False])
def test_a_server_that_falls_silent_is_given_up(
    secure: DorisDouble, monkeypatch: pytest.MonkeyPatch, greets: bool
) -> None:
    """Before it greets, or where TLS is to begin."""
    monkeypatch.setattr(connecting, "_CONNECT_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", secure.port)) as asked:
        greeting = asked.recv(1 << 10)

    def greet(accepted: socket.socket) -> None:
        accepted.settimeout(5)
        accepted.sendall(greeting if greets else b"")
        while accepted.recv(1 << 10):
            pass

    began = time.monotonic()
    with speaking(greet) as port:
        refusal(f"doris://root:hunter2@127.0.0.1:{port}/dicom?tls=true&tls_ca={secure.tls_ca}")
    assert time.monotonic() - began < 4


def test_a_server_without_tls_is_not_spoken_to_where_tls_is_asked_for(own_double: DorisDouble) -> None:
    error = refusal(own_double.url(tls="true"))
    assert not error.transient
    assert "TLS" in str(error)
    assert own_double.statements.all() == []


def test_a_session_that_the_server_ended_is_made_anew_after_a_rest(
    own_double: DorisDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_pipeline.warehouse.doris.warehouse._FRESH_SECONDS", 0.0)
    with closing(create_warehouse(own_double.url())) as warehouse:
        warehouse.prepare()
        first = warehouse._held
        first._sock.shutdown(socket.SHUT_RDWR)
        assert warehouse.dates("hospital") == set()
        assert warehouse._held is not first


def test_a_fresh_session_that_ended_is_a_passing_failure_once(own_double: DorisDouble) -> None:
    with closing(create_warehouse(own_double.url())) as warehouse:
        warehouse.prepare()
        own_double.faults.add(Fault(Place.MYSQL, Action.DROP))
        with pytest.raises(WarehouseUnavailable, match="connection to Doris was lost"):
            warehouse.dates("hospital")
        assert warehouse.dates("hospital") == set()


def test_a_reader_whose_session_ends_says_so(own_double: DorisDouble) -> None:
    with closing(create_warehouse(own_double.url())) as warehouse:
        warehouse.replace_slice(TARGET, make_slice(), facts())
        own_double.faults.add(Fault(Place.MYSQL, Action.DROP, containing="ORDER BY"))
        with pytest.raises(WarehouseUnavailable, match="connection to Doris was lost"):
            warehouse.read(IMAGE)
        assert warehouse.read(IMAGE).read_all().num_rows == 4

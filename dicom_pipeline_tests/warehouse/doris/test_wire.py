"""What leaves this process during loads: the password to frontends and backends alone, values to nobody but these."""

import base64
import logging
import re
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote, quote_plus

import pytest

from dicom_pipeline.dicom.fields import REJECT
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.warehouse.doris import sql
from dicom_pipeline_tests.doris_double import Action, DorisDouble, Fault, Place
from dicom_pipeline_tests.warehouse.doris.pace import open_quick
from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_rows, make_slice

PASSWORD = "s3cret@:/%"
FORMS = {
    PASSWORD.encode(),
    quote(PASSWORD, safe="").encode(),
    quote(PASSWORD).encode(),
    quote_plus(PASSWORD).encode(),
    quote(PASSWORD, safe="-_.!~*'();:&=+$,").encode(),
    base64.b64encode(PASSWORD.encode()),
    base64.b64encode(f"root:{PASSWORD}".encode()),
    base64.urlsafe_b64encode(f"root:{PASSWORD}".encode()),
}
CANARY = "CANARY^Jane"

Sent = dict[int, bytearray]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Every byte that a socket of this process sent, by the port it was sent to."""
    found: Sent = defaultdict(bytearray)

    def recorded(name: str) -> None:
        real = getattr(socket.socket, name)

        def call(self: socket.socket, data: bytes, *others: object) -> object:
            peer = self.getpeername() if self.type & socket.SOCK_STREAM else ("", 0)
            if isinstance(peer, tuple):
                found[peer[1]] += bytes(data)
            return real(self, data, *others)

        monkeypatch.setattr(socket.socket, name, call)

    for name in ("send", "sendall", "sendto"):
        recorded(name)
    return found


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[bytes]]]:
    """A server on another host that takes whatever it is told."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.2", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    return
                with accepted:
                    accepted.settimeout(1)
                    heard.append(accepted.recv(1 << 16))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.2:{listening.getsockname()[1]}", heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def canary_slice() -> dict[str, object]:
    paths = make_rows(REJECT, count=2, columns={"path": [CANARY, CANARY + "2"]})
    return {**make_slice(), REJECT.name: paths}


def redirect(to: str) -> bytes:
    path = "/api/dicom/dicom_image_meta/_stream_load?"
    location = f"http://root:{quote(PASSWORD, safe='')}@{to}{path}"
    return f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def failed(url: str) -> bytes:
    told = (
        f'{{"Status": "Fail", "Message": "[DATA_QUALITY_ERROR]too many filtered rows {CANARY}", "ErrorURL": "{url}"}}'
    )
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(told)}\r\n\r\n{told}".encode()


def faults(other: str, double: DorisDouble) -> list[list[Fault]]:
    log = f"http://{other}/api/_load_error_log?file=x"
    own = f"http://localhost:{double.be_ports[0]}/api/_load_error_log?file=x"
    return [
        [],
        [Fault(Place.FE, Action.ANSWER, answer=redirect(other))],
        [Fault(Place.BE_BEFORE_HEADERS, Action.ANSWER, answer=redirect(other))],
        [Fault(Place.BE_BEFORE_HEADERS, Action.ANSWER, answer=failed(log))],
        [Fault(Place.BE_BEFORE_HEADERS, Action.ANSWER, answer=failed(own))],
        [Fault(Place.BE_AFTER_COMMIT, Action.DROP, times=4), Fault(Place.FE_STATE, Action.HTML_502)],
        [Fault(Place.BE_AFTER_COMMIT, Action.TRUNCATE, times=1000), Fault(Place.FE_STATE, Action.DROP, times=1000)],
        [Fault(Place.FE_STATE, Action.ANSWER, answer=redirect(other)), Fault(Place.BE_AFTER_COMMIT)],
        [Fault(Place.BE_BEFORE_COMMIT, Action.HTML_502, times=1000)],
        [Fault(Place.MYSQL, Action.ERROR, answer=CANARY.encode(), containing=REJECT.name)],
    ]


def too_short(double: DorisDouble) -> None:
    """Put a table in the place of the rejects' in which the canary has no room."""
    double.query(f"DROP TABLE {REJECT.name}")
    made = sql.create_table("dicom", REJECT, replication_num=1, buckets=1)
    double.query(re.sub(r"`path` VARCHAR\(\d+\)", "`path` VARCHAR(2)", made))


@pytest.mark.parametrize("number", range(11))
def test_the_password_goes_to_the_cluster_and_values_go_nowhere_else(
    own_double: DorisDouble,
    stranger: tuple[str, list[bytes]],
    sent: Sent,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    number: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    other, heard = stranger
    with closing(open_quick(own_double.url(format="json"))) as warehouse:
        warehouse.prepare()
        shown = [warehouse.display_url, repr(warehouse._url)]
        if number < 10:
            for fault in faults(other, own_double)[number]:
                own_double.faults.add(fault)
        else:
            too_short(own_double)
        raised = None
        try:
            warehouse.replace_slice(TARGET, canary_slice(), facts())
        except PipelineError as error:
            raised = error
        assert (raised is None) == (number in (0, 5, 7))
        shown += [str(error) + repr(error) for error in _all_of(raised)]
    assert heard == []
    cluster = {own_double.http_port, *own_double.be_ports}
    assert number == 9 or any(form in sent[own_double.http_port] for form in FORMS), "nothing was seen"
    ports = {own_double.port, *cluster, int(other.rpartition(":")[2])}
    holding = {port for port, data in sent.items() if port in ports and any(form in data for form in FORMS)}
    assert holding <= cluster
    values = {port for port, data in sent.items() if port in ports and CANARY.encode() in data}
    assert values <= set(own_double.be_ports)
    assert number != 0 or values
    output, errors = capfd.readouterr()
    shown += [caplog.text, output, errors]
    for text in shown:
        assert CANARY not in text
        assert not any(form.decode() in text for form in FORMS)


def _all_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield what a trace of the error would show."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)

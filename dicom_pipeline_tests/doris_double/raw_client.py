"""A client of the double for its own tests, which shares nothing with the loader's.

Scope: HTTP over plain sockets, so that each step of an exchange can be looked at, and headers and bodies for loads.
"""

import base64
import io
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dicom_pipeline_tests.doris_double.double import HOST, DorisDouble

_SECONDS = 10.0


@dataclass(slots=True)
class Answer:
    """What came back: the status (0 if nothing did), headers, body, and how the exchange went."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    continued: bool = False
    sent_body: bool = False
    reset: bool = False

    @property
    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.body)


def basic(user: str, password: str) -> str:
    """Return an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def exchange(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    wait: bool = True,
    host: str = HOST,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send a request; with ``wait`` and an Expect header the body is sent only when it is asked for."""
    answer = Answer()
    given = {"Host": f"{host}:{port}", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value is not None)
    with socket.create_connection((HOST, port), _SECONDS) as plain:
        connection = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        with connection, connection.makefile("rb") as stream:
            try:
                connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
                if not wait or "Expect" not in headers or _asked(stream, answer):
                    answer.sent_body = True
                    connection.sendall(body)
                _read(stream, answer)
            except ConnectionError:
                answer.reset = True
    return answer


def _asked(stream: io.BufferedReader, answer: Answer) -> bool:
    if stream.peek(12)[:12] != b"HTTP/1.1 100":
        return False
    answer.continued = True
    while stream.readline().strip():
        pass
    return True


def _read(stream: io.BufferedReader, answer: Answer) -> None:
    first = stream.readline()
    if first.startswith(b"HTTP/1.1 100"):
        answer.continued = True
        stream.readline()
        first = stream.readline()
    if not first:
        return
    answer.status = int(first.split()[1])
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        answer.headers[name.lower()] = value.strip()
    answer.body = stream.read(int(answer.headers.get("content-length", 0)))


def parquet(columns: Mapping[str, Any]) -> bytes:
    """Return columns (lists or Arrow arrays) as a Parquet file."""
    written = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), written)
    return written.getvalue()


def json_lines(*rows: Mapping[str, Any]) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


class RawClient:
    """Loads into one double, as root unless said otherwise."""

    def __init__(self, double: DorisDouble) -> None:
        self.double = double

    def headers(self, **others: str | None) -> dict[str, str]:
        """Return a load's headers; underscores in names stay, None leaves a header out."""
        usual: dict[str, str | None] = {
            "Expect": "100-continue",
            "Authorization": basic("root", self.double.password),
            "format": "json",
            "read_json_by_line": "true",
            "strict_mode": "true",
            "timezone": "+00:00",
            "group_commit": "off_mode",
        }
        return {name: value for name, value in (usual | others).items() if value is not None}

    def ask_fe(self, path: str = "/api/dicom/t/_stream_load", method: str = "PUT", **headers: str | None) -> Answer:
        """Send a request without a body to the frontend."""
        return exchange(self.double.http_port, method, path, self.headers(**headers))

    def load(self, body: bytes, table: str = "t", *, wait: bool = True, **headers: str | None) -> Answer:
        """Load a body by the first backend."""
        path = f"/api/dicom/{table}/_stream_load"
        return exchange(self.double.be_ports[0], "PUT", path, self.headers(**headers), body, wait=wait)

    def load_rows(self, *rows: Mapping[str, Any], table: str = "t", **headers: str | None) -> dict[str, Any]:
        """Load rows as JSON lines and return what is told of it."""
        return self.load(json_lines(*rows), table, **headers).json

    def state(self, label: str) -> str:
        """Return the state of a label."""
        return self.ask_fe(f"/api/dicom/get_load_state?label={label}", "GET").json["data"]

    def two_phase(self, **headers: str) -> dict[str, Any]:
        """Commit or abort by the first backend."""
        path = "/api/dicom/_stream_load_2pc"
        return exchange(self.double.be_ports[0], "PUT", path, self.headers(**headers)).json

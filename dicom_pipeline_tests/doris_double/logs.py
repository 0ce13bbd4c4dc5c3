"""What was asked of the double.

Scope: every HTTP request and every statement, as received, for tests to look at.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Request:
    """One HTTP request and what became of it.

    Attributes:
        server: ``fe`` or ``be``.
        method: PUT or GET.
        host: The Host header.
        port: The port it came in at.
        path: Path and query.
        headers: All headers, by lower-case name.
        body_bytes: How much of the body was read.
        label: The label it named.
        http_status: The answer's HTTP status; None if the connection ended without an answer.
        status: The ``Status`` (or ``status`` or ``code``) of the answer's JSON.
        tls: Whether it came over TLS.
        continued: Whether it was told to go on with its body.
    """

    server: str
    method: str
    host: str
    port: int
    path: str
    headers: Mapping[str, str]
    body_bytes: int = 0
    label: str | None = None
    http_status: int | None = None
    status: str | None = None
    tls: bool = False
    continued: bool = False

    @property
    def authorization(self) -> str | None:
        """The Authorization header, as received."""
        return self.headers.get("authorization")


@dataclass(slots=True)
class RequestLog:
    """The requests, in the order in which their headers were in."""

    _requests: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, request: Request) -> None:
        """Note a request."""
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._requests.clear()

    def all(self, server: str | None = None, *, containing: str = "") -> list[Request]:
        """Return the requests of one kind of server whose path has this in it."""
        with self._lock:
            return [r for r in self._requests if server in (None, r.server) and containing in r.path]

    def loads(self) -> list[Request]:
        """Return the requests to backends that were loads."""
        return [r for r in self.all("be") if r.path.partition("?")[0].endswith("/_stream_load")]


@dataclass(slots=True)
class SqlLog:
    """The statements, in the order in which they came."""

    _statements: list[str] = field(default_factory=list)

    def add(self, statement: str) -> None:
        """Note a statement."""
        self._statements.append(statement)

    def clear(self) -> None:
        """Forget all."""
        self._statements.clear()

    def all(self, containing: str = "") -> list[str]:
        """Return the statements that have this in them."""
        return [statement for statement in list(self._statements) if containing in statement]

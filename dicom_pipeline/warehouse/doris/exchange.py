"""One HTTP request and its answer, with a real ``Expect: 100-continue``.

Scope: HTTP/1.1 as far as a load needs it, over a connection of its own each time. Nothing is followed, repeated or
understood here, and nothing is taken from the environment: no proxy, no .netrc, no cookies.

Doris answers a load it refuses before it has read it. So the body is held back until the server asks for it, and an
answer that comes before or amid the body ends the sending and counts.
"""

import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO

from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.doris.url import Endpoint
from dicom_pipeline.warehouse.doris.wire import Closed, Wire, is_lasting, reason_of

_HEAD_BYTES = 1 << 16
_PIECE_BYTES = 1 << 18
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: .*)?")
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and whether it is spoken to over TLS."""

    secure: bool
    endpoint: Endpoint

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.endpoint}"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; ``headers`` without those that follow from the connection and the body."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: BinaryIO | None = field(default=None, repr=False)
    length: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, and how much.

    Attributes:
        seconds: The whole exchange.
        answer: Bytes of the answer's body that are read, the rest is left.
        until_body: Seconds for which the body is held back from a server that does not ask for it.
        ending: Seconds from the head of the answer to the end of its body.
    """

    seconds: float
    answer: int = 1 << 20
    until_body: float = 3.0
    ending: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: names of headers are lower-case; the body may be cut, by the server or by a limit."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class NoAnswer(Exception):
    """There is no answer; the reason holds no values.

    ``begun`` tells whether the server may have got the request, ``lasting`` whether trying again is of no use.
    """

    def __init__(self, reason: str, *, begun: bool, lasting: bool = False) -> None:
        self.reason, self.begun, self.lasting = reason, begun, lasting
        super().__init__(reason)


def exchange(address: Address, request: Request, limits: Limits, context: ssl.SSLContext | None = None) -> Answer:
    """Send the request and return the answer, be it a refusal.

    Args:
        address: Where to; connected to directly.
        request: Its body, if it has one, is read from where it stands.
        limits: Time and size.
        context: Whom to trust if the address is secure.

    Raises:
        NoAnswer: None came, or nothing that is HTTP, or not in time.
        WarehouseError: The request cannot be sent: the body cannot be read, a header holds control characters.
    """
    head = _head(address, request)
    begun = False
    try:
        with closing(Wire(address.endpoint, context if address.secure else None, limits.seconds)) as wire:
            begun = True
            status, headers = _send(wire, head, request, limits)
            wire.hurry(limits.ending)
            # What follows a redirect is nothing to be read, and not always said to be nothing.
            return Answer(status, headers, b"" if 300 <= status < 400 else _body(wire, headers, limits.answer))
    except OSError as error:
        raise NoAnswer(reason_of(error), begun=begun, lasting=not begun and is_lasting(error)) from None
    except ValueError:
        raise NoAnswer("what it says is not HTTP", begun=begun) from None


def _head(address: Address, request: Request) -> bytes:
    headers = {
        "Host": str(address.endpoint),
        "User-Agent": "dicom-pipeline",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **request.headers,
    }
    if request.method == "PUT":
        headers["Content-Length"] = str(request.length)
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any(map(_UNSENDABLE.search, lines)) or " " in request.path:
        raise WarehouseError("a name or label holds a character that cannot be sent to Doris")
    return "\r\n".join([*lines, "", ""]).encode()


def _send(wire: Wire, head: bytes, request: Request, limits: Limits) -> tuple[int, dict[str, str]]:
    """Send everything, or as much as the server wants; return the head of its last word."""
    try:
        answered = _insist(wire, head)
        if not answered and request.body is not None:
            answered = _asked(wire, limits.until_body) or _send_body(wire, request.body, request.length)
    except (ConnectionError, ssl.SSLError):
        # The server has gone, perhaps after a last word that lies here already.
        answered = None
    while not answered:
        answered = _final(wire)
    return answered


def _asked(wire: Wire, seconds: float) -> tuple[int, dict[str, str]] | None:
    """Wait for ``100 Continue``, or as long as that; return the head of an answer that comes instead."""
    until = time.monotonic() + seconds
    while wire.heard(until - time.monotonic()):
        status, headers = _read_head(wire)
        if status >= 200:
            return status, headers
        if status == 100:
            break
    return None


def _send_body(wire: Wire, body: BinaryIO, length: int) -> tuple[int, dict[str, str]] | None:
    left = length
    while left:
        piece = _read(body, min(left, _PIECE_BYTES))
        left -= len(piece)
        if answered := _insist(wire, piece):
            return answered
    return None


def _insist(wire: Wire, data: bytes) -> tuple[int, dict[str, str]] | None:
    """Send all of ``data``, whatever 1xx comes in between; return the head of an answer that ends it."""
    rest = memoryview(data)
    while rest := rest[wire.send(rest) :]:
        if answered := _final(wire):
            return answered
    return None


def _read(body: BinaryIO, most: int) -> bytes:
    try:
        piece = body.read(most)
    except OSError as error:
        raise WarehouseError(f"the rows spooled for Doris cannot be read: {reason_of(error)}") from None
    if not piece:
        raise WarehouseError("the rows spooled for Doris are fewer bytes than were written")
    return piece


def _final(wire: Wire) -> tuple[int, dict[str, str]] | None:
    """Read the next head; return it unless it is a 1xx."""
    status, headers = _read_head(wire)
    return (status, headers) if status >= 200 else None


def _read_head(wire: Wire) -> tuple[int, dict[str, str]]:
    left = _HEAD_BYTES
    status_line = _STATUS_LINE.fullmatch(wire.line(left))
    if status_line is None:
        raise ValueError
    headers: dict[str, str] = {}
    while line := wire.line(left):
        left -= len(line) + 1
        if left <= 0:
            raise ValueError
        name, _, value = line.decode("latin-1").partition(":")
        headers.setdefault(name.lower(), value.strip())
    return int(status_line[1]), headers


def _body(wire: Wire, headers: Mapping[str, str], limit: int) -> bytes:
    """Return what arrives of the body: an answer that is cut off in the end is for its reader to judge."""
    body = bytearray()
    try:
        for piece in _pieces(wire, headers):
            body += piece
            if len(body) >= limit:
                break
    except (OSError, ValueError):
        pass
    return bytes(body[:limit])


def _pieces(wire: Wire, headers: Mapping[str, str]) -> Iterator[bytes]:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int(wire.line(_HEAD_BYTES).partition(b";")[0], 16):
            yield from _exactly(wire, size)
            wire.line(_HEAD_BYTES)
    elif "content-length" in headers:
        yield from _exactly(wire, int(headers["content-length"]))
    else:
        while piece := wire.read(_PIECE_BYTES):
            yield piece


def _exactly(wire: Wire, count: int) -> Iterator[bytes]:
    if count < 0:
        raise ValueError
    while count:
        piece = wire.read(min(count, _PIECE_BYTES))
        if not piece:
            raise Closed
        count -= len(piece)
        yield piece

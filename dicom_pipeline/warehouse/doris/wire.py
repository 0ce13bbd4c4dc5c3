"""A connection to one server, every wait on which ends: one deadline stands over all of them together.

Scope: connecting, TLS, bytes there and back. What the bytes mean is ``exchange.py``'s matter. No proxy is ever asked,
whatever the environment says.

The socket never blocks. While bytes are sent, what the server says meanwhile is taken in: a server that refuses a load
early stops reading it, and whoever only wrote would wait for ever, or lose the answer to a reset.
"""

import os
import select
import socket
import ssl
import time

from dicom_pipeline.warehouse.doris.url import Endpoint

_CONNECT_SECONDS = 10.0
_AT_ONCE = 1 << 16
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "UNSUPPORTED_PROTOCOL", "RECORD_LAYER_FAILURE")
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# Hosts that vanish are noticed, as they are on the connections to PostgreSQL.
_WATCH = ((socket.SO_KEEPALIVE, socket.SOL_SOCKET, 1), (socket.TCP_NODELAY, socket.IPPROTO_TCP, 1))
_WATCH_LINUX = ((socket.TCP_KEEPIDLE, socket.IPPROTO_TCP, 60), (socket.TCP_USER_TIMEOUT, socket.IPPROTO_TCP, 120_000))


class Closed(ConnectionError):
    """The server closed the connection before it had said what was waited for."""


class Wire:
    """A connection that is made when this is; ``close`` it."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None, seconds: float) -> None:
        """Connect.

        Args:
            endpoint: Where to.
            context: Whom to trust if TLS is spoken, else None.
            seconds: From now to the end of everything that is done on the connection.

        Raises:
            OSError: It cannot be made; ``TimeoutError`` and ``ssl.SSLError`` are among these.
        """
        self._deadline = time.monotonic() + seconds
        self._arrived = bytearray()
        self._ended = False
        self._socket = _connect(endpoint, self._deadline)
        try:
            if context is not None:
                self._socket.settimeout(_patience(self._deadline))
                self._socket = secured = context.wrap_socket(
                    self._socket, server_hostname=endpoint.host, do_handshake_on_connect=False
                )
                secured.do_handshake()
            self._socket.setblocking(False)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give up the connection, whatever is under way on it."""
        self._socket.close()

    def hurry(self, seconds: float) -> None:
        """Move the deadline to ``seconds`` from now, if it is later."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def send(self, data: bytes | memoryview) -> int:
        """Send ``data`` until the server speaks or ends; return how many bytes were sent."""
        sent = 0
        while sent < len(data) and not self._heard_now():
            try:
                sent += self._socket.send(data[sent : sent + _AT_ONCE])
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, self._deadline)
            except _NOT_NOW:
                self._wait(select.POLLIN | select.POLLOUT, self._deadline)
        return sent

    def heard(self, seconds: float) -> bool:
        """Wait until the server has said something or ended; return False where it has not after ``seconds``."""
        until = time.monotonic() + seconds
        while not self._heard_now():
            if time.monotonic() >= until:
                return False
            self._wait(select.POLLIN, min(until, self._deadline))
        return True

    def line(self, limit: int) -> bytes:
        """Return the next line without its end.

        Raises:
            ValueError: It is longer than ``limit``.
            OSError: It does not come whole.
        """
        while (end := self._arrived.find(b"\n", 0, limit)) < 0:
            if len(self._arrived) >= limit:
                raise ValueError
            if not self._fill():
                raise Closed
        line = bytes(self._arrived[:end])
        del self._arrived[: end + 1]
        return line.removesuffix(b"\r")

    def read(self, most: int) -> bytes:
        """Return at least one byte and at most ``most``, or nothing at the end."""
        if not self._arrived and not self._fill():
            return b""
        piece = bytes(self._arrived[:most])
        del self._arrived[:most]
        return piece

    def _fill(self) -> bool:
        """Wait for more than has arrived; return False at the end."""
        while not self._ended and not self._take():
            self._wait(select.POLLIN, self._deadline)
        return not self._ended

    def _heard_now(self) -> bool:
        return bool(self._arrived) or self._ended or self._take()

    def _take(self) -> bool:
        """Take in what is there without waiting; return whether anything is, the end included."""
        if time.monotonic() > self._deadline:
            raise TimeoutError
        try:
            data = self._socket.recv(_AT_ONCE)
        except _NOT_NOW:
            return False
        self._arrived += data
        self._ended = not data
        return True

    def _wait(self, events: int, until: float) -> None:
        """Wait for the socket, or until that moment."""
        poll = select.poll()
        poll.register(self._socket, events)
        poll.poll(max(0.0, until - time.monotonic()) * 1000 + 1)


def reason_of(error: OSError) -> str:
    """Return in a few words what failed; there are no values in it."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case Closed():
            return "it closed the connection without an answer"
        case socket.gaierror():
            return "no such host is known"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message}); the option tls_ca names a CA file"
        case ssl.SSLError():
            return "it does not speak https" if error.reason in _NOT_TLS else "TLS failed"
    return os.strerror(error.errno).lower() if error.errno else "the connection failed"


def is_lasting(error: OSError) -> bool:
    """Return whether trying again is of no use: TLS is not spoken there, or its certificate is not trusted."""
    return isinstance(error, ssl.SSLError) and (
        isinstance(error, ssl.SSLCertVerificationError) or error.reason in _NOT_TLS
    )


def _connect(endpoint: Endpoint, deadline: float) -> socket.socket:
    """Return a connection to the first address of the host that takes one."""
    failure = OSError()
    for family, kind, protocol, _, address in _addresses(endpoint):
        connection = socket.socket(family, kind, protocol)
        try:
            for option, level, value in (*_WATCH, *_WATCH_LINUX):
                connection.setsockopt(level, option, value)
            connection.settimeout(_patience(deadline))
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
    raise failure


def _addresses(endpoint: Endpoint) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    try:
        return list(socket.getaddrinfo(*endpoint, type=socket.SOCK_STREAM))
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None


def _patience(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, _CONNECT_SECONDS)

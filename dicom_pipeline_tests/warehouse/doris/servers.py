"""Servers that do what a test tells them, byte by byte, on sockets of their own."""

import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from dicom_pipeline.warehouse.doris.url import Endpoint

_SECONDS = 5.0


class Talk:
    """One connection, seen from the server; ``head`` and ``body`` are what it has read."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.head = ""
        self.body = bytearray()
        self._spare = b""

    def read_head(self) -> str:
        while b"\r\n\r\n" not in self._spare:
            self._spare += self._receive()
        head, _, self._spare = self._spare.partition(b"\r\n\r\n")
        self.head = head.decode()
        return self.head

    def read_body(self, count: int | None = None) -> bytearray:
        """Read as much as the head has announced, or ``count`` bytes."""
        wanted = int(self.header("Content-Length")) if count is None else count
        while len(self.body) < wanted:
            self.body += self._spare or self._receive()
            self._spare = b""
        return self.body

    def header(self, name: str) -> str:
        found = [line.split(": ", 1)[1] for line in self.head.split("\r\n")[1:] if line.startswith(f"{name}: ")]
        assert len(found) == 1, f"{name} is there {len(found)} times"
        return found[0]

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)

    def is_silent(self, seconds: float = 0.03) -> bool:
        """Whether the client sends nothing for as long as that."""
        return not self._spare and not select.select([self.connection], [], [], seconds)[0]

    def has_gone(self) -> bool:
        """Whether the client closes the connection now."""
        try:
            return self.connection.recv(1) == b""
        except ConnectionError:
            return True

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _receive(self) -> bytes:
        data = self.connection.recv(1 << 16)
        if not data:
            raise ConnectionError("the client went")
        return data


Turn: TypeAlias = Callable[[Talk], None]


class Server:
    """Answers each connection with its next turn; one too many is a failure of the test."""

    def __init__(self, *turns: Turn, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.turns = list(turns)
        self.talks: list[Talk] = []
        self.failures: list[BaseException] = []
        self._context = context
        self._listener = socket.create_server((host, 0), family=family)
        self.endpoint = Endpoint(host, self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def heads(self) -> list[str]:
        return [talk.head for talk in self.talks]

    @property
    def bodies(self) -> list[bytes]:
        return [bytes(talk.body) for talk in self.talks if talk.body]

    def stop(self) -> None:
        """Take no more connections and wait for the last one to end; may be called again."""
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self._thread.join(_SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_SECONDS)
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
        except OSError:
            return
        with connection:
            talk = Talk(connection)
            self.talks.append(talk)
            try:
                self.turns.pop(0)(talk)
            except BaseException as error:
                self.failures.append(error)


def http(status: int = 200, body: bytes | str = b"", **headers: str) -> bytes:
    """A whole answer; headers by their names with ``_`` for ``-``."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


def as_json(**told: Any) -> bytes:
    return http(200, json.dumps(told) + "\n", Content_Type="application/json")


def answering(data: bytes) -> Turn:
    """Read a head, say that, and wait for the client to go, as a frontend does."""

    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(data)
        talk.has_gone()

    return turn


def loading(data: bytes, before: bytes = b"HTTP/1.1 100 Continue\r\n\r\n") -> Turn:
    """Ask for the body, read it, say that, as a backend does."""

    def turn(talk: Talk) -> None:
        talk.read_head()
        talk.say(before)
        talk.read_body()
        talk.say(data)

    return turn


def losing(read_body: bool = True) -> Turn:
    """Take a load, and break the connection without a word."""

    def turn(talk: Talk) -> None:
        talk.read_head()
        if read_body:
            talk.say(b"HTTP/1.1 100 Continue\r\n\r\n")
            talk.read_body()
        talk.reset()

    return turn


def trickling(data: bytes, seconds: float = 0.01) -> Turn:
    """Say it byte by byte and never end, until the client goes."""

    def turn(talk: Talk) -> None:
        talk.read_head()
        try:
            for byte in data:
                talk.say(bytes([byte]))
                time.sleep(seconds)
        except OSError:
            return
        talk.has_gone()

    return turn

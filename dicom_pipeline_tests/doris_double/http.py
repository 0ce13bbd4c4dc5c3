"""HTTP/1.1 by hand.

Scope: reading a request's head and, when its reader wants it, its body; writing an answer; ending a connection well or
badly. A library would answer ``Expect: 100-continue`` and read bodies on its own, which is what is to be seen here.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

from dicom_pipeline_tests.doris_double.logs import Request

MOST_HEAD_BYTES = 64 << 10
CHUNK = 64 << 10
_REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 404: "Not Found", 502: "Bad Gateway"}


class Gone(Exception):
    """The other side has closed the connection."""


class Exchange:
    """One request on one connection, and its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> None:
        self.reader = reader
        self.writer = writer
        self.request = request

    def header(self, name: str, default: str = "") -> str:
        """Return a header's value."""
        return self.request.headers.get(name, default)

    @property
    def has(self) -> Mapping[str, str]:
        """The headers, by lower-case name."""
        return self.request.headers

    async def go_on(self) -> None:
        """Tell the client to send its body, if it waits for that."""
        if "expect" in self.request.headers:
            self.request.continued = True
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await self.writer.drain()

    async def body(self, stop_after: int | None = None) -> bytes:
        """Read the body, or only some of it.

        Raises:
            Gone: The connection ended before the body did.
        """
        parts: list[bytes] = []
        try:
            if "transfer-encoding" in self.request.headers:
                await self._chunked(parts, stop_after)
            else:
                left = int(self.header("content-length", "0"))
                await self._counted(parts, left if stop_after is None else min(left, stop_after))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Gone from None
        return b"".join(parts)

    async def _counted(self, parts: list[bytes], left: int) -> None:
        while left:
            part = await self.reader.read(min(left, CHUNK))
            if not part:
                raise Gone
            self._took(parts, part)
            left -= len(part)

    async def _chunked(self, parts: list[bytes], stop_after: int | None) -> None:
        while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            self._took(parts, await self.reader.readexactly(size))
            await self.reader.readexactly(2)
            if stop_after is not None and self.request.body_bytes >= stop_after:
                return
        await self.reader.readuntil(b"\r\n")

    def _took(self, parts: list[bytes], part: bytes) -> None:
        parts.append(part)
        self.request.body_bytes += len(part)

    async def answer_json(self, told: Mapping[str, Any], *, cut: bool = False) -> None:
        """Answer with JSON, as Doris does: always with status 200."""
        status = next((told[name] for name in ("Status", "status", "code") if name in told), None)
        self.request.status = None if cut else str(status)
        text = json.dumps(told, indent=4, ensure_ascii=False) + "\n"
        await self.answer(200, text[: len(text) // 2] if cut else text, "application/json")

    async def answer(
        self, status: int, text: str, kind: str = "text/plain", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer; the connection is closed after it."""
        body = text.encode()
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Type: {kind};charset=utf-8"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        self.request.http_status = status
        await self.send("\r\n".join(lines).encode() + body)

    async def send(self, answer: bytes) -> None:
        """Send bytes as they are."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(answer)
            await self.writer.drain()

    def reset(self) -> None:
        """End the connection with a reset, so that whatever the client still sends fails."""
        handle = self.writer.get_extra_info("socket")
        if handle is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def read_request(server: str, reader: asyncio.StreamReader, port: int, *, tls: bool) -> Request:
    """Read a request's line and headers, and nothing after them.

    Raises:
        Gone: There is no whole head.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        raise Gone from None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    try:
        method, path, _ = first.split(" ")
    except ValueError:
        raise Gone from None
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    host = headers.get("host", "")
    return Request(server, method, host, port, path, headers, label=headers.get("label"), tls=tls)

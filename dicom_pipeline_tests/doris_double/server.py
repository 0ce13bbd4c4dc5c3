"""A listening socket of the frontend or a backend.

Scope: accepting connections, reading each one's single request, noting it, and the faults that are the same everywhere.
"""

import asyncio
import contextlib
import ssl
from abc import ABC, abstractmethod

from dicom_pipeline_tests.doris_double.cluster import Cluster
from dicom_pipeline_tests.doris_double.faults import Action, Place
from dicom_pipeline_tests.doris_double.http import MOST_HEAD_BYTES, Exchange, Gone, read_request

_PROXY_PAGE = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"
_SEEN_SECONDS = 0.02
"""How long an early answer has to arrive before the reset that follows it."""


class HttpServer(ABC):
    """One server; a subclass says what it answers."""

    kind: str

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=MOST_HEAD_BYTES, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Listen no longer, and end every connection."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            tls = writer.get_extra_info("ssl_object") is not None
            request = await read_request(self.kind, reader, self.port, tls=tls)
            self.cluster.requests.add(request)
            await self.handle(Exchange(reader, writer, request))
        except (Gone, OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            with contextlib.suppress(ConnectionError):
                writer.close()

    @abstractmethod
    async def handle(self, exchange: Exchange) -> None:
        """Answer a request."""

    async def early_end(self, exchange: Exchange) -> None:
        """End a connection whose body was not read: what is still on its way meets a reset."""
        if exchange.header("content-length", "0") == "0" and "transfer-encoding" not in exchange.has:
            return
        await asyncio.sleep(_SEEN_SECONDS)
        exchange.reset()

    async def stumble(self, exchange: Exchange, place: Place) -> Action | None:
        """Let the fault of a place happen; return what the caller has to do of it.

        Raises:
            Gone: The connection is over.
        """
        fault = self.cluster.faults.take(place, exchange.request.path)
        if fault is None:
            return None
        if fault.action is Action.DELAY:
            await asyncio.sleep(fault.seconds)
            return None
        if fault.action in (Action.TRUNCATE, Action.NO_BACKEND):
            return fault.action
        if fault.action is Action.ANSWER:
            exchange.request.http_status = int(fault.answer[9:12]) if fault.answer[9:12].isdigit() else None
            await exchange.send(fault.answer)
        elif fault.action is Action.HTML_502:
            await exchange.answer(502, _PROXY_PAGE, "text/html")
        elif fault.action is Action.RESET:
            exchange.reset()
        raise Gone

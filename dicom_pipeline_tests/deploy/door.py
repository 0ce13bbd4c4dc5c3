"""A TCP port of this machine in front of a Unix socket: the embedded server listens on no port."""

import contextlib
import shutil
import socket
import socketserver
import threading
from pathlib import Path
from typing import Self


class Door:
    """Passes what comes in at ``port`` on to the socket, and back."""

    def __init__(self, behind: Path) -> None:
        class Passing(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as server:
                    server.connect(str(behind))
                    back = threading.Thread(target=_pass, args=(server, self.request))
                    back.start()
                    _pass(self.request, server)
                    back.join()

        socketserver.ThreadingTCPServer.daemon_threads = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passing)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        with source.makefile("rb", 0) as reader, target.makefile("wb", 0) as writer:
            shutil.copyfileobj(reader, writer)
        target.shutdown(socket.SHUT_WR)

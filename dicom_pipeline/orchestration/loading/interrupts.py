"""Ctrl-C that cannot get lost.

Scope: noticing SIGINT beside whoever handles it. A handler raises wherever the interpreter happens to be; now and then
that is a callback whose exceptions are thrown away (a weak reference's), and the interrupt with them. The
interpreter's wake-up descriptor is told of every signal, whatever its handler does.
"""

import os
import signal
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Interrupts:
    """Notices interrupts while it is entered; only the main thread's do exist."""

    def __init__(self) -> None:
        self._seen = False
        self._pipe: tuple[int, int] | None = None
        self._before = -1

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            self._before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pipe is not None:
            signal.set_wakeup_fd(self._before)
            for descriptor in self._pipe:
                os.close(descriptor)
            self._pipe = None

    def heed(self) -> None:
        """Raise ``KeyboardInterrupt`` if there was an interrupt, handled or not."""
        if self._pipe is not None:
            with suppress(BlockingIOError):  # nothing has happened since
                self._seen = self._seen or signal.SIGINT in os.read(self._pipe[0], 4096)
        if self._seen:
            raise KeyboardInterrupt

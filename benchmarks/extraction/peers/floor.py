"""The floor: what the operating system alone costs a file.

Scope: open, fstat, read 16 KB, close, and nothing else, in C and in the leanest Python.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.extraction.peers.base import Nothing, Prepared, Rows, of_paths
from benchmarks.extraction.peers.compiled import compiled, run

_BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class FloorInC:
    """A compiled loop."""

    slow: bool = False
    does: str = "open, fstat, pread 16 KB, close; nothing read"

    def prepare(self) -> Prepared:
        """See ``Peer``."""
        program = str(compiled("floor.c", "gcc"))

        def read(paths: Sequence[str]) -> Rows:
            run([program], paths)
            return Nothing()

        return of_paths(read)


@dataclass(frozen=True, slots=True)
class FloorInPython:
    """The same calls from Python, into one buffer."""

    slow: bool = False
    does: str = "the same from Python"

    def prepare(self) -> Prepared:
        """See ``Peer``."""
        buffers = [bytearray(_BLOCK)]

        def read(paths: Sequence[str]) -> Rows:
            for path in paths:
                descriptor = os.open(path, os.O_RDONLY)
                os.fstat(descriptor)
                os.preadv(descriptor, buffers, 0)
                os.close(descriptor)
            return Nothing()

        return of_paths(read)

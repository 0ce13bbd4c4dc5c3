from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy.typing as npt

Buffer: TypeAlias = bytes | npt.NDArray[Any]

class Scan:
    def __init__(
        self, slots: Buffer, known: Buffer, lengths: Buffer, syntaxes: Mapping[bytes, int], in_flight: int
    ) -> None: ...
    def note_into(
        self,
        buffer: Buffer,
        status: Buffer,
        offsets: Buffer,
        lengths: Buffer,
        vrs: Buffer,
        big_endian: Buffer,
        sizes: Buffer,
    ) -> None: ...
    def read_files(
        self, root: int, prefix: Buffer, paths: Buffer, ends: Buffer, sizes: Buffer, modified: Buffer
    ) -> None: ...
    def walk_bytes(self, number: int, data: Buffer, whole: bool) -> None: ...
    def walk_file(self, number: int, data: Buffer) -> None: ...

def same_as_before(
    buffer: Buffer,
    offsets: Buffer,
    lengths: Buffer,
    vrs: Buffer,
    big_endian: Buffer,
    files: Buffer,
    same: Buffer,
) -> None: ...

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

class Scan:
    def __init__(self, slots: Buffer, known: Buffer, lengths: Buffer, syntaxes: Mapping[bytes, int]) -> None: ...
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

def gather(
    buffer: Buffer, offsets: Buffer, lengths: Buffer
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]: ...

"""The body of a load: rows as Doris reads them.

Scope: the value type.
"""

from dataclasses import dataclass
from typing import BinaryIO

from dicom_pipeline.warehouse.doris.url import BodyFormat


@dataclass(frozen=True, slots=True)
class Body:
    """Rows, written and counted.

    Attributes:
        stream: Seekable; read from its start each time it is sent.
        bytes: Its length.
        rows: Rows it holds.
        format: How they are written.
    """

    stream: BinaryIO
    bytes: int
    rows: int
    format: BodyFormat

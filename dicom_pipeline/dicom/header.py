"""What a reader takes from a file: the wanted elements of the data set's top level, undecoded.

Scope: the value types between readers (bytes to elements) and records (elements to values), and the error a reader
raises. No parsing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from dicom_pipeline.dicom.reasons import Reason


@dataclass(frozen=True, slots=True)
class Element:
    """One element of the data set's top level.

    Attributes:
        vr: Two letters. UN, and a VR that makes no sense, are already replaced by the data dictionary's (PS3.6), as is
            the absent VR of Implicit VR Little Endian.
        value: The value field's bytes, at most ``MAX_VALUE_BYTES`` of them.
    """

    vr: str
    value: bytes


MAX_VALUE_BYTES = 1 << 20
"""No wanted attribute may legally come near this: what is longer is over-long under every rule."""


@dataclass(frozen=True, slots=True)
class Header:
    """The wanted part of one file.

    Attributes:
        elements: By tag (group in the upper 16 bits); sequences are left out, of repeated elements the last counts.
        little_endian: Byte order of the data set's binary values.
        transfer_syntax_uid: Text of (0002,0010) in the File Meta Information, or in the data set; None if neither
            has it or it is empty. Trailing blanks and NULs are cut.
    """

    elements: Mapping[int, Element]
    little_endian: bool
    transfer_syntax_uid: str | None


class HeaderError(Exception):
    """A file's header cannot be had; ``reason`` says why. Holds nothing read from the file."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class HeaderReader(Protocol):
    """Turns one open file into a header."""

    def read(self, stream: BinaryIO, size: int) -> Header:
        """Read the header of a file of ``size`` bytes, whatever its content.

        Raises:
            HeaderError: NotDicom, EmptyFile, Unreadable or LimitExceeded.
            OSError: The operating system could not read.
        """

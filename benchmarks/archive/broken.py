"""Files that are broken in the ways of real archives.

Scope: turning a good file into a bad one. Which files are chosen is decided in ``writer.py``.
"""

from enum import Enum
from random import Random

from benchmarks.archive.elements import Instance
from benchmarks.archive.template import Template


class Fault(Enum):
    """How a file is broken."""

    TRUNCATED = "ends within the header"
    EMPTY = "has no bytes"
    NOT_DICOM = "is something else"
    CONTRADICTION = "is encoded in another way than its transfer syntax says"


def draw_fault(random: Random, per_mille: float) -> Fault | None:
    """Return a fault for ``per_mille`` files of a thousand, and None for the others."""
    return random.choice(tuple(Fault)) if random.random() * 1000 < per_mille else None


def spoil(fault: Fault, good: bytes, contradicting: Template, instance: Instance, random: Random) -> bytes:
    """Return the bytes of the broken file.

    Args:
        fault: How it is broken.
        good: The whole file.
        contradicting: The template of the series whose data set contradicts File Meta.
        instance: The file's instance.
        random: Decides where it is cut, and what else it is.
    """
    match fault:
        case Fault.TRUNCATED:
            return good[: random.randint(200, 1500)]
        case Fault.EMPTY:
            return b""
        case Fault.NOT_DICOM:
            return b"\x89PNG\r\n\x1a\n" + random.randbytes(2000)
        case Fault.CONTRADICTION:
            return contradicting.render(instance)

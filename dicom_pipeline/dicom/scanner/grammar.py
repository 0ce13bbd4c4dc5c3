"""What a walk has to know of the standard, as arrays: tags, VRs, transfer syntaxes.

Scope: the tables of ``dictionary.py`` and ``encoding.py`` in the form the walks use, made once a process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.dictionary import known_tags, vr_length_bytes
from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicom_pipeline.dicom.encoding import DEFLATED_SYNTAXES, SPECIAL_ENCODINGS

_LETTERS = 26


class Layout(IntEnum):
    """How the elements of a data set are laid out (PS3.5 A), as a number that compiled code can hold."""

    EXPLICIT_LITTLE = 0
    IMPLICIT_LITTLE = 1
    EXPLICIT_BIG = 2
    DEFLATED = 3


_LAYOUTS: Mapping[Encoding, Layout] = {
    EXPLICIT_LITTLE: Layout.EXPLICIT_LITTLE,
    IMPLICIT_LITTLE: Layout.IMPLICIT_LITTLE,
    EXPLICIT_BIG: Layout.EXPLICIT_BIG,
}


@dataclass(frozen=True, slots=True)
class Grammar:
    """The tables.

    Attributes:
        known: Every tag of the data dictionary (PS3.6) that tells an element from chance bytes, ascending, uint32.
        vr_lengths: For each pair of letters ``26 * first + second`` (A is 0) the bytes its length takes as a VR
            (PS3.5 7.1.2): 2, 4, or 0 where it is none, uint8, shape (676,).
        syntaxes: The Transfer Syntax UIDs that are not Explicit VR Little Endian, with the layout of each.
    """

    known: npt.NDArray[np.uint32]
    vr_lengths: npt.NDArray[np.uint8]
    syntaxes: Mapping[bytes, Layout]


@cache
def grammar() -> Grammar:
    """Return the tables."""
    vr_lengths = np.zeros(_LETTERS * _LETTERS, np.uint8)
    for (first, second), length in vr_length_bytes().items():
        vr_lengths[_LETTERS * (first - ord("A")) + second - ord("A")] = length
    syntaxes = {uid.encode(): _LAYOUTS[encoding] for uid, encoding in SPECIAL_ENCODINGS.items()}
    syntaxes |= {uid.encode(): Layout.DEFLATED for uid in DEFLATED_SYNTAXES}
    return Grammar(np.array(known_tags(), np.uint32), vr_lengths, syntaxes)

"""What a scan would have noted, made of headers: for tests of the columns that do not depend on a scanner."""

from collections.abc import Iterator, Sequence

import numpy as np

from dicom_pipeline.dicom.encoding import TRANSFER_SYNTAX_UID
from dicom_pipeline.dicom.header import Element, Header
from dicom_pipeline.dicom.scanner.noted import ABSENT, SLOTS, Noted, Status

NO_VR = ""


def noted_of(headers: Sequence[Header], *, gap: int = 3) -> Noted:
    """Return the batch of these headers' files, all PLAIN; a VR of ``NO_VR`` is that of an implicit stream.

    Args:
        headers: One a file.
        gap: Bytes of something else between two values.
    """
    shape = (len(SLOTS), len(headers))
    # Where there is no element, nobody may look at the place: it leads nowhere.
    offsets, lengths = np.full(shape, 1 << 62, np.int64), np.full(shape, ABSENT, np.int32)
    vrs = np.zeros(shape, np.uint16)
    laid = bytearray()
    for file, header in enumerate(headers):
        for tag, element in _elements(header):
            slot = SLOTS.index(tag)
            laid += b"\xfe" * gap
            offsets[slot, file], lengths[slot, file] = len(laid), len(element.value)
            vrs[slot, file] = int.from_bytes(element.vr.encode(), "big")
            laid += element.value
    return Noted(
        np.frombuffer(bytes(laid), np.uint8),
        np.full(len(headers), Status.PLAIN, np.uint8),
        offsets,
        lengths,
        vrs,
        np.array([not header.little_endian for header in headers], np.bool_),
        np.arange(1000, 1000 + len(headers), dtype=np.int64),
    )


def _elements(header: Header) -> Iterator[tuple[int, Element]]:
    if header.transfer_syntax_uid is not None:
        yield TRANSFER_SYNTAX_UID, Element("UI", header.transfer_syntax_uid.encode("latin_1"))
    yield from header.elements.items()

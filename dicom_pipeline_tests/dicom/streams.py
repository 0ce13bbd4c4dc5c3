"""DICOM bytes for tests, written by hand so that they can break any rule.

Scope: elements, items, sequences and files as bytes. Nothing here reads.
"""

import io
import struct
import zlib

from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicom_pipeline.dicom.header import Header
from dicom_pipeline.dicom.pydicom_reader import PydicomReader

LONG_VRS = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
UNDEFINED = 0xFFFF_FFFF
PREAMBLE = bytes(128)

SOP_CLASS = 0x0008_0016
SOP_UID = 0x0008_0018
STUDY_DATE = 0x0008_0020
MODALITY = 0x0008_0060
SERIES_SEQUENCE = 0x0008_1115
PATIENT_ID = 0x0010_0020
SERIES_UID = 0x0020_000E
ROWS = 0x0028_0010
RESCALE_TYPE = 0x0028_1054
PIXEL_DATA = 0x7FE0_0010

IMPLICIT_UID = "1.2.840.10008.1.2"
EXPLICIT_UID = "1.2.840.10008.1.2.1"
DEFLATED_UID = "1.2.840.10008.1.2.1.99"
BIG_UID = "1.2.840.10008.1.2.2"
JPEG_UID = "1.2.840.10008.1.2.4.50"
UID_OF = {EXPLICIT_LITTLE: EXPLICIT_UID, IMPLICIT_LITTLE: IMPLICIT_UID, EXPLICIT_BIG: BIG_UID}


def tag_bytes(tag: int, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    return struct.pack("<HH" if encoding.little_endian else ">HH", tag >> 16, tag & 0xFFFF)


def length_bytes(length: int, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    return struct.pack("<L" if encoding.little_endian else ">L", length)


def short_bytes(length: int, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    return struct.pack("<H" if encoding.little_endian else ">H", length)


def element(
    tag: int, vr: str, value: bytes = b"", encoding: Encoding = EXPLICIT_LITTLE, length: int | None = None
) -> bytes:
    """One element; ``length`` is what its header says if that is not the truth."""
    length = len(value) if length is None else length
    head = tag_bytes(tag, encoding)
    if not encoding.explicit:
        return head + length_bytes(length, encoding) + value
    if vr in LONG_VRS:
        return head + vr.encode() + b"\0\0" + length_bytes(length, encoding) + value
    return head + vr.encode() + short_bytes(length, encoding) + value


def text(tag: int, vr: str, value: str, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    """One element with text, padded to an even length."""
    raw = value.encode("latin-1")
    return element(tag, vr, raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2), encoding)


def delimiter(tag: int, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    return tag_bytes(tag, encoding) + bytes(4)


def item(content: bytes, encoding: Encoding = EXPLICIT_LITTLE, *, defined: bool = False) -> bytes:
    head = tag_bytes(0xFFFE_E000, encoding)
    if defined:
        return head + length_bytes(len(content), encoding) + content
    return head + length_bytes(UNDEFINED, encoding) + content + delimiter(0xFFFE_E00D, encoding)


def sequence(
    tag: int, *items: bytes, encoding: Encoding = EXPLICIT_LITTLE, vr: str = "SQ", defined: bool = False
) -> bytes:
    content = b"".join(items)
    if defined:
        return element(tag, vr, content, encoding)
    return element(tag, vr, content, encoding, UNDEFINED) + delimiter(0xFFFE_E0DD, encoding)


def file_meta(uid: str | None = EXPLICIT_UID, *, group_length: int | None = None) -> bytes:
    """File Meta Information with its group length, which may be made to lie."""
    body = element(0x0002_0001, "OB", b"\0\1") + text(0x0002_0002, "UI", "1.2.840.10008.5.1.4.1.1.2")
    if uid is not None:
        body += text(0x0002_0010, "UI", uid)
    return element(0x0002_0000, "UL", length_bytes(len(body) if group_length is None else group_length)) + body


def dicom_file(data_set: bytes, uid: str | None = EXPLICIT_UID) -> bytes:
    return PREAMBLE + b"DICM" + file_meta(uid) + data_set


def deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def plain_data_set(encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    """A small data set with wanted elements from the first to the last, and pixel data."""
    return b"".join(
        (
            text(SOP_CLASS, "UI", "1.2.840.10008.5.1.4.1.1.2", encoding),
            text(SOP_UID, "UI", "1.2.3.4", encoding),
            text(STUDY_DATE, "DA", "20240229", encoding),
            text(MODALITY, "CS", "CT", encoding),
            text(PATIENT_ID, "LO", "ID 1", encoding),
            text(SERIES_UID, "UI", "1.2.3.4.5", encoding),
            element(ROWS, "US", short_bytes(512, encoding), encoding),
            text(RESCALE_TYPE, "LO", "HU", encoding),
            element(PIXEL_DATA, "OW", bytes(64), encoding),
        )
    )


def plain_values(encoding: Encoding = EXPLICIT_LITTLE) -> dict[int, bytes]:
    """What a reader finds in ``plain_data_set``."""
    return {
        SOP_CLASS: b"1.2.840.10008.5.1.4.1.1.2\0",
        SOP_UID: b"1.2.3.4\0",
        STUDY_DATE: b"20240229",
        MODALITY: b"CT",
        PATIENT_ID: b"ID 1",
        SERIES_UID: b"1.2.3.4.5\0",
        ROWS: short_bytes(512, encoding),
        RESCALE_TYPE: b"HU",
    }


def read(data: bytes, seconds: float = 10.0) -> Header:
    return PydicomReader(seconds).read(io.BytesIO(data), len(data))


def values(header: Header) -> dict[int, bytes]:
    return {tag: found.value for tag, found in header.elements.items()}

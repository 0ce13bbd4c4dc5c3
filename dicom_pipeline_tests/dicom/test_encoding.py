"""Where the data set begins, in which encoding it is, and what is no DICOM at all."""

import gzip
import json
import random
import struct
import zipfile
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.dicom.element_header import (
    ENCODINGS,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
)
from dicom_pipeline.dicom.header import HeaderError
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline_tests.dicom.streams import (
    BIG_UID,
    DEFLATED_UID,
    EXPLICIT_UID,
    IMPLICIT_UID,
    JPEG_UID,
    PATIENT_ID,
    PREAMBLE,
    deflate,
    dicom_file,
    element,
    file_meta,
    length_bytes,
    plain_data_set,
    plain_values,
    read,
    tag_bytes,
    text,
    values,
)

DECLARED = (None, IMPLICIT_UID, EXPLICIT_UID, BIG_UID, DEFLATED_UID, JPEG_UID, "1.2.840.113619.5.2", "1.2.3.999")


def reason_of(data: bytes) -> Reason:
    with pytest.raises(HeaderError) as caught:
        read(data)
    return caught.value.reason


@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("prefix", [PREAMBLE + b"DICM", b"DICM", b""], ids=["preamble", "prefix only", "nothing"])
def test_the_data_has_the_last_word_on_its_encoding(prefix: bytes, encoding: Encoding, declared: str | None) -> None:
    header = read(prefix + file_meta(declared) + plain_data_set(encoding))
    assert values(header) == plain_values(encoding)
    assert header.little_endian == encoding.little_endian
    assert header.transfer_syntax_uid == declared


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_bare_data_set_is_dicom(encoding: Encoding) -> None:
    header = read(plain_data_set(encoding))
    assert values(header) == plain_values(encoding)
    assert header.transfer_syntax_uid is None


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_prefix_without_file_meta(encoding: Encoding) -> None:
    assert values(read(PREAMBLE + b"DICM" + plain_data_set(encoding))) == plain_values(encoding)


def test_implicit_file_meta() -> None:
    body = element(0x0002_0001, "OB", b"\0\1", IMPLICIT_LITTLE) + text(0x0002_0010, "UI", BIG_UID, IMPLICIT_LITTLE)
    meta = element(0x0002_0000, "UL", length_bytes(len(body)), IMPLICIT_LITTLE) + body
    header = read(PREAMBLE + b"DICM" + meta + plain_data_set(EXPLICIT_BIG))
    assert values(header) == plain_values(EXPLICIT_BIG)
    assert header.transfer_syntax_uid == BIG_UID


@pytest.mark.parametrize("group_length", [0, 1, 10, 150, 0xFFFF, 0xFFFF_FFFF])
def test_a_wrong_group_length_does_no_harm(group_length: int) -> None:
    data = PREAMBLE + b"DICM" + file_meta(group_length=group_length) + plain_data_set()
    assert values(read(data)) == plain_values()


def test_garbage_that_the_group_length_covers_is_passed() -> None:
    meta = file_meta()
    garbage = b"\xde\xad\xbe\xef" * 5
    covered = file_meta(group_length=len(meta) - 12 + len(garbage))
    assert values(read(PREAMBLE + b"DICM" + covered + garbage + plain_data_set())) == plain_values()


def test_file_meta_without_group_length_or_out_of_order() -> None:
    meta = text(0x0002_0012, "UI", "1.2.3") + text(0x0002_0010, "UI", IMPLICIT_UID) + text(0x0002_0002, "UI", "1.2")
    header = read(PREAMBLE + b"DICM" + meta + plain_data_set(IMPLICIT_LITTLE))
    assert values(header) == plain_values()
    assert header.transfer_syntax_uid == IMPLICIT_UID


def test_a_nonsense_vr_in_file_meta() -> None:
    meta = tag_bytes(0x0002_0010) + b"  " + struct.pack("<H", 18) + IMPLICIT_UID.encode() + b"\0"
    header = read(PREAMBLE + b"DICM" + meta + text(0x0002_0012, "UI", "1.2.3") + plain_data_set(IMPLICIT_LITTLE))
    assert values(header) == plain_values()
    assert header.transfer_syntax_uid == IMPLICIT_UID


@pytest.mark.parametrize(("stored", "uid"), [("1.2.3", "1.2.3"), (" 1.2.3  ", " 1.2.3"), ("  ", None), ("", None)])
def test_trailing_blanks_and_nuls_of_the_transfer_syntax_are_cut(stored: str, uid: str | None) -> None:
    assert read(dicom_file(plain_data_set(), stored)).transfer_syntax_uid == uid


def test_a_transfer_syntax_in_the_data_set_counts_where_file_meta_has_none() -> None:
    data_set = text(0x0002_0010, "UI", IMPLICIT_UID, IMPLICIT_LITTLE) + plain_data_set(IMPLICIT_LITTLE)
    assert read(data_set).transfer_syntax_uid == IMPLICIT_UID
    late = text(PATIENT_ID, "LO", "ID 1") + text(0x0002_0010, "UI", JPEG_UID) + text(0x0020_0010, "SH", "7 ")
    assert read(dicom_file(late, None)).transfer_syntax_uid == JPEG_UID
    assert read(dicom_file(late, EXPLICIT_UID)).transfer_syntax_uid == EXPLICIT_UID


@pytest.mark.parametrize("prefix", [PREAMBLE + b"DICM", b"DICM", b""], ids=["preamble", "prefix only", "nothing"])
@pytest.mark.parametrize("before_meta", [True, False])
def test_a_command_set_in_front_is_passed(prefix: bytes, before_meta: bool) -> None:
    body = element(0x0000_0100, "US", b"\1\0", IMPLICIT_LITTLE) + element(0x0000_0800, "US", b"\0\0", IMPLICIT_LITTLE)
    command = element(0x0000_0000, "UL", length_bytes(len(body)), IMPLICIT_LITTLE) + body
    meta = file_meta()
    data = prefix + (command + meta if before_meta else meta + command) + plain_data_set()
    assert values(read(data)) == plain_values()


def test_deflated_data_set() -> None:
    header = read(dicom_file(deflate(plain_data_set()), DEFLATED_UID))
    assert values(header) == plain_values()
    assert header.transfer_syntax_uid == DEFLATED_UID


def test_trailing_pad_behind_a_deflated_data_set() -> None:
    data_set = text(PATIENT_ID, "LO", "ID 1")
    assert values(read(dicom_file(deflate(data_set) + b"\0", DEFLATED_UID))) == {PATIENT_ID: b"ID 1"}


def test_an_empty_data_set_is_no_damage() -> None:
    assert values(read(dicom_file(b""))) == {}
    assert values(read(dicom_file(deflate(b""), DEFLATED_UID))) == {}


def test_an_empty_file() -> None:
    assert reason_of(b"") is Reason.EMPTY_FILE


@pytest.mark.parametrize("size", [1, 2, 7, 8, 12, 100, 127, 128, 131, 132, 1000, 100_000])
def test_zeros_are_not_dicom(size: int) -> None:
    assert reason_of(bytes(size)) is Reason.NOT_DICOM


def zip_of(data: bytes) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.dcm", data)
    return packed.getvalue()


NOT_DICOM = {
    "text": b"Images of the study are in the other folder.\r\n" * 40,
    "short text": b"x",
    "upper case text": b"PATIENT NAME UNKNOWN CS LO PN UI SH DA TM " * 99,
    "json": json.dumps({"00080016": {"vr": "UI", "Value": ["1.2"]}}).encode() * 9,
    "xml": b'<?xml version="1.0"?><NativeDicomModel/>' * 20,
    "html": b"<!DOCTYPE html><html></html>" * 20,
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + bytes(range(256)) * 9,
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 9,
    "tiff little": b"II*\0\x08\0\0\0" + bytes(range(256)) * 9,
    "tiff big": b"MM\0*\0\0\0\x08" + bytes(range(256)) * 9,
    "pdf": b"%PDF-1.7\n" + bytes(range(256)) * 9,
    "zip": zip_of(dicom_file(plain_data_set())),
    "gzip": gzip.compress(dicom_file(plain_data_set()), mtime=0),
    "zlib": zlib.compress(dicom_file(plain_data_set())),
    "nifti little": struct.pack("<i", 348) + bytes(344) + b"n+1\0" + bytes(500),
    "nifti big": struct.pack(">i", 348) + bytes(344) + b"n+1\0" + bytes(500),
    "elf": b"\x7fELF\2\1\1\0" + bytes(200),
    "bmp": b"BM" + bytes(200),
    "16-bit pixels little": struct.pack("<3000H", *(n % 64 for n in range(3000))),
    "16-bit pixels big": struct.pack(">3000H", *(n % 64 for n in range(3000))),
    "a preamble and nothing else": bytes(128),
    "prefix at the wrong place": bytes(64) + b"DICM" + bytes(200),
}


@pytest.mark.parametrize("data", NOT_DICOM.values(), ids=NOT_DICOM.keys())
def test_other_content_is_not_dicom(data: bytes) -> None:
    assert reason_of(data) is Reason.NOT_DICOM


@given(st.binary(min_size=1, max_size=3000))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_not_dicom(data: bytes) -> None:
    if data[:4] != b"DICM" and data[128:132] != b"DICM":
        assert reason_of(data) is Reason.NOT_DICOM


def test_chunks_of_noise_are_not_dicom() -> None:
    noise = random.Random(7)
    for _ in range(300):
        assert reason_of(noise.randbytes(20_000)) is Reason.NOT_DICOM


@pytest.mark.parametrize(
    "behind",
    [b"", b"\0", bytes(500), b"x" * 500, b"some text behind it" * 40, random.Random(1).randbytes(5000)],
    ids=["nothing", "a byte", "zeros", "letters", "text", "noise"],
)
@pytest.mark.parametrize("prefix", [PREAMBLE + b"DICM", b"DICM"], ids=["preamble", "prefix only"])
def test_a_prefix_with_nonsense_behind_it_is_damaged_dicom(prefix: bytes, behind: bytes) -> None:
    assert reason_of(prefix + behind) is Reason.UNREADABLE


@pytest.mark.parametrize("prefix", [PREAMBLE + b"DICM", b"DICM"], ids=["preamble", "prefix only"])
def test_file_meta_that_is_cut_is_damaged_dicom(prefix: bytes) -> None:
    meta = file_meta()
    for cut in range(len(meta)):
        assert reason_of(prefix + meta[:cut]) is Reason.UNREADABLE, cut


@pytest.mark.parametrize("meta", [b"", file_meta()], ids=["prefix only", "file meta"])
def test_megabytes_of_zeros_cost_no_time(meta: bytes) -> None:
    """What a disk leaves of a file whose blocks were never written, read as element (0000,0000) over and over."""
    with pytest.raises(HeaderError) as caught:
        read(PREAMBLE + b"DICM" + meta + bytes(4_000_000), seconds=0.5)
    assert caught.value.reason is Reason.UNREADABLE


def test_every_encoding_is_found_without_declaration_in_a_big_file() -> None:
    for encoding in (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG):
        data_set = plain_data_set(encoding) + bytes(2_000_000)
        assert values(read(dicom_file(data_set, None))) == plain_values(encoding)

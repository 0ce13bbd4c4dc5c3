"""Files made up from a source of chance: mostly by the book, with every liberty that real ones take.

Scope: one file from one ``random.Random``, so that hypothesis and the fuzzer draw from the same well. Damage to files
is ``mutate.py``.
"""

import struct
from random import Random

from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicom_pipeline.dicom.fields import HEADER_FIELDS, SPECIFIC_CHARACTER_SET, Rule
from dicom_pipeline.dicom.source import BLOCK_SIZE
from dicom_pipeline_tests.dicom.streams import (
    DEFLATED_UID,
    EXPLICIT_UID,
    IMPLICIT_UID,
    JPEG_UID,
    LONG_VRS,
    PIXEL_DATA,
    PREAMBLE,
    UID_OF,
    deflate,
    delimiter,
    element,
    file_meta,
    item,
    sequence,
)

ENCODINGS = (EXPLICIT_LITTLE, EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG)
VRS = (*LONG_VRS, "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST")
VRS += ("TM", "UI", "UL", "US")
WANTED = {SPECIFIC_CHARACTER_SET: "CS"} | {f.tag: f.vr for f in HEADER_FIELDS if f.tag and f.vr and f.tag > 0x2_FFFF}
REQUIRED = {f.tag for f in HEADER_FIELDS if f.rule in (Rule.REQUIRED, Rule.STUDY_DATE)}
OTHERS = (
    (0x0008_0000, "UL"),
    (0x0008_0001, "UL"),
    (0x0008_0070, "LO"),
    (0x0009_0010, "LO"),
    (0x0009_1001, "UN"),
    (0x0010_0000, "UL"),
    (0x0010_21B0, "LT"),
    (0x0018_0023, "CS"),
    (0x0019_0010, "LO"),
    (0x0019_1002, "OB"),
    (0x0021_0001, "LO"),
    (0x0022_1234, "SH"),
    (0x0028_1055, "LO"),
    (0x0029_0010, "LO"),
    (0x0029_1010, "OB"),
    (0x0040_0244, "DA"),
    (0x5000_0010, "CS"),
    (0x6000_0010, "US"),
    (0x7FDF_0010, "LO"),
)
SEQUENCES = (0x0008_1115, 0x0008_1140, 0x0009_1003, 0x0010_1002, 0x0018_9346, 0x0020_9116, 0x0029_1020, 0x0040_0275)
TEXTS = (
    "",
    " ",
    "CT",
    "M",
    "text",
    " leading",
    "trailing  ",
    "a\\b",
    "a \\b ",
    "tab\t",
    "\0\0",
    "in\0side",
    "x" * 17,
    "y" * 65,
    "z" * 300,
    "Doe^Jane",
    "Doe^Jane==",
    "Doe^John=  =",
    "=",
    "\xe9t\xe9",
    "M\xfcller^X\\\xff\xfe",
    "\x1b$B;3ED\x1b(B^\x1b$BB@O:",
    "~\x7f\x80",
)
CHARSETS = ("ISO_IR 100", "", "ISO_IR 192", "\\ISO 2022 IR 87", "ISO 2022 IR 149", "GB18030", "bogus", "\xff")
DATES = ("20230115", "20230115", "20240229", "20230229", "00010101", "99991231", "2023.01.15", " 20230115", "20230115 ")
TIMES = ("101112", "10", "1011", "101112.5", "101112.123456", "101260", "235960.9", "240000", "", "10:11", "101112. ")
NUMBERS = ("1", "-5", "+7", " 12 ", "1.5", ".5", "1e5", "1e400", "nan", "99999999999", "2147483647", "-0", "", "3\\4")
UIDS = ("1.2.3", "1.2.3.4\0", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2\0", "", "1.2 ", "1." * 33)
_ODD_TEXTS = {"DA": DATES, "TM": TIMES, "IS": NUMBERS, "DS": NUMBERS, "UI": UIDS}
_PLAIN_TEXTS = {
    "AS": ("042Y", ""),
    "CS": ("M", "O", ""),
    "DA": ("20230115", "20230115", "19991231"),
    "DS": ("1", "2.5", "-1e3", " 7 ", "1\\2\\3", ""),
    "IS": ("1", "-12", "0", "7\\8", ""),
    "PN": ("Doe^Jane", "M\xfcller^X", "\x1b$B;3ED\x1b(B^Taro", ""),
    "TM": ("101112", "10", "1011", "101112.5", "101112.123456", ""),
    "UI": ("1.2.3", "1.2.3.4", "1.2.840.10008.5.1.4.1.1.2"),
}
_SHORT_TEXTS = ("text", "a\\b", " leading", "trailing ", "\xe9t\xe9", "")
_ODDNESS = (0.0, 0.0, 0.01, 0.2)
"""Share of values and VRs in a file that nobody expects."""
_BINARY_BYTES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "UV": 8, "SV": 8}


def made_up_file(random: Random) -> bytes:
    """Return a whole file in some encoding, mostly under a transfer syntax that says so."""
    encoding = random.choice(ENCODINGS)
    uid = UID_OF[encoding]
    if encoding is EXPLICIT_LITTLE:
        uid = random.choice((EXPLICIT_UID, JPEG_UID, DEFLATED_UID))
    data = made_up_data_set(random, encoding, random.choice(_ODDNESS))
    if uid == DEFLATED_UID:
        data = deflate(data)
    if random.random() < 0.05:
        uid = random.choice((EXPLICIT_UID, IMPLICIT_UID, DEFLATED_UID, "", "1.2.3", "1.2 "))
    return PREAMBLE + b"DICM" + file_meta(uid) + data


def made_up_data_set(random: Random, encoding: Encoding, oddness: float, depth: int = 0) -> bytes:
    """Return elements in ascending order, most of the wanted ones among them, and sometimes pixel data."""
    wanted = [tag for tag in WANTED if random.random() < 0.5 or (depth == 0 and tag in REQUIRED)]
    others = random.sample(OTHERS, random.randrange(6))
    parts = [(tag, _element(random, encoding, tag, WANTED[tag], oddness)) for tag in wanted]
    parts += [(tag, _element(random, encoding, tag, vr, oddness)) for tag, vr in others]
    if depth < 3:
        chosen = random.sample(SEQUENCES, random.randrange(3))
        parts += [(tag, _sequence(random, encoding, tag, oddness, depth)) for tag in chosen]
    if depth == 0 and random.random() < 0.1:
        filler = bytes(random.randrange(BLOCK_SIZE - 4000, BLOCK_SIZE + 200) & ~1)
        parts.append((0x0011_1001, element(0x0011_1001, "OB", filler, encoding)))
    if depth == 0 and random.random() < 0.7:
        parts.append((PIXEL_DATA, _pixel_data(random, encoding)))
    parts.sort()
    if random.random() < 0.03:
        random.shuffle(parts)
    return b"".join(raw for _, raw in parts)


def _element(random: Random, encoding: Encoding, tag: int, vr: str, oddness: float) -> bytes:
    if random.random() < oddness:
        vr = random.choice(VRS)
    value = made_up_value(random, tag, vr, encoding, oddness)
    length = random.choice((0, 1, len(value) + 1, 0xFFFF, 0xFFFF_FFFE)) if random.random() < oddness / 50 else None
    if length is not None and encoding.explicit and vr not in LONG_VRS:
        length &= 0xFFFF
    return element(tag, vr, value, encoding, length)


def made_up_value(random: Random, tag: int, vr: str, encoding: Encoding, oddness: float) -> bytes:
    """Return bytes such as an element of this VR may hold, padded to an even length as a rule."""
    if tag & 0xFFFF == 0:
        return struct.pack("<L" if encoding.little_endian else ">L", random.randrange(1000))
    if vr in _BINARY_BYTES:
        return random.randbytes(_BINARY_BYTES[vr] * random.choice((1, 1, 1, 0, 2)) + (random.random() < oddness))
    if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "UN", "SQ") and tag not in WANTED:
        return random.randbytes(random.choice((0, 2, 8, 100)))
    text = _made_up_text(random, tag, vr, oddness).encode("latin-1")
    return text + (b"\0" if vr == "UI" else b" ") * (len(text) % 2 and random.random() >= oddness)


def _made_up_text(random: Random, tag: int, vr: str, oddness: float) -> str:
    if random.random() < oddness:
        return random.choice((*TEXTS, *_ODD_TEXTS.get(vr, TEXTS)))
    if tag == SPECIFIC_CHARACTER_SET:
        return random.choice(CHARSETS)
    if tag in REQUIRED:
        return "20230115" if vr == "DA" else "1.2.3." + str(random.randrange(20))
    return random.choice(_PLAIN_TEXTS.get(vr, _SHORT_TEXTS))


def _sequence(random: Random, encoding: Encoding, tag: int, oddness: float, depth: int) -> bytes:
    """Return a sequence, or UN of undefined length, whose items hold decoys of wanted elements."""
    is_unknown = encoding.explicit and random.random() < 0.15
    inner = IMPLICIT_LITTLE if is_unknown else encoding
    items = [
        item(made_up_data_set(random, inner, oddness, depth + 1), inner, defined=random.random() < 0.5)
        for _ in range(random.randrange(3))
    ]
    if is_unknown:
        end = delimiter(0xFFFE_E0DD, inner)
        return element(tag, "UN", b"".join(items), encoding, 0xFFFF_FFFF) + end
    return sequence(tag, *items, encoding=encoding, defined=random.random() < 0.5)


def _pixel_data(random: Random, encoding: Encoding) -> bytes:
    if random.random() < 0.3:
        return sequence(PIXEL_DATA, item(b"", encoding, defined=True), encoding=encoding, vr="OB")
    return element(PIXEL_DATA, "OW", random.randbytes(random.choice((0, 64, 20_000))), encoding)

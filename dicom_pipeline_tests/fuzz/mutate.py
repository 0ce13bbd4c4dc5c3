"""Damage to files: small changes at the places where a walk has to decide something.

Scope: one damaged copy of a file and a list in words of what was done to it. Changes are laid from the back to the
front, so that places found in the whole file stay true. Where files come from is ``seeds.py``.
"""

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from dicom_pipeline.dicom.element_header import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from dicom_pipeline.dicom.source import BLOCK_SIZE
from dicom_pipeline_tests.dicom.streams import (
    BIG_UID,
    DEFLATED_UID,
    EXPLICIT_UID,
    IMPLICIT_UID,
    JPEG_UID,
    LONG_VRS,
    deflate,
    delimiter,
    element,
    file_meta,
    item,
    sequence,
)
from dicom_pipeline_tests.fuzz.generate import OTHERS, VRS, WANTED, made_up_value
from dicom_pipeline_tests.fuzz.seeds import Boundary, Seed

_ODDNESS = 0.3
BYTES = (0, 1, 2, 0x0D, 0x10, 0x20, 0x28, 0x5C, 0x7F, 0x80, 0xDD, 0xE0, 0xFE, 0xFF)
LENGTHS = (0, 1, 2, 3, 4, 7, 8, 12, 64, 0xFF, 0x4142, 0x4C55, 0x5155, 0x7FFF, 0xFFFE, 0xFFFF)
LONG_LENGTHS = (*LENGTHS, BLOCK_SIZE, BLOCK_SIZE + 1, 0x10_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)
TAGS = (
    *WANTED,
    *(tag for tag, _ in OTHERS),
    *(0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD, 0xFFFE_0000, 0xFFFF_FFFF, 0, 0x0002_0000, 0x0002_0010, 0x0002_0002),
    *(0x7FE0_0008, 0x7FE0_0009, 0x7FE0_0010, 0x7FE0_0000, 0x7FDF_FFFF, 0xFFFC_FFFC, 0x0004_1200, 0x1000_0010),
)
SYNTAXES = (EXPLICIT_UID, IMPLICIT_UID, BIG_UID, DEFLATED_UID, JPEG_UID, "1.2.840.113619.5.2", "1.2.3", "", "1.2 3")


class Mutant(NamedTuple):
    """A damaged file, and in words what was done."""

    data: bytes
    changes: list[str]


class _Cut(NamedTuple):
    """One change: these bytes of the file are replaced by others."""

    begin: int
    end: int
    new: bytes


def mutant(random: Random, seed: Seed, others: Sequence[Seed]) -> Mutant:
    """Return the seed's file with one to four changes."""
    data, changes = seed.data, []
    places = sorted((_place(random, seed) for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4)))), reverse=True)
    for place in places:
        if not data:
            break
        change = random.choice(_CHANGES)
        begin, end, new = change(random, data, place, random.choice(others))
        data = data[:begin] + new + data[end:]
        changes.append(f"{change.__name__.strip('_')} {begin}:{end} -> {len(new)} bytes")
    if random.random() < 0.1:
        change_all = random.choice(_CHANGES_OF_ALL)
        data = change_all(random, data, seed)
        changes.append(change_all.__name__.strip("_"))
    return Mutant(data, changes)


def _place(random: Random, seed: Seed) -> Boundary:
    """Return a place, often one of the File Meta Information or right behind it."""
    return random.choice(seed.boundaries[:10] if random.random() < 0.2 else seed.boundaries)


def _flip_bit(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    at = min(len(data) - 1, place.begin + random.randrange(16))
    return _Cut(at, at + 1, bytes([data[at] ^ 1 << random.randrange(8)]))


def _set_bytes(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    at, count = place.begin + random.randrange(24), random.choice((1, 1, 2, 4))
    return _Cut(at, at + count, bytes([random.choice(BYTES)] * count))


def _set_tag(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    tag = random.choice(TAGS)
    order = "<HH" if place.encoding.little_endian else ">HH"
    return _Cut(place.begin, place.begin + 4, struct.pack(order, tag >> 16, tag & 0xFFFF))


def _set_vr(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    vr = random.choice((*VRS, "SQ", "UN", "  ", "\0\0", "XX", "us", "[A")).encode()
    return _Cut(place.begin + 4, place.begin + 6, vr)


def _set_length(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    order = "<" if place.encoding.little_endian else ">"
    at, is_short = place.begin + 4, False
    if place.encoding.explicit and data[at : at + 2].isalpha():
        is_short = data[at : at + 2].decode("latin-1") not in LONG_VRS
        at += 2 if is_short else 4
    length = random.choice(LENGTHS if is_short else LONG_LENGTHS)
    if random.random() < 0.5:
        size = 2 if is_short else 4
        before = int.from_bytes(data[at : at + size], "little" if place.encoding.little_endian else "big")
        left = len(data) - at - size
        length = random.choice((before + 1, before + 2, before - 1, before - 2, left, left + 1, left - 1))
    raw = struct.pack(order + ("H" if is_short else "L"), length & (0xFFFF if is_short else 0xFFFF_FFFF))
    return _Cut(at, at + len(raw), raw)


def _delete(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    return _Cut(place.begin, place.end, b"")


def _delete_some(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    begin = place.begin + random.randrange(12)
    return _Cut(begin, begin + random.choice((1, 2, 4, 8)), b"")


def _duplicate(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    return _Cut(place.end, place.end, data[place.begin : place.end])


def _cut(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    return _Cut(random.choice((place.begin, place.end, place.begin + random.randrange(16))), len(data), b"")


def _append(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    return _Cut(len(data), len(data), random.randbytes(random.randrange(1, 40)))


def _delimit(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    raw = delimiter(random.choice((0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD)), place.encoding)
    if random.random() < 0.3:
        raw = raw[:4] + struct.pack("<L", random.choice(LONG_LENGTHS))
    return _Cut(place.begin, place.begin, raw)


def _insert(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    encoding = place.encoding if random.random() < 0.9 else random.choice((EXPLICIT_LITTLE, IMPLICIT_LITTLE))
    tag, vr = random.choice((*WANTED.items(), *OTHERS))
    return _Cut(
        place.begin, place.begin, element(tag, vr, made_up_value(random, tag, vr, encoding, _ODDNESS), encoding)
    )


def _splice(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    taken = random.choice(other.boundaries)
    end = place.begin if random.random() < 0.5 else place.end
    return _Cut(place.begin, end, other.data[taken.begin : min(taken.end, taken.begin + 5000)])


def _wrap(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    """Put an element into a sequence: what was wanted becomes a decoy."""
    tag = random.choice((0x0008_1115, 0x0009_1003, 0x0040_0275))
    if random.random() < 0.7:
        tag = int.from_bytes(data[place.begin : place.begin + 2], "little") << 16 | 0x0011
    inner = IMPLICIT_LITTLE if random.random() < 0.2 else place.encoding
    content = item(data[place.begin : place.end], inner, defined=random.random() < 0.5)
    vr = "SQ" if inner is place.encoding else "UN"
    defined = random.random() < 0.5 and place.end - place.begin < 0xFF00
    return _Cut(place.begin, place.end, sequence(tag, content, encoding=place.encoding, vr=vr, defined=defined))


def _push_to_block(random: Random, data: bytes, place: Boundary, other: Seed) -> _Cut:
    """Insert an element so long that what follows lies at the end of the first block, or behind."""
    tag = int.from_bytes(data[place.begin : place.begin + 2], "little") << 16
    length = BLOCK_SIZE - place.begin - random.randrange(60) if place.begin < BLOCK_SIZE - 100 else BLOCK_SIZE
    raw = element(tag | random.choice((0x0002, 0x0011, 0x1001)), "OB", bytes(length), place.encoding)
    return _Cut(place.begin, place.begin, raw)


def _swap_syntax(random: Random, data: bytes, seed: Seed) -> bytes:
    if not 132 < seed.data_set_at <= len(data):
        return data
    length = random.choice((None, None, 0, 10, 1000))
    return data[:132] + file_meta(random.choice(SYNTAXES), group_length=length) + data[seed.data_set_at :]


def _deflate_all(random: Random, data: bytes, seed: Seed) -> bytes:
    pixels = bytes(Random(random.randrange(1 << 30)).choices(range(5), k=random.choice((0, 0, 60_000))))
    deflated = bytearray(deflate(data[seed.data_set_at :] + pixels))
    if random.random() < 0.4:
        deflated[random.randrange(len(deflated))] ^= 1 << random.randrange(8)
    return data[:132].ljust(132, b"\0") + file_meta(DEFLATED_UID) + bytes(deflated)


def _drop_preamble(random: Random, data: bytes, seed: Seed) -> bytes:
    return data[random.choice((1, 128, 132, seed.data_set_at)) :]


_CHANGES: tuple[Callable[[Random, bytes, Boundary, Seed], _Cut], ...] = (
    _flip_bit,
    _set_bytes,
    _set_tag,
    _set_vr,
    _set_length,
    _delete,
    _delete_some,
    _duplicate,
    _cut,
    _append,
    _delimit,
    _insert,
    _splice,
    _wrap,
    _push_to_block,
)
_CHANGES_OF_ALL: tuple[Callable[[Random, bytes, Seed], bytes], ...] = (_swap_syntax, _deflate_all, _drop_preamble)

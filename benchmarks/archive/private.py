"""What makes headers hard to read: private blocks, nested sequences with decoys, icons, large blobs.

Scope: elements that no table wants and that a reader must step over. A decoy is a wanted attribute at a place where
it says something else: in an item of a sequence, of which only the outer data set may be taken.
"""

from collections.abc import Iterator
from random import Random

from pydicom.datadict import private_dictionary_VR

from benchmarks.archive.elements import AnyElement, Element, Nested
from benchmarks.archive.filler import can_fill, filler

_CREATORS = {
    "GE": (
        (0x0009, b"GEMS_IDEN_01"),
        (0x0019, b"GEMS_ACQU_01"),
        (0x0021, b"GEMS_RELA_01"),
        (0x0023, b"GEMS_STDY_01"),
        (0x0025, b"GEMS_SERS_01"),
        (0x0027, b"GEMS_IMAG_01"),
        (0x0043, b"GEMS_PARM_01"),
    ),
    "SIEMENS": ((0x0009, b"SIEMENS MED"), (0x0019, b"SIEMENS CT VA0  COAD"), (0x0051, b"SIEMENS MR HEADER")),
    "PHILIPS": ((0x2001, b"Philips Imaging DD 001"), (0x2005, b"Philips MR Imaging DD 001")),
}
_PRIVATE_VRS = ("IS", "DS", "LO", "SH", "SL", "FL", "US", "SS", "UN", "OB", "FD", "CS")
_BLOB_SHARE = {"MR": 0.5, "PT": 0.2}
_EARLY_BLOB_SHARE = 0.004


def private_blocks(random: Random, manufacturer: str, modality: str) -> Iterator[AnyElement]:
    """Yield the private elements of one series, each group opened by its creator."""
    vendor = next((name for name in _CREATORS if name in manufacturer.upper()), "SIEMENS")
    for group, creator in _CREATORS[vendor]:
        yield Element(group << 16 | 0x0010, "LO", creator)
        for number in sorted(random.sample(range(0x1001, 0x10F0), random.randint(5, 22))):
            tag = group << 16 | number
            if vr := _private_vr(random, tag, creator.decode()):
                yield filler(random, tag, vr)
    if vendor == "PHILIPS":
        yield Nested(0x2005_10F4, [_decoys(random), _decoys(random)], undefined=True)
    if random.random() < _BLOB_SHARE.get(modality, 0):
        yield from _headers_of_siemens(random)
    if random.random() < _EARLY_BLOB_SHARE:
        # In front of wanted values, which then lie further in than most readers look at first.
        yield Element(0x0011_0010, "LO", b"BENCHMARK BLOB")
        yield Element(0x0011_1001, "OB", random.randbytes(20_000))


def _private_vr(random: Random, tag: int, creator: str) -> str | None:
    """Return the maker's value representation where it is known (readers of implicit data sets look it up, too).

    None where that is one that cannot be filled, such as a sequence.
    """
    try:
        known = private_dictionary_VR(tag, creator)
    except KeyError:
        return random.choice(_PRIVATE_VRS)
    return known if can_fill(known) else None


def _headers_of_siemens(random: Random) -> Iterator[AnyElement]:
    yield Element(0x0029_0010, "LO", b"SIEMENS CSA HEADER")
    yield Element(0x0029_1008, "CS", b"IMAGE NUM 4")
    yield Element(0x0029_1010, "OB", b"SV10\4\3\2\1" + random.randbytes(2 * random.randint(5_000, 15_000)))
    yield Element(0x0029_1018, "CS", b"MR")
    yield Element(0x0029_1020, "OB", b"SV10\4\3\2\1" + random.randbytes(2 * random.randint(500, 30_000)))


def sequences(random: Random, modality: str) -> Iterator[AnyElement]:
    """Yield sequences, of defined and undefined length, with decoys and up to three levels deep."""
    reference = [Element(0x0008_1150, "UI", b"1.2.840.10008.5.1.4.1.1.2"), filler(random, 0x0008_1155, "UI")]
    undefined = random.random() < 0.5
    yield Nested(0x0008_1032, [_code(random)], undefined)
    yield Nested(0x0008_1110, [reference], not undefined)
    inner = Nested(0x0008_1199, [reference] * random.randint(1, 4), undefined)
    yield Nested(0x0008_1115, [[inner, *_decoys(random, 0x0020_000E)]], not undefined)
    yield Nested(0x0008_1140, [reference] * random.randint(0, 3), undefined)
    if random.random() < 0.3:
        yield Nested(0x0010_1002, [_decoys(random, 0x0010_0020)], undefined)
    yield Nested(0x0040_0275, [_request(random)], not undefined)
    if random.random() < 0.15:
        yield Nested(0x0088_0200, [_icon(random)], undefined)
    if modality in {"RTSTRUCT", "RTPLAN", "RTDOSE"}:
        nested = Nested(0x3006_0016, [reference] * 20, undefined)
        yield Nested(0x3006_0010, [[filler(random, 0x0020_0052, "UI"), nested]], not undefined)


def _decoys(random: Random, *only: int) -> list[AnyElement]:
    """Return wanted attributes with values that must never reach a table, in ascending order of tags."""
    decoys = {
        0x0008_0060: Element(0x0008_0060, "CS", b"DECOY"),
        0x0010_0020: Element(0x0010_0020, "LO", b"DECOY-PATIENT"),
        0x0020_000E: Element(0x0020_000E, "UI", b"2.25.999999999"),
        0x0028_0010: Element(0x0028_0010, "US", (random.randint(1, 9),)),
    }
    return [decoys[tag] for tag in only or decoys]


def _code(random: Random) -> list[AnyElement]:
    return [
        filler(random, 0x0008_0100, "SH"),
        Element(0x0008_0102, "SH", b"99LOCAL"),
        filler(random, 0x0008_0104, "LO"),
    ]


def _request(random: Random) -> list[AnyElement]:
    code = Nested(0x0040_0008, [_code(random)], undefined=random.random() < 0.5)
    return [
        Element(0x0008_0050, "SH", b"DECOY-ACC"),
        filler(random, 0x0040_0007, "LO"),
        code,
        filler(random, 0x0040_1001, "SH"),
    ]


def _icon(random: Random) -> list[AnyElement]:
    numbers = {0x0002: 1, 0x0010: 64, 0x0011: 64, 0x0100: 8, 0x0101: 8, 0x0102: 7, 0x0103: 0}
    described: list[AnyElement] = [Element(0x0028 << 16 | n, "US", (value,)) for n, value in numbers.items()]
    described.insert(1, Element(0x0028_0004, "CS", b"MONOCHROME2"))
    return [*described, Element(0x7FE0_0010, "OW", random.randbytes(64 * 64))]

"""Values of attributes that no table wants: plausible by value representation, nothing more.

Scope: the bulk of a header. What the tables want is in ``content.py``.
"""

from collections.abc import Callable
from random import Random

from benchmarks.archive.elements import Element, Value

_PHRASES = (
    "STANDARD HEAD_FIRST AXIAL CHEST WITH CONTRAST LUNG SOFT TISSUE T1 T2 FLAIR SAG COR TRA BODY 3D FAST "
    "RECON ROUTINE ABDOMEN LOW DOSE POST PRE ARTERIAL VENOUS DELAYED BONE PLUS THIN 1.25MM LEFT RIGHT "
)
_WORDS = _PHRASES.split()


def text(random: Random, length: int) -> bytes:
    """Return words of at most ``length`` characters, at least one."""
    words = " ".join(random.choices(_WORDS, k=1 + length // 4))
    return words[: max(length, 1)].encode()


def date(random: Random) -> bytes:
    """Return a date of recent years."""
    return f"{random.randint(2010, 2024)}{random.randint(1, 12):02}{random.randint(1, 28):02}".encode()


def time(random: Random) -> bytes:
    """Return a time of day, with or without a fraction."""
    clock = f"{random.randint(0, 23):02}{random.randint(0, 59):02}{random.randint(0, 59):02}"
    return f"{clock}{random.choice(('', '', f'.{random.randrange(10**6):06}', '.000'))}".encode()


def _decimal(random: Random) -> bytes:
    return f"{random.uniform(-500, 500):.{random.choice((2, 4, 6))}f}".encode()


_MAKERS: dict[str, Callable[[Random], Value]] = {
    "AE": lambda random: b"STATION%d" % random.randrange(100),
    "AS": lambda random: b"%03dY" % random.randrange(100),
    "AT": lambda random: (0x0020, random.randrange(0x10000)),
    "CS": lambda random: random.choice((b"NONE", b"YES", b"NO", b"ORIGINAL\\PRIMARY", b"M", b"GENERATED")),
    "DA": date,
    "DS": lambda random: b"\\".join(_decimal(random) for _ in range(random.choice((1, 1, 1, 2, 3)))),
    "DT": lambda random: date(random) + time(random),
    "FD": lambda random: (random.uniform(-1e3, 1e3),) * random.choice((1, 1, 3)),
    "FL": lambda random: (random.uniform(-1e3, 1e3),),
    "IS": lambda random: b"%d" % random.randint(-9, 5000),
    "LO": lambda random: text(random, random.randint(3, 40)),
    "LT": lambda random: text(random, random.randint(10, 300)),
    "OB": lambda random: random.randbytes(random.randint(4, 200)),
    "PN": lambda random: text(random, 12).replace(b" ", b"^"),
    "SH": lambda random: text(random, random.randint(2, 16)),
    "SL": lambda random: (random.randint(-(10**6), 10**6),),
    "SS": lambda random: (random.randint(-3000, 3000),),
    "ST": lambda random: text(random, random.randint(10, 120)),
    "TM": time,
    "UI": lambda random: b"2.25.%d" % random.getrandbits(100),
    "UL": lambda random: (random.getrandbits(24),),
    "UN": lambda random: random.randbytes(8 * random.randint(1, 10)),
    "US": lambda random: (random.getrandbits(12),),
    "UT": lambda random: text(random, random.randint(10, 500)),
}
_EMPTY_SHARE = 0.06


def filler(random: Random, tag: int, vr: str) -> Element:
    """Return an element with a plausible value; some are empty, as in every archive."""
    return Element(tag, vr, b"" if random.random() < _EMPTY_SHARE else _MAKERS[vr](random))


def can_fill(vr: str) -> bool:
    """Whether ``filler`` knows values of the value representation."""
    return vr in _MAKERS

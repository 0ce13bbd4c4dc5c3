"""Character sets: Specific Character Set (0008,0005) and the text it governs (PS3.3 C.12.1.1.2, PS3.5 6.1).

Scope: names of character sets, however they are misspelt, and the bytes of a value field to text. Trimming, splitting
into values and everything about columns is in ``dicom/values.py``. Nothing here raises on, warns about or logs a
value: an undecodable byte becomes U+FFFD, and every result can be encoded as UTF-8.

The readings are pydicom's (an undeclared byte above 127 is ISO 8859-1; a stand-alone set beside others counts only as
the first), but for values with code extensions. There ISO 2022 is followed to the letter: G0 and G1 are designated
independently, escape sequences never stay in the text, and a delimiter brings back the first set.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_DEFAULT = "ISO_IR 6"
_ESCAPE = b"\x1b"
_LONGEST_LIST = 1024  # bytes; every defined term once is 600

# What bytes above 127 mean under each registration number of ISO-IR (PS3.3 Tables C.12-2 to C.12-4), as a Python codec
# that also reads ASCII as ASCII. 13 is JIS X 0201: shift_jis reads its katakana, and what writers wrongly put there.
# 87 and 159 have nothing above 127, 6 neither, but undeclared Latin-1 is so common that it is read as such.
_CODECS = {
    6: "latin_1",
    13: "shift_jis",
    58: "gb2312",
    87: "ascii",
    100: "latin_1",
    101: "iso8859_2",
    109: "iso8859_3",
    110: "iso8859_4",
    126: "iso8859_7",
    127: "iso8859_6",
    138: "iso8859_8",
    144: "iso8859_5",
    148: "iso8859_9",
    149: "euc_kr",
    159: "ascii",
    166: "tis_620",
    203: "iso8859_15",
}
_WITHOUT_UPPER_HALF = frozenset({6, 87, 159})
# Sets that know no code extensions: the standard's three, and Windows code pages, which are not DICOM but met.
_STAND_ALONE = {
    "ISO_IR 192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
    **{f"CP{page}": f"cp{page}" for page in range(1250, 1259)},
}
# Names that are not DICOM's but whose meaning is plain, without blanks and punctuation.
_ALIASES = {
    "UTF8": "ISOIR192",
    "ISO2022GBK": "GBK",
    "GB2312": "ISOIR58",
    "EUCKR": "ISOIR149",
    "SHIFTJIS": "ISOIR13",
    "LATIN1": "ISOIR100",
    "ISO88591": "ISOIR100",
    "ISO88592": "ISOIR101",
    "ISO88595": "ISOIR144",
    "ISO88596": "ISOIR127",
    "ISO88597": "ISOIR126",
    "ISO88598": "ISOIR138",
    "ISO88599": "ISOIR148",
    "ISO885915": "ISOIR203",
    **{f"WINDOWS{page}": f"CP{page}" for page in range(1250, 1259)},
}
_REGISTERED = re.compile(r"(?:ISO(2022)?(?:IR)?|IR)(\d{1,3})")

# Escape sequences of PS3.3 Tables C.12-3 and C.12-4. Into G0: the prefix under which Python decodes the pairs of a
# double-byte set, empty for a single-byte one. Into G1: the codec of the upper half.
_G0 = {b"\x1b(B": b"", b"\x1b(J": b"", b"\x1b$B": b"\x1b$B", b"\x1b$(D": b"\x1b$(D"}
_G1_FINALS = {
    100: b"-A",
    101: b"-B",
    109: b"-C",
    110: b"-D",
    126: b"-F",
    127: b"-G",
    138: b"-H",
    144: b"-L",
    148: b"-M",
    166: b"-T",
    203: b"-b",
    13: b")I",
    149: b"$)C",
    58: b"$)A",
}
_G1 = {_ESCAPE + final: _CODECS[number] for number, final in _G1_FINALS.items()}
_DESIGNATION = re.compile(b"(" + b"|".join(map(re.escape, (*_G0, *_G1))) + b")")

# Where the first set comes back (PS3.5 6.1.2.5.3). Within pairs of bytes only controls can be told from characters.
_CONTROLS = re.compile(rb"[\t\n\f\r]")
_DELIMITERS = {
    "LO": re.compile(rb"[\t\n\f\r\\]"),
    "SH": re.compile(rb"[\t\n\f\r\\]"),
    "UC": re.compile(rb"[\t\n\f\r\\]"),
    "PN": re.compile(rb"[\t\n\f\r\\^=]"),
    "LT": _CONTROLS,
    "ST": _CONTROLS,
    "UT": _CONTROLS,
}
_HALVES = re.compile(rb"[\x00-\x7f]+|[\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class _Interpretation:
    """What a file's Specific Character Set amounts to.

    Attributes:
        codec: Codec of the first set, which reads ASCII as ASCII.
        upper_half: Whether the first set says what bytes above 127 are.
        extended: Whether escape sequences may designate other sets.
    """

    codec: str
    upper_half: bool
    extended: bool


def parse_charsets(value: bytes) -> tuple[str, ...]:
    r"""Return the character sets that a value field of (0008,0005) names, in DICOM's spelling, each once.

    Punctuation, blanks and case do not matter (``ISO-IR 100``, ``iso_ir_100``); common names from elsewhere are taken
    (``UTF-8``, ``windows-1251``). An unknown name and an empty first one become ``ISO_IR 6``; other empty ones and
    stand-alone sets in the second place or later count for nothing. An empty value field yields no sets at all.

    Args:
        value: The value field, values separated by a backslash; only the first 1024 bytes of it are looked at.
    """
    return _parse(value[:_LONGEST_LIST])


@lru_cache(maxsize=256)
def _parse(value: bytes) -> tuple[str, ...]:
    names = [re.sub(rb"[^A-Z0-9]", b"", name.upper()).decode("ascii") for name in value.split(b"\\")]
    if not any(names):
        return ()
    first = _term(names[0])
    if first in _STAND_ALONE:
        return (first,)
    later = dict.fromkeys(_term(name) for name in names[1:] if name)
    return (first, *(term for term in later if term not in _STAND_ALONE))


def _term(name: str) -> str:
    name = _ALIASES.get(name, name)
    if name in _STAND_ALONE:
        return name
    match = _REGISTERED.fullmatch(name)
    if match is None:
        return _DEFAULT
    number = int(match[2])
    if f"ISO_IR {number}" in _STAND_ALONE:
        return f"ISO_IR {number}"
    if number not in _CODECS:
        return _DEFAULT
    return f"ISO 2022 IR {number}" if match[1] else f"ISO_IR {number}"


@lru_cache(maxsize=256)
def _interpret(charsets: tuple[str, ...]) -> _Interpretation:
    first = charsets[0] if charsets else _DEFAULT
    if first in _STAND_ALONE:
        return _Interpretation(_STAND_ALONE[first], upper_half=True, extended=False)
    number = int(first.rpartition(" ")[2])
    extended = len(charsets) > 1 or first.startswith("ISO 2022")
    return _Interpretation(_CODECS[number], number not in _WITHOUT_UPPER_HALF, extended)


def decode_text(value: bytes, vr: str, charsets: tuple[str, ...]) -> str:
    """Return the text of a value field, neither split nor trimmed.

    Args:
        value: The value field.
        vr: Its value representation; only LO, LT, PN, SH, ST, UC and UT follow the character set, bytes above 127 of
            all others are ISO 8859-1.
        charsets: What ``parse_charsets`` returned for the data set; empty where it has no Specific Character Set.
    """
    delimiters = _DELIMITERS.get(vr)
    if delimiters is None:
        return value.decode("latin_1")
    if value.isascii() and _ESCAPE not in value:
        return value.decode("ascii")
    first = _interpret(charsets)
    if first.extended and _ESCAPE in value:
        return _decode_extended(value, first, delimiters)
    return value.decode(first.codec, "replace")


def _decode_extended(value: bytes, first: _Interpretation, delimiters: re.Pattern[bytes]) -> str:
    parts: list[str] = []
    g0, g1 = b"", first.codec
    for position, piece in enumerate(_DESIGNATION.split(value)):
        if position % 2:  # split() alternates between text and the escape sequences it split at
            g0, g1 = _G0.get(piece, g0), _G1.get(piece, g1)
            continue
        end = _first_set_returns(piece, _CONTROLS if g0 else delimiters)
        parts.append(_decode_run(piece[:end], g0, g1))
        if end < len(piece):
            # Writers that declare no upper half in the first set often omit the escape sequence that has to follow a
            # delimiter; bytes above 127 have no other meaning there than the one designated last.
            g0, g1 = b"", first.codec if first.upper_half else g1
            parts.append(_decode_run(piece[end:], g0, g1))
    return "".join(parts)


def _first_set_returns(piece: bytes, delimiters: re.Pattern[bytes]) -> int:
    match = delimiters.search(piece)
    return match.start() if match else len(piece)


def _decode_run(run: bytes, g0: bytes, g1: str) -> str:
    if not g0:
        return run.decode(g1, "replace")
    return "".join(
        (g0 + half).decode("iso2022_jp_2", "replace") if half[0] < 128 else half.decode(g1, "replace")
        for half in _HALVES.findall(run)
    )

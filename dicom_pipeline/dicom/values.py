r"""One element's bytes to one typed value: text, integer, decimal, date, time (PS3.5 6.2).

Scope: pure functions that never raise, whatever the bytes: what cannot be read is None. Which column wants which of
them, and what a None does to the file, is decided in ``dicom/records.py``.

Text is trimmed at its right end of blanks and NULs, each of several values by itself, and keeps everything else:
leading blanks, tabs, the digits of a decimal string. Numbers take the first value, trimmed at both ends.
"""

import math
import re
import struct
from ctypes import c_float
from datetime import date, time
from decimal import Decimal

from dicom_pipeline.dicom.charsets import decode_text
from dicom_pipeline.dicom.header import Element

_SINGLE_TEXT_VRS = frozenset({"LT", "ST", "UR", "UT"})
_TEXT_VRS = _SINGLE_TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"}
_INTEGER_FORMATS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q"}
_NUMBER_FORMATS = _INTEGER_FORMATS | {"FL": "f", "FD": "d"}
_WIDEST_NUMBER = 8  # bytes

_PADDING = " \0"
_AROUND_NUMBERS = "\0\t\n\v\f\r \x85\xa0"  # NUL and the white space of ISO 8859-1
# Possessive quantifiers: a hostile megabyte of digits takes linear time.
_INTEGER = re.compile(r"([+-]?)(?=[0-9])0*+([0-9]{0,10})")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_TIME = re.compile(r"([01][0-9]|2[0-3])(?:([0-5][0-9])(?:([0-5][0-9]|60)(?:\.([0-9]{0,6}))?)?)?")
_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1


def is_empty(element: Element) -> bool:
    """Return whether the element has no value: no bytes or, of a text, only blanks and NULs."""
    return not (element.value.strip(b" \0") if element.vr in _TEXT_VRS else element.value)


def get_text(element: Element, charsets: tuple[str, ...], *, little_endian: bool) -> str | None:
    r"""Return the element's values as text, joined by a backslash; None if its VR has no text (OB, OW, AT, ...).

    Binary numbers print in their shortest decimal form, without an exponent. Empty groups at the end of a person name
    go with their ``=``; an empty element is ``""``.

    Args:
        element: The element.
        charsets: The character sets of the data set, from ``parse_charsets``.
        little_endian: Byte order of binary numbers.
    """
    vr = element.vr
    if vr not in _TEXT_VRS:
        numbers = _unpack(vr, element.value, little_endian)
        return None if numbers is None else "\\".join(_print_number(number, vr) for number in numbers)
    text = decode_text(element.value, vr, charsets)
    if vr == "PN":
        return "\\".join(value.rstrip(_PADDING).rstrip("=").rstrip(_PADDING) for value in text.split("\\"))
    if "\\" in text and vr not in _SINGLE_TEXT_VRS:
        return "\\".join(value.rstrip(_PADDING) for value in text.split("\\"))
    return text.rstrip(_PADDING)


def get_integer(element: Element, *, little_endian: bool) -> int | None:
    """Return the first value as an integer of 32 bits; None if there is none, or it is not one."""
    if element.vr in _TEXT_VRS:
        return parse_integer(_first_text(element))
    if element.vr not in _INTEGER_FORMATS:
        return None
    numbers = _unpack(element.vr, element.value[:_WIDEST_NUMBER], little_endian)
    return int(numbers[0]) if numbers and _INT32_MIN <= numbers[0] <= _INT32_MAX else None


def get_decimal(element: Element, *, little_endian: bool) -> float | None:
    """Return the first value as a finite float; None if there is none, or it is not one."""
    if element.vr in _TEXT_VRS:
        return parse_decimal(_first_text(element))
    numbers = _unpack(element.vr, element.value[:_WIDEST_NUMBER], little_endian)
    return float(numbers[0]) if numbers and math.isfinite(numbers[0]) else None


def parse_integer(text: str) -> int | None:
    """Return an integer of 32 bits written in ASCII digits with an optional sign, else None."""
    match = _INTEGER.fullmatch(text.strip(_AROUND_NUMBERS))
    if match is None:
        return None
    number = int(match[1] + (match[2] or "0"))
    return number if _INT32_MIN <= number <= _INT32_MAX else None


def parse_decimal(text: str) -> float | None:
    """Return a finite decimal number written in ASCII, else None: no NaN, no infinity, no overflow."""
    if _DECIMAL.fullmatch(text := text.strip(_AROUND_NUMBERS)) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def parse_date(text: str) -> date | None:
    """Return a date written as exactly eight digits ``YYYYMMDD`` that the calendar knows, else None."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def parse_time(text: str) -> tuple[time, bool] | None:
    """Return a time written as ``HH[MM[SS[.F{0,6}]]]``, to the microsecond, else None.

    The second part tells a leap second, which is returned as second 59 with its fraction.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hour, minute, second, fraction = match.groups(default="")
    leap = second == "60"
    moment = time(int(hour), int(minute or 0), 59 if leap else int(second or 0), int(fraction.ljust(6, "0")))
    return moment, leap


def exceeds(text: str, bound: int) -> bool:
    """Return whether the text takes more than ``bound`` bytes in UTF-8."""
    return len(text) > bound or (not text.isascii() and len(text.encode()) > bound)


def cut(text: str, bound: int) -> str:
    """Return the longest beginning of the text that takes at most ``bound`` bytes in UTF-8 and has no NUL, trimmed."""
    beginning = text.partition("\0")[0][:bound].encode()[:bound]
    return beginning.decode("utf_8", "ignore").rstrip(_PADDING)


def _first_text(element: Element) -> str:
    # The character set does not matter: nothing outside ASCII is part of a number.
    return element.value.partition(b"\\")[0].decode("latin_1")


def _unpack(vr: str, value: bytes, little_endian: bool) -> tuple[int | float, ...] | None:
    code = _NUMBER_FORMATS.get(vr)
    if code is None:
        return None
    order = "<" if little_endian else ">"
    count = len(value) // struct.calcsize(order + code)
    return struct.unpack_from(f"{order}{count}{code}", value)


def _print_number(number: int | float, vr: str) -> str:
    if isinstance(number, int):
        return str(number)
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else str(number)
    shortest = _shortest_single(number) if vr == "FL" else repr(number)
    text = format(Decimal(shortest), "f")
    return text.removesuffix(".0")


def _shortest_single(number: float) -> str:
    """Return the fewest significant digits that still mean this number of 32 bits; nine always do."""
    texts = (f"{number:.{digits}g}" for digits in range(1, 9))
    return next((text for text in texts if c_float(float(text)).value == number), f"{number:.9g}")

"""Column types and what becomes of a value that is put into one.

Scope: the types a table may have, their ranges, conversion of JSON and Arrow values, and their text in results. A value
is kept as int, float, str, date, naive datetime or None.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_BITS: Mapping[str, int] = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64, "LARGEINT": 128}
_TEXTS = ("VARCHAR", "CHAR", "STRING")
_STRING_BYTES = 1048576
_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:\d\d)?)?"
)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)()()()()()")


class Unconvertible(Exception):
    """A value that is not one of the column's type."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type: ``length`` is the bytes of a text or the digits of a DATETIME's fraction."""

    name: str
    length: int | None = None

    @property
    def is_text(self) -> bool:
        """Whether values are texts, whose bytes are counted."""
        return self.name in _TEXTS

    @property
    def is_integer(self) -> bool:
        """Whether values are whole numbers."""
        return self.name in _BITS

    @property
    def most_bytes(self) -> int:
        """The longest text the column takes, in bytes."""
        return self.length if self.length is not None else _STRING_BYTES


def convert(value: Any, column: ColumnType, zone: dt.tzinfo) -> Any:
    """Return ``value`` as the column keeps it; lengths are not looked at.

    Raises:
        Unconvertible: The value cannot be one of the column's.
    """
    if value is None:
        return None
    return _CONVERTERS[_family(column)](value, column, zone)


def _family(column: ColumnType) -> str:
    return "integer" if column.is_integer else "text" if column.is_text else column.name


def _to_integer(value: Any, column: ColumnType, zone: dt.tzinfo) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,40}\s*", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    limit = 2 ** (_BITS[column.name] - 1)
    if not isinstance(value, int) or not -limit <= value < limit:
        raise Unconvertible
    return int(value)


def _to_double(value: Any, column: ColumnType, zone: dt.tzinfo) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Unconvertible from None
    if isinstance(value, str) and not math.isfinite(number):
        raise Unconvertible
    return number


def _to_boolean(value: Any, column: ColumnType, zone: dt.tzinfo) -> int:
    if isinstance(value, str):
        value = {"true": 1, "false": 0, "1": 1, "0": 0}.get(value.lower())
    if not isinstance(value, int):
        raise Unconvertible
    return int(bool(value))


def _to_text(value: Any, column: ColumnType, zone: dt.tzinfo) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else result_text(value)


def _to_moment(value: Any, column: ColumnType, zone: dt.tzinfo) -> dt.datetime:
    if isinstance(value, str):
        value = _parsed_moment(value)
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(zone).replace(tzinfo=None)
    elif isinstance(value, dt.date):
        value = dt.datetime.combine(value, dt.time())
    else:
        raise Unconvertible
    digits = column.length or 0
    return value.replace(microsecond=value.microsecond - value.microsecond % 10 ** (6 - digits))


def _to_date(value: Any, column: ColumnType, zone: dt.tzinfo) -> dt.date:
    return _to_moment(value, column, zone).date()


def _parsed_moment(text: str) -> dt.datetime:
    match = _MOMENT.fullmatch(text.strip()) or _COMPACT.fullmatch(text.strip())
    if match is None:
        raise Unconvertible
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        moment = dt.datetime(  # noqa: DTZ001
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        ).replace(microsecond=int(f"{fraction or 0:0<6}"[:6]))
    except ValueError:
        raise Unconvertible from None
    if offset:
        moment = moment.replace(tzinfo=dt.datetime.strptime(offset, "%z").tzinfo)
    return moment


_CONVERTERS: Mapping[str, Callable[[Any, ColumnType, dt.tzinfo], Any]] = {
    "integer": _to_integer,
    "text": _to_text,
    "FLOAT": _to_double,
    "DOUBLE": _to_double,
    "BOOLEAN": _to_boolean,
    "DATETIME": _to_moment,
    "DATE": _to_date,
}


def result_text(value: Any, column: ColumnType | None = None) -> str:
    """Return a value as the text protocol has it: DOUBLE with all its digits, DATETIME with those of its type."""
    if isinstance(value, dt.datetime):
        digits = column.length if column is not None else 6
        text = value.isoformat(" ", "microseconds")
        return text[: 19 + (digits + 1 if digits else 0)]
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bool):
        return str(int(value))
    return value.isoformat() if isinstance(value, dt.date) else str(value)

"""The attributes every peer is asked for, and the form in which values of different peers are compared.

Scope: what counts as the same value. Blanks and NULs at the end are insignificant, numbers are numbers however they
are written; dates and times are compared as what they mean.
"""

import datetime as dt
import re

from dicom_pipeline.dicom.fields import HEADER_FIELDS, Field, Rule

_NOT_READ = {"NumberOfSeriesRelatedInstances"}
FIELDS: tuple[Field, ...] = tuple(
    {f.keyword: f for f in reversed(HEADER_FIELDS) if f.tag is not None and f.keyword not in _NOT_READ}.values()
)
"""One column of each wanted attribute, the last wanted tag at most (0028,1054)."""
KEYWORDS: tuple[str, ...] = tuple(str(f.keyword) for f in FIELDS)
TAGS: tuple[int, ...] = tuple(f.tag or 0 for f in FIELDS)

_TIME = re.compile(r"([01][0-9]|2[0-3])(?:([0-5][0-9])(?:([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?)?")
_MADE_UP = "X32CRC"


def canonical(field: Field, value: object) -> str | None:
    """Return a value as a peer or our column gives it in the form that is compared; None for no value."""
    text = _text(value)
    if text is None:
        return None
    match field.rule:
        case Rule.INTEGER:
            number = _number(text)
            return None if number is None else str(int(number))
        case Rule.DECIMAL:
            number = _number(text)
            return None if number is None else repr(number)
        case Rule.DATE | Rule.STUDY_DATE | Rule.STUDY_DATE_TEXT:
            return _date(text)
        case Rule.TIME:
            return _time(text)
        case Rule.ACCESSION:
            return None if text.startswith(_MADE_UP) else text
        case _:
            return "\\".join(repr(_number(part)) for part in text.split("\\")) if field.vr == "DS" else text


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, dt.time):
        value = value.strftime("%H%M%S.%f")
    if isinstance(value, dt.date):
        value = value.strftime("%Y%m%d")
    if not isinstance(value, str | bytes) and hasattr(value, "__iter__") and not hasattr(value, "components"):
        value = "\\".join(str(part) for part in value)
    return str(value).rstrip(" \0") or None


def _number(text: str) -> float | None:
    try:
        return float(text.split("\\")[0].strip(" \0"))
    except ValueError:
        return None


def _date(text: str) -> str | None:
    try:
        return dt.datetime.strptime(text, "%Y%m%d").date().isoformat() if len(text) == 8 else None  # noqa: DTZ007
    except ValueError:
        return None


def _time(text: str) -> str | None:
    found = _TIME.fullmatch(text.split("\\")[0].strip())
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups(default="0")
    return f"{hours}:{minutes:0>2}:{seconds:0>2}.{fraction:0<6}"

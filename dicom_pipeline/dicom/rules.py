"""How each rule of the field table reads its column, and what a value that cannot be stored does to the file.

Scope: one function a rule (``dicom/fields.py``), both policies for invalid values, and the state of one file while its
row is built. How bytes become text, numbers, dates and times is in ``dicom/values.py``; which column is judged when is
in ``dicom/records.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum

from dicom_pipeline.dicom import values
from dicom_pipeline.dicom.charsets import parse_charsets
from dicom_pipeline.dicom.fields import SPECIFIC_CHARACTER_SET, Field, Rule
from dicom_pipeline.dicom.hashes import accession_fallback, hash_uid
from dicom_pipeline.dicom.header import Element, Header
from dicom_pipeline.dicom.reasons import Reason

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
IMAGE_STATUS = "ACTIVE"

# Cut to a bound of one byte, a wrong code such as MALE would turn into a valid one.
_NEVER_CUT = frozenset({"patient_sex"})


class OnInvalidValue(StrEnum):
    """What an optional value that cannot be stored does; required ones always refuse the file."""

    REJECT = "reject"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Finding:
    """A value of an accepted file that was dropped or adjusted: the attribute's keyword and why."""

    field: str
    reason: Reason


class Refused(Exception):
    """The file cannot become a row: the reason and the attribute's keyword, nothing read from the file."""

    def __init__(self, reason: Reason, column: Field) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.field = column.keyword


@dataclass(slots=True)
class Reading:
    """One file while its row is built."""

    header: Header
    tenant_id: str
    file_size: int
    policy: OnInvalidValue
    clock: datetime
    identifiers: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    charsets: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        declared = self.header.elements.get(SPECIFIC_CHARACTER_SET)
        self.charsets = parse_charsets(declared.value) if declared else ()

    def element(self, column: Field) -> Element | None:
        """Return the column's element; None if the data set has none."""
        return None if column.tag is None else self.header.elements.get(column.tag)

    def text(self, column: Field) -> str | None:
        """Return the column's text; None if the attribute is absent or not text, "" if it is empty."""
        element = self.element(column)
        if element is None:
            return None
        return values.get_text(element, self.charsets, little_endian=self.header.little_endian)

    def note(self, column: Field, reason: Reason) -> None:
        """Keep the finding and the file."""
        self.findings.append(Finding(column.keyword or column.name, reason))

    def drop(self, column: Field, reason: Reason) -> None:
        """Refuse the file or note the finding, as the policy says."""
        if self.policy == OnInvalidValue.REJECT:
            raise Refused(reason, column)
        self.note(column, reason)


def _storable(text: str, column: Field) -> bool:
    # No SQL database stores U+0000 in a text.
    return "\0" not in text and not (column.bound and values.exceeds(text, column.bound))


def _required(reading: Reading, column: Field) -> str:
    text = reading.text(column)
    if not text:
        raise Refused(Reason.MISSING_REQUIRED_FIELD, column)
    if not _storable(text, column):
        raise Refused(Reason.INVALID_FORMAT, column)
    reading.identifiers[column.name] = text
    return text


def _study_date(reading: Reading, column: Field) -> date:
    text = reading.text(column)
    if text is None:
        raise Refused(Reason.MISSING_REQUIRED_FIELD, column)
    parsed = values.parse_date(text)
    if parsed is None:
        raise Refused(Reason.INVALID_DATE_FORMAT, column)
    return parsed


def _text(reading: Reading, column: Field) -> str | None:
    text = reading.text(column)
    if not text:
        return None
    if _storable(text, column):
        return text
    reading.drop(column, Reason.CONVERSION_ERROR)
    if column.name in _NEVER_CUT or column.bound is None:
        return None
    return values.cut(text, column.bound) or None


def _time(reading: Reading, column: Field) -> time | None:
    text = reading.text(column)
    if not text:
        return None
    parsed = values.parse_time(text)
    if parsed is None:
        reading.drop(column, Reason.INVALID_TIME_FORMAT)
        return None
    moment, leap_second = parsed
    if leap_second:
        reading.note(column, Reason.LEAP_SECOND)
    return moment


def _date(reading: Reading, column: Field) -> date | None:
    text = reading.text(column)
    if not text:
        return None
    parsed = values.parse_date(text)
    if parsed is None:
        reading.note(column, Reason.INVALID_DATE_FORMAT)
    return parsed


def _number(reading: Reading, column: Field) -> int | float | None:
    element = reading.element(column)
    if element is None:
        return None
    get = values.get_integer if column.rule is Rule.INTEGER else values.get_decimal
    number = get(element, little_endian=reading.header.little_endian)
    if number is None and not values.is_empty(element):
        reading.note(column, Reason.INVALID_NUMBER)
    return number


def _accession(reading: Reading, column: Field) -> str:
    text = reading.text(column)
    if text and _storable(text, column):
        return text
    if text:
        reading.note(column, Reason.ACCESSION_REPLACED)
    return accession_fallback(reading.tenant_id, reading.identifiers["study_uid"])


def _transfer_syntax(reading: Reading, column: Field) -> str:
    text = reading.header.transfer_syntax_uid or IMPLICIT_VR_LITTLE_ENDIAN
    if not _storable(text, column):
        raise Refused(Reason.INVALID_FORMAT, column)
    return text


def _uid_hash(reading: Reading, column: Field) -> str:
    return hash_uid(reading.identifiers[column.name.removesuffix("_hash")])


Reader = Callable[[Reading, Field], object]
READERS: dict[Rule, Reader] = {
    Rule.TENANT: lambda reading, _: reading.tenant_id,
    Rule.REQUIRED: _required,
    Rule.STUDY_DATE: _study_date,
    Rule.STUDY_DATE_TEXT: Reading.text,
    Rule.TEXT: _text,
    Rule.INTEGER: _number,
    Rule.DECIMAL: _number,
    Rule.DATE: _date,
    Rule.TIME: _time,
    Rule.UID_HASH: _uid_hash,
    Rule.ACCESSION: _accession,
    Rule.TRANSFER_SYNTAX: _transfer_syntax,
    Rule.FILE_SIZE: lambda reading, _: reading.file_size,
    Rule.STATUS: lambda _, __: IMAGE_STATUS,
    Rule.UNFILLED: lambda _, __: None,
    Rule.CLOCK: lambda reading, _: reading.clock,
}

"""Data elements and their encoding (PS3.5 section 7), written by hand because a file a call to pydicom is too slow.

Scope: elements with values as bytes or numbers, sequences of them, and the three encodings of a data set. Which
elements a header has is in ``content.py`` and ``private.py``.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_LONG_FORM = frozenset({"OB", "OD", "OF", "OL", "OW", "SQ", "UC", "UN", "UR", "UT"})
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "AT": "HH"}
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD
UNDEFINED = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Instance:
    """What differs between the files of a series: the number, from 1, and the SOP Instance UID."""

    number: int
    uid: str


Value: TypeAlias = bytes | tuple[float, ...]
Varying: TypeAlias = Callable[[Instance], Value]


@dataclass(frozen=True, slots=True)
class Element:
    """A data element with one value for the whole series, or one that is computed for each instance."""

    tag: int
    vr: str
    value: Value | Varying


@dataclass(frozen=True, slots=True)
class Nested:
    """A sequence of items, all of defined or all of undefined length."""

    tag: int
    items: Sequence["Sequence[AnyElement]"]
    undefined: bool


AnyElement: TypeAlias = Element | Nested


@dataclass(frozen=True, slots=True)
class Encoding:
    """Explicit or implicit value representations, little or big endian."""

    explicit: bool = True
    little: bool = True

    def element(self, tag: int, vr: str, value: Value) -> bytes:
        """Return one element, its value padded to an even length."""
        data = self._padded(vr, value)
        return self.header(tag, vr, len(data)) + data

    def header(self, tag: int, vr: str, length: int) -> bytes:
        """Return tag, value representation and length."""
        order = self._order
        group, number = tag >> 16, tag & 0xFFFF
        if not self.explicit or group == _ITEM >> 16:
            return struct.pack(f"{order}HHI", group, number, length)
        if vr in _LONG_FORM:
            return struct.pack(f"{order}HH2sHI", group, number, vr.encode(), 0, length)
        return struct.pack(f"{order}HH2sH", group, number, vr.encode(), length)

    def sequence(self, sequence: Nested) -> bytes:
        """Return a sequence with its items; every value in it must be one for the whole series."""
        length = UNDEFINED if sequence.undefined else None
        items = b"".join(self._item(item, length) for item in sequence.items)
        if sequence.undefined:
            items += self.header(_SEQUENCE_END, "", 0)
        return self.header(sequence.tag, "SQ", len(items) if length is None else length) + items

    def fixed(self, elements: Iterable[AnyElement]) -> bytes:
        """Return elements that vary by no instance, in their order."""
        return b"".join(
            self.sequence(element)
            if isinstance(element, Nested)
            else self.element(element.tag, element.vr, _fixed_value(element))
            for element in elements
        )

    def _item(self, elements: Sequence[AnyElement], length: int | None) -> bytes:
        body = self.fixed(elements)
        if length is None:
            return self.header(_ITEM, "", len(body)) + body
        return self.header(_ITEM, "", length) + body + self.header(_ITEM_END, "", 0)

    def _padded(self, vr: str, value: Value) -> bytes:
        if isinstance(value, tuple):
            letters = _NUMBERS[vr]
            return struct.pack(f"{self._order}{letters * (len(value) // len(letters))}", *value)
        return value + (b"\0" if vr in ("UI", "OB", "UN") else b" ") if len(value) % 2 else value

    @property
    def _order(self) -> str:
        return "<" if self.little else ">"


def _fixed_value(element: Element) -> Value:
    if callable(element.value):
        raise ValueError("items of sequences cannot vary")
    return element.value

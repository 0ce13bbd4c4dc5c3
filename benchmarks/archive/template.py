"""A series' header with holes, filled in for each of its files.

Scope: File Meta, the encoded data set with its holes, deflating and pixel data: everything that turns the elements
of ``content.py`` into the bytes of a file. Only what differs between two files of a series is encoded for each.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.archive.elements import UNDEFINED, AnyElement, Element, Encoding, Instance, Varying

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
_ENCODINGS = {IMPLICIT_LE: Encoding(explicit=False), EXPLICIT_BE: Encoding(little=False)}
_NATIVE = frozenset({IMPLICIT_LE, EXPLICIT_LE, DEFLATED, EXPLICIT_BE})
_PIXEL_DATA, _ITEM, _SEQUENCE_END = 0x7FE0_0010, 0xFFFE_E000, 0xFFFE_E0DD
_META = Encoding()
_FRAGMENTS = 2


@dataclass(frozen=True, slots=True)
class _Hole:
    tag: int
    vr: str
    fill: Varying


class Template:
    """The files of one series.

    Args:
        elements: The data set, in ascending order of tags, without pixel data.
        sop_class: SOP Class UID.
        transfer_syntax: What File Meta says.
        pixels: The pixel data of every file, empty for objects without any; compressed ones are wrapped in fragments.
        really: The transfer syntax the data set is in, where that contradicts File Meta.
    """

    def __init__(
        self,
        elements: Sequence[AnyElement],
        sop_class: str,
        transfer_syntax: str,
        pixels: bytes,
        really: str | None = None,
    ) -> None:
        self._encoding = _ENCODINGS.get(really or transfer_syntax, Encoding())
        self._deflated = transfer_syntax == DEFLATED
        self._meta_tail = _META.fixed(
            [
                Element(0x0002_0010, "UI", transfer_syntax.encode()),
                Element(0x0002_0012, "UI", b"2.25.112233445566778899"),
                Element(0x0002_0013, "SH", b"BENCHMARK 1.0"),
            ]
        )
        self._meta_head = _META.fixed(
            [Element(0x0002_0001, "OB", b"\0\1"), Element(0x0002_0002, "UI", sop_class.encode())]
        )
        self._parts = _parts(elements, self._encoding)
        if pixels:
            self._parts.append(_pixel_data(pixels, self._encoding, native=transfer_syntax in _NATIVE))

    def render(self, instance: Instance) -> bytes:
        """Return the bytes of one file."""
        return self._file_meta(instance) + self._data_set(instance)

    def _file_meta(self, instance: Instance) -> bytes:
        uid = _META.element(0x0002_0003, "UI", instance.uid.encode())
        body = self._meta_head + uid + self._meta_tail
        return bytes(128) + b"DICM" + _META.element(0x0002_0000, "UL", (len(body),)) + body

    def _data_set(self, instance: Instance) -> bytes:
        encode = self._encoding.element
        data = b"".join(
            [
                part if isinstance(part, bytes) else encode(part.tag, part.vr, part.fill(instance))
                for part in self._parts
            ]
        )
        if not self._deflated:
            return data
        squeezer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        return squeezer.compress(data) + squeezer.flush()


def _parts(elements: Sequence[AnyElement], encoding: Encoding) -> list[bytes | _Hole]:
    parts: list[bytes | _Hole] = []
    constant: list[AnyElement] = []
    for element in elements:
        if isinstance(element, Element) and callable(element.value):
            parts += [encoding.fixed(constant), _Hole(element.tag, element.vr, element.value)]
            constant = []
        else:
            constant.append(element)
    return [*parts, encoding.fixed(constant)]


def _pixel_data(pixels: bytes, encoding: Encoding, *, native: bool) -> bytes:
    """Return the Pixel Data element: as it is, or with an offset table and fragments (PS3.5 A.4)."""
    if native:
        return encoding.element(_PIXEL_DATA, "OW", pixels)
    half = len(pixels) // _FRAGMENTS // 2 * 2
    stream = b"\xff\xd8" + pixels + b"\xff\xd9"
    items = [b"\0\0\0\0", stream[:half], stream[half:]]
    wrapped = b"".join(encoding.element(_ITEM, "OB", item) for item in items)
    return encoding.header(_PIXEL_DATA, "OB", UNDEFINED) + wrapped + encoding.header(_SEQUENCE_END, "", 0)

"""What PS3.5 and PS3.6 say of tags and value representations.

Scope: the few questions the readers ask. Attributes are those of pydicom's data dictionary, taken from its table alone:
importing pydicom means importing NumPy, requests and every decoder of pixels, more time than many a date takes. None of
its parsing is used, so that nothing here can warn or log.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

LENGTH_BYTES_16 = 2
LENGTH_BYTES_32 = 4

_SHORT_VRS = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
_LONG_VRS = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"
_FIRST_PRIVATE_GROUP = 0x0009
_CATCH_ALL_GROUPS = (0x1000, 0x1010)
"""Retired groups in which nearly any element counts as a repeating one: no help in telling tags from chance bytes."""


@cache
def vr_length_bytes() -> Mapping[bytes, int]:
    """Return, for each VR of PS3.5 6.2, how many bytes its length takes in an explicit VR stream (PS3.5 7.1.2)."""
    lengths = dict.fromkeys(_SHORT_VRS.split(), LENGTH_BYTES_16) | dict.fromkeys(_LONG_VRS.split(), LENGTH_BYTES_32)
    return {vr.encode("ascii"): length for vr, length in lengths.items()}


@lru_cache(maxsize=1 << 14)
def dictionary_vr(tag: int) -> str | None:
    """Return the VR of a standard tag (PS3.6, repeating groups and group lengths included), None if there is none.

    Some attributes have a choice of VRs; the text is then that of pydicom's dictionary, such as ``US or SS``.
    """
    if is_group_length(tag):
        return "UL"
    if tag >> 16 in _CATCH_ALL_GROUPS:
        return None
    entry = _attributes().DicomDictionary.get(tag)
    if entry is not None:
        return str(entry[0])
    if tag >> 16 & 1:
        return None
    return next((vr for value, mask, vr in _repeating() if (tag ^ value) & mask == 0), None)


@cache
def known_tags() -> list[int]:
    """Return every standard tag that has a VR, ascending; without repeating groups, and group lengths not listed."""
    return sorted(tag for tag in _attributes().DicomDictionary if tag >> 16 not in _CATCH_ALL_GROUPS)


@cache
def _attributes() -> ModuleType:
    """Return pydicom's table of attributes, without the package around it."""
    package = find_spec("pydicom")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("no module named pydicom", name="pydicom")
    table = spec_from_file_location(
        __name__ + "._table", Path(package.submodule_search_locations[0]) / "_dicom_dict.py"
    )
    if table is None or table.loader is None:
        raise ModuleNotFoundError("pydicom has no data dictionary", name="pydicom")
    module = module_from_spec(table)
    table.loader.exec_module(module)
    return module


@cache
def _repeating() -> list[tuple[int, int, str]]:
    """Return value, mask and VR of each attribute of a repeating group: its tag is written with ``x`` for any digit."""
    return [
        (int(tag.replace("x", "0"), 16), int("".join("0" if digit == "x" else "F" for digit in tag), 16), entry[0])
        for tag, entry in _attributes().RepeatersDictionary.items()
    ]


def is_group_length(tag: int) -> bool:
    """Return whether the tag is the length of its group (PS3.5 7.2)."""
    return tag & 0xFFFF == 0 and tag >> 16 < 0xFFFE


def is_private(tag: int) -> bool:
    """Return whether the tag is of a private group (PS3.5 7.8)."""
    group = tag >> 16
    return group & 1 == 1 and _FIRST_PRIVATE_GROUP <= group < 0xFFFF


def is_private_creator(tag: int) -> bool:
    """Return whether the tag reserves a private block (PS3.5 7.8.1)."""
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF

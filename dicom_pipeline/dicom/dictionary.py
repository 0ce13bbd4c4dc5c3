"""What PS3.5 and PS3.6 say of tags and value representations, as pydicom knows it.

Scope: the few questions the reader asks, answered from memory after the first time. Only pydicom's tables are used,
none of its parsing, so that nothing here can warn or log.
"""

from collections.abc import Mapping
from functools import cache, lru_cache

LENGTH_BYTES_16 = 2
LENGTH_BYTES_32 = 4

_FIRST_PRIVATE_GROUP = 0x0009
_CATCH_ALL_GROUPS = (0x1000, 0x1010)
"""Retired groups in which nearly any element counts as a repeating one: no help in telling tags from chance bytes."""


@cache
def vr_length_bytes() -> Mapping[bytes, int]:
    """Return, for each VR of PS3.5 6.2, how many bytes its length takes in an explicit VR stream (PS3.5 7.1.2)."""
    from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, STANDARD_VR

    return {
        vr.value.encode("ascii"): LENGTH_BYTES_32 if vr in EXPLICIT_VR_LENGTH_32 else LENGTH_BYTES_16
        for vr in STANDARD_VR
    }


@lru_cache(maxsize=1 << 14)
def dictionary_vr(tag: int) -> str | None:
    """Return the VR of a standard tag (PS3.6, repeating groups and group lengths included), None if there is none.

    Some attributes have a choice of VRs; the text is then that of pydicom's dictionary, such as ``US or SS``.
    """
    from pydicom.datadict import dictionary_VR

    if is_group_length(tag):
        return "UL"
    if tag >> 16 in _CATCH_ALL_GROUPS:
        return None
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return None


def known_tags() -> list[int]:
    """Return every standard tag for which ``dictionary_vr`` has a VR, ascending; no repeating groups or group lengths."""
    from pydicom.datadict import DicomDictionary

    return sorted(tag for tag in DicomDictionary if dictionary_vr(tag) is not None)


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

"""Cells of text columns to one Arrow array, where the text is nothing but printable ASCII; and UIDs to their hashes.

Scope: the texts whose reading takes no character set and no trimming inside the value. All others are for the reader of
single values (``dicom/rules.py``), whose results these must equal. The arithmetic of hashes is in ``dicom/hashes.py``.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.hashes import hash_words
from dicom_pipeline.dicom.scanner.noted import ABSENT, Bytes
from dicom_pipeline.tables.column_bytes import FIRST_BYTES, WORD, Lengths, Mask, Places, Words, gather, trim_right
from dicom_pipeline.tables.column_cells import Cells, vr_code, vr_table

TEXT_VRS: Mask = vr_table(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"),
)
"""The VRs whose plain texts are read alike; true at their codes."""

_PERSON_NAME = vr_code("PN")
_UNBOUNDED = np.iinfo(np.int32).max
_HASH_DIGITS = 20
_HASH_ROUND = 32  # bytes that the hash takes at a time
_BLANK, _BACKSLASH, _EQUALS = b" \\="


def plain_texts(cells: Cells) -> tuple[pa.StringArray, Mask]:
    """Return the text of each cell, null where there is none, and the cells this is right for, shape (r,)."""
    buffer, offsets = cells.noted.buffer, cells.offsets
    lengths, untrimmed = trim_right(buffer, offsets, cells.lengths)
    bounds = np.array([field.bound or _UNBOUNDED for field in cells.fields])
    plain = cells.absent | (TEXT_VRS[cells.codes] & (lengths <= bounds[cells.columns]) & ~untrimmed)
    # Empty groups at the end of a name go with their delimiter (PS3.5 6.2.1.1).
    names = np.flatnonzero(plain & (lengths > 0) & (cells.codes == _PERSON_NAME))
    plain[names[buffer[offsets[names] + lengths[names] - 1] == _EQUALS]] = False
    texts = strings(buffer, offsets, lengths, plain)
    special = _special(texts)
    if special.size:
        plain[special] = False
        texts = strings(buffer, offsets, lengths, plain)
    return texts, plain


def strings(buffer: Bytes, offsets: Places, lengths: Lengths, wanted: Mask) -> pa.StringArray:
    """Return the values as texts, null where they are empty or not wanted; their bytes are not looked at."""
    return gather(buffer, offsets, np.where(wanted & (lengths > 0), lengths, ABSENT)).view(pa.string())


def uid_hashes(uids: pa.StringArray) -> pa.StringArray:
    """Return the hash of each UID as 20 digits; of null, any."""
    _, ends, values = uids.buffers()
    borders = np.frombuffer(ends, np.int32)[uids.offset : uids.offset + len(uids) + 1]
    begins, lengths = borders[:-1].astype(np.int64), np.diff(borders)
    text = Words(np.frombuffer(values or b"", np.uint8))
    starts = np.arange(0, -(-int(lengths.max(initial=0)) // _HASH_ROUND) * _HASH_ROUND, WORD)[:, None]
    words = text.at(begins + starts) & FIRST_BYTES[np.clip(lengths - starts, 0, WORD)]
    numbers = hash_words(words, lengths)
    return pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), _HASH_DIGITS, "0")


def _special(texts: pa.StringArray) -> npt.NDArray[np.intp]:
    """Return the texts, perhaps repeatedly, with bytes that are not printable ASCII, or padding inside the value."""
    _, ends, values = texts.buffers()
    data = np.frombuffer(values, np.uint8)
    found = np.flatnonzero((data - np.uint8(0x20)) > 0x7E - 0x20)
    slashes = np.flatnonzero(data[1:] == _BACKSLASH)
    if slashes.size:
        before = data[slashes]
        found = np.concatenate([found, slashes[(before == _BLANK) | (before == _EQUALS)] + 1])
    return np.searchsorted(np.frombuffer(ends, np.int32), found, "right") - 1

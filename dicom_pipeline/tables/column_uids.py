"""UIDs to their hashes, a column at a time.

Scope: between an Arrow array of UIDs and the arithmetic in ``dicom/hashes.py``, whose ``hash_uid`` it must equal.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.hashes import hash_words
from dicom_pipeline.tables.column_bytes import FIRST_BYTES, WORD, Words

_HASH_DIGITS = 20


def uid_hashes(uids: pa.StringArray) -> pa.StringArray:
    """Return the hash of each UID as 20 digits; of null, any."""
    _, ends, values = uids.buffers()
    borders = np.frombuffer(ends, np.int32)[uids.offset : uids.offset + len(uids) + 1]
    begins, lengths = borders[:-1].astype(np.int64), np.diff(borders)
    text = Words(np.frombuffer(values or b"", np.uint8))
    places = range(0, int(lengths.max(initial=0)), WORD)
    words = [text.at(begins + place) & FIRST_BYTES[np.clip(lengths - place, 0, WORD)] for place in places]
    numbers = hash_words(np.array(words, np.uint64).reshape(len(words), len(uids)), lengths)
    return pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), _HASH_DIGITS, "0")

"""The two derived identifiers: the hash of a UID and the stand-in for a missing accession number.

Scope: pure functions of text. Neither is cryptographic and neither protects privacy: the hash is stored beside the
UID itself, the stand-in only keeps the accession column filled and equal for all files of one study.
"""

from functools import lru_cache
from zlib import crc32

import numpy as np
import numpy.typing as npt

_MASK = (1 << 64) - 1
_MULTIPLIER = 0x6EED_0E9D_A4D9_4A4F
_LANES = (0x16F1_1FE8_9B0D_677C, 0xB480_A793_D8E6_C86C, 0x6FE2_E5AA_F078_EBC9, 0x14F9_94A4_C525_9381)
_CRC_BUFFER_BYTES = 128


@lru_cache(maxsize=4096)
def hash_uid(text: str) -> str:
    """Return the SeaHash (version 4, default keys) of ``text`` in UTF-8, as 20 decimal digits with leading zeros.

    Remembered for recent UIDs, because every file of a series asks for the same two.
    """
    data = text.encode()
    a, b, c, d = _LANES
    for start in range(0, len(data), 8):
        word = int.from_bytes(data[start : start + 8], "little")
        a, b, c, d = b, c, d, _diffuse(a ^ word)
    return f"{_diffuse(a ^ b ^ c ^ d ^ len(data)):020d}"


def hash_words(words: npt.NDArray[np.uint64], lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """Return the number that ``hash_uid`` prints, for many texts at a time.

    Args:
        words: Each text's UTF-8 bytes as little endian words, the last one filled up with zeros, shape (4 k, r); words
            past a text's end mean nothing.
        lengths: Bytes of each text, shape (r,), at most 32 k.
    """
    # Every fourth word goes into the same lane, and in the end all lanes are one: they need not change places.
    lanes = np.repeat(np.array(_LANES, np.uint64)[:, None], len(lengths), axis=1)
    starts = np.arange(0, 8 * len(words), 8)[:, None]
    for first in range(0, len(words), len(_LANES)):
        four = slice(first, first + len(_LANES))
        lanes = np.where(lengths > starts[four], _diffuse_all(lanes ^ words[four]), lanes)
    return _diffuse_all(np.bitwise_xor.reduce(lanes) ^ lengths.astype(np.uint64))


def _diffuse_all(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    x = x * np.uint64(_MULTIPLIER)
    x ^= (x >> np.uint64(32)) >> (x >> np.uint64(60))
    return x * np.uint64(_MULTIPLIER)


def _diffuse(x: int) -> int:
    x = x * _MULTIPLIER & _MASK
    x ^= (x >> 32) >> (x >> 60)
    return x * _MULTIPLIER & _MASK


def accession_fallback(tenant: str, study_uid: str) -> str:
    """Return ``X32CRC`` and the CRC-32 of tenant and study UID in decimal: 7 to 16 characters.

    The CRC runs over a buffer of 128 bytes: the tenant, directly followed by the UID, the rest zero.

    Raises:
        ValueError: Both together are longer than the buffer; a tenant and a UID of at most 64 bytes each never are.
    """
    data = tenant.encode() + study_uid.encode()
    if len(data) > _CRC_BUFFER_BYTES:
        raise ValueError("tenant and study UID together are longer than 128 bytes")
    return f"X32CRC{crc32(data.ljust(_CRC_BUFFER_BYTES, bytes(1)))}"

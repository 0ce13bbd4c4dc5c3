# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=True
"""The walk over ordinary data sets, compiled.

Scope: what every byte of every header passes through, and nothing else. Where this module was not built, its twin in
pure Python takes its place.
"""


def has_prefix(const unsigned char[::1] block) -> bool:
    """Return whether a block begins with the 128 bytes of preamble and the prefix of PS3.10 7.1."""
    return block.shape[0] >= 132 and bytes(block[128:132]) == b"DICM"

r"""A path as people and databases see it, and its exact bytes.

Scope: the two columns ``path`` and ``raw_path`` of a staged listing, both ways. Inside Python a path is text in which
surrogate escapes stand for bytes that are not UTF-8 (PEP 383); such text can be stored in neither Arrow nor SQL.
"""

import os


def display_path(path: str) -> str:
    r"""Return the path as valid Unicode: as it is where its bytes are UTF-8, else each byte that is not as ``\xNN``.

    Two different paths may look alike (a name may really contain ``\xff``): tell paths apart by their bytes.
    """
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def raw_path(path: str) -> bytes | None:
    """Return the path's bytes, or None if they are UTF-8 and ``display_path`` says all."""
    data = os.fsencode(path)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    return None


def from_columns(path: str, raw: bytes | None) -> str:
    """Return the path that opens the file, from the two columns."""
    return os.fsdecode(path.encode("utf-8") if raw is None else raw)

"""Lists of words, written as text.

Scope: one function, for lists too long to be read one a line.
"""


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())

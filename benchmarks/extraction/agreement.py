"""Do peers read the same values as we do?

Scope: comparing what ``one_round.py`` wrote, and the known causes of differences.
"""

import json
from collections import Counter
from pathlib import Path

from benchmarks.extraction.wanted import KEYWORDS

UNREAD = "(file not read)"


def disagreements(theirs: Path, ours: Path) -> dict[str, int]:
    """Return how many files differ in each attribute, among those that we accept.

    Files a peer could not read, or of which it has no value at all, count under ``UNREAD``.
    """
    found: Counter[str] = Counter()
    with theirs.open(encoding="utf-8") as one, ours.open(encoding="utf-8") as other:
        for their_line, our_line in zip(one, other, strict=True):
            their_row, our_row = json.loads(their_line), json.loads(our_line)
            if our_row is None:
                continue
            if their_row is None or not any(their_row):
                found[UNREAD] += 1
                continue
            found.update(k for k, a, b in zip(KEYWORDS, their_row, our_row, strict=True) if a != b)
    return dict(found.most_common())

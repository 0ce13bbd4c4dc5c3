"""Which files are read: all of an archive, and a sample of whole series for slow readers.

Scope: listing and choosing. A sample of single files would be unfair to readers that profit from alike neighbours,
and would be a different mix of encodings.
"""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random

_TRANSFER_SYNTAX = re.compile(rb"\x02\0\x10\0UI.\0([0-9.]+)", re.DOTALL)


def list_files(root: Path) -> list[str]:
    """Return all files below ``root``, series by series, in a fixed order."""
    found = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        found += [os.path.join(folder, name) for name in sorted(names)]
    return found


def stratified(paths: Sequence[str], size: int, seed: int) -> list[str]:
    """Return about ``size`` of the files: whole series, each transfer syntax with its share of the files."""
    series = defaultdict(list)
    for path in paths:
        series[os.path.dirname(path)].append(path)
    strata = defaultdict(list)
    for files in series.values():
        strata[_transfer_syntax(files[0])].append(files)
    chosen = []
    for name in sorted(strata):
        share = round(size * sum(map(len, strata[name])) / len(paths))
        chosen += _whole_series(strata[name], share, Random(f"{seed}/{name}"))
    return sorted(chosen)


def _whole_series(series: list[list[str]], wanted: int, random: Random) -> list[str]:
    """Return series that fit in ``wanted`` files, drawn by chance; the smallest one if none does."""
    taken: list[str] = []
    for files in random.sample(series, len(series)):
        if len(taken) + len(files) <= wanted:
            taken += files
    return taken or min(series, key=len)


def _transfer_syntax(path: str) -> str:
    with open(path, "rb") as stream:
        found = _TRANSFER_SYNTAX.search(stream.read(1024))
    return found[1].decode() if found else ""

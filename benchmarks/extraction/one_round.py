"""One peer, one round, in a process of its own: ``python -m benchmarks.extraction.one_round PEER LIST [VALUES]``.

Scope: what is inside a measurement and what is not. Imports and a few files before it are outside; opening, reading
and turning into values of all files is inside; comparing is outside.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from benchmarks.extraction.peers import PEERS, Row
from benchmarks.extraction.wanted import FIELDS, canonical
from benchmarks.measure import measured
from benchmarks.rounds import Unavailable

_WARM_UP_FILES = 64
UNAVAILABLE = 3
"""Exit code of a peer that cannot be measured here; the reason is on standard output."""


def main(name: str, listing: str, values: str | None = None) -> int:
    """Measure and print the cost as JSON; write the values, one JSON line a file, if a path for them is given."""
    paths = Path(listing).read_text(encoding="utf-8").splitlines()
    try:
        read = PEERS[name].prepare()
        read(paths[:_WARM_UP_FILES])()
    except Unavailable as reason:
        sys.stdout.write(str(reason))
        return UNAVAILABLE
    rows, cost = measured(read(paths))
    if values is not None:
        _write_values(Path(values), rows.rows())
    sys.stdout.write(json.dumps(asdict(cost)))
    return 0


def _write_values(path: Path, rows: Iterable[Row | None]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            shown = row and [canonical(field, value) for field, value in zip(FIELDS, row, strict=True)]
            stream.write(json.dumps(shown) + "\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""The script people write: ``python -m benchmarks.whole.script URL DIRECTORY...``.

Scope: pydicom, pandas and ``to_sql``, a day at a time, nothing checked, nothing kept from a second run's duplicates.
It is what the pipeline is compared with, so it must stay as plain as it is.
"""

import os
import sys
import time

import pandas as pd
from pydicom import dcmread
from sqlalchemy import create_engine

from benchmarks.extraction.wanted import KEYWORDS


def main(url: str, *directories: str) -> None:
    """Load every file below the directories into the table ``script``."""
    engine = create_engine(url)
    for directory in directories:
        rows = []
        for folder, _, names in os.walk(directory):
            for name in names:
                try:
                    dataset = dcmread(os.path.join(folder, name), stop_before_pixels=True)
                except Exception:
                    continue
                rows.append({keyword: _plain(getattr(dataset, keyword, None)) for keyword in KEYWORDS})
        pd.DataFrame(rows).to_sql("script", engine, if_exists="append", index=False)


def _plain(value: object) -> object:
    """Return what a database takes; PostgreSQL refuses NULs, which everybody learns on the first real archive."""
    return value if value is None or isinstance(value, int | float) else str(value).replace("\0", "")


if __name__ == "__main__":
    begin = time.perf_counter()
    main(*sys.argv[1:])
    # Without its imports, which weigh more on a sample than on an archive.
    sys.stdout.write(str(time.perf_counter() - begin))

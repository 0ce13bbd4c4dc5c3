"""Does a day cost the same in year twenty? A day's load into a table that is full, and into one that is empty.

Scope: filling a database on the server itself, and loading a few days into it and into a fresh one, in turn.
"""

import datetime as dt
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa

from benchmarks.loading.bench import loader
from benchmarks.loading.rows import FIRST_DATE, TENANT, extracted_rows, slice_rows
from benchmarks.loading.server import Server
from benchmarks.measure import measured
from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.warehouse.base import Slice
from dicom_pipeline.warehouse.postgres.ddl import PARTITION_FUNCTION

FULL, EMPTY = "full", "empty"
_DAYS_AT_ONCE = 28
_UIDS = frozenset({"study_uid", "series_uid", "sop_uid"})


def bench_growth(archive: Path, work: Path, rows: int, rounds: int) -> dict[str, Any]:
    """Measure a day's load, of as many rows as the archive has files, with ``rows`` rows in the table and with none.

    Args:
        archive: Whose files the rows are made of.
        work: Where the server is.
        rows: Rows of the full table, about.
        rounds: Days that are loaded into each.
    """
    server = Server(work / "server")
    base = extracted_rows(archive)
    days = -(-rows // base.num_rows)
    found: dict[str, list[float]] = {FULL: [], EMPTY: []}
    try:
        with server.database("bench_full") as full:
            held = _fill(full, slice_rows(base, 0)[1], days)
            for number in range(rounds + 1):
                day = [slice_rows(base, days + number)]
                with server.database("bench_empty") as empty:
                    costs = {name: measured(loader(url, day))[1].wall for name, url in ((FULL, full), (EMPTY, empty))}
                if number:  # the first one warms up
                    for name, wall in costs.items():
                        found[name].append(wall)
    finally:
        server.stop()
    return {"rows": held, "day": base.num_rows, "seconds": found}


def _fill(url: str, day: pa.Table, days: int) -> int:
    """Load a day and multiply it on the server, each copy under the next date and UIDs of its own."""
    loader(url, [(Slice(TENANT, FIRST_DATE), day)])()
    copied = ", ".join(_copied(field.name) for field in IMAGE.fields)
    fill = (
        f"INSERT INTO {IMAGE.name} SELECT {copied} FROM {IMAGE.name} s, generate_series(%s::int, %s::int) n"
        " WHERE s.study_date = %s"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        for begin in range(1, days, _DAYS_AT_ONCE):
            end = min(begin + _DAYS_AT_ONCE, days) - 1
            for number in (begin, end):
                date = FIRST_DATE + dt.timedelta(days=number)
                connection.execute(f"SELECT {PARTITION_FUNCTION}(%s, %s)".encode(), (IMAGE.name, date))
            connection.execute(fill.encode(), (begin, end, FIRST_DATE))
        # What the server would else do in the background while days are being loaded.
        connection.execute(f"VACUUM (ANALYZE) {IMAGE.name}".encode())
        connection.execute("CHECKPOINT")
    return days * len(day)


def _copied(name: str) -> str:
    if name == "study_date":
        return "s.study_date + n"
    if name == "study_date_origin":
        return "to_char(s.study_date + n, 'YYYYMMDD')"
    return f"s.{name} || '.' || n" if name in _UIDS else f's."{name}"'

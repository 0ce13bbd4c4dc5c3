"""The load benchmark: new slices, the same slices again, and everybody else with the same rows.

Scope: putting rows, peers, databases and rounds together into the raw result.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa

from benchmarks.loading.peers import LOAD_PEERS, TABLE, copy_file
from benchmarks.loading.rows import extracted_rows, facts_of, slices, tables_of
from benchmarks.loading.server import Server, rows_written
from benchmarks.measure import Cost, measured
from benchmarks.rounds import run_rounds
from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.warehouse.base import Slice
from dicom_pipeline.warehouse.factory import create_warehouse

OURS = "ours"
LIMIT = "limit"
_DOES = {
    OURS: "Warehouse.replace_slice: checked, digested, partitioned, ledger; a slice a transaction",
    LIMIT: "psql \\copy of a ready binary file",
}
_SLOW_SHARE = 0.02
_WARM_UP_SHARE = 0.05


def bench_loading(archive: Path, work: Path, rows: int, rounds: int) -> dict[str, Any]:
    """Measure every way to load ``rows`` image rows, row-wise ones with a fiftieth of them.

    Args:
        archive: Whose files the rows are made of.
        work: Where the server and the ready file are.
        rows: How many.
        rounds: Rounds that count.
    """
    server = Server(work / "server")
    try:
        bench = _Bench(server, extracted_rows(archive), work, rows)
        names = [*LOAD_PEERS, OURS, LIMIT]
        measured_peers = run_rounds(names, bench.measure, rounds)
        peers = {name: {**found.as_json(), **bench.facts(name)} for name, found in measured_peers.items()}
        return {"rows": rows, "server": server.settings(), "peers": peers}
    finally:
        server.stop()


class _Bench:
    def __init__(self, server: Server, base: pa.Table, work: Path, rows: int) -> None:
        self._server = server
        self._slices = list(slices(base, rows))
        self._everything = pa.concat_tables([table for _, table in self._slices])
        self._slow_rows = max(round(rows * _SLOW_SHARE), 100)
        self._file = work / "ready.copy"
        self._make_ready_file()

    def measure(self, name: str, number: int) -> dict[str, float]:
        """Return rows a second of one way in a fresh database; the first round is shorter and doesn't count."""
        share = 1.0 if number else _WARM_UP_SHARE
        with self._server.database("bench") as url:
            if name == OURS:
                return self._ours(url, share)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"CREATE TABLE {TABLE} (LIKE {IMAGE.name} INCLUDING ALL)".encode())
            if name == LIMIT:
                return self._limit(url)
            return self._peer(name, url, share)

    def facts(self, name: str) -> dict[str, Any]:
        """Return what is reported of a way besides its measurements."""
        if name in LOAD_PEERS:
            return {"does": LOAD_PEERS[name].does, "rows": self._rows_of(name)}
        return {"does": _DOES[name], "rows": self._everything.num_rows}

    def _rows_of(self, name: str) -> int:
        return self._slow_rows if LOAD_PEERS[name].slow else self._everything.num_rows

    def _peer(self, name: str, url: str, share: float) -> dict[str, float]:
        rows = self._everything.slice(0, round(self._rows_of(name) * share))
        load = LOAD_PEERS[name].prepare(rows)
        _, cost = measured(lambda: load(url))
        return _speed(cost, rows.num_rows)

    def _limit(self, url: str) -> dict[str, float]:
        arguments = ("--command", f"\\copy {TABLE} FROM '{self._file}' (FORMAT BINARY)")
        _, cost = measured(lambda: copy_file(self._server.psql(url, *arguments)))
        return _speed(cost, self._everything.num_rows)

    def _ours(self, url: str, share: float) -> dict[str, float]:
        chosen = self._slices[: max(round(len(self._slices) * share), 1)]
        rows = sum(table.num_rows for _, table in chosen)
        load = loader(url, chosen)
        _, first = measured(load)
        before = rows_written(url, IMAGE.name)
        _, again = measured(load)
        written = rows_written(url, IMAGE.name) - before
        reload = {f"reload {key}": value for key, value in _speed(again, rows).items()}
        return {**_speed(first, rows), **reload, "rows written by reload": written}

    def _make_ready_file(self) -> None:
        with self._server.database("bench") as url:
            loader(url, self._slices)()
            columns = ", ".join(f'"{field.name}"' for field in IMAGE.fields)
            query = f"\\copy (SELECT {columns} FROM {IMAGE.name}) TO '{self._file}' (FORMAT BINARY)"
            copy_file(self._server.psql(url, "--command", query))


def loader(url: str, chosen: list[tuple[Slice, pa.Table]]) -> Callable[[], None]:
    """Return what loads the slices, one after the other, over a connection of its own."""

    def load() -> None:
        warehouse = create_warehouse(url)
        try:
            for target, table in chosen:
                warehouse.replace_slice(target, tables_of(table), facts_of(table))
        finally:
            warehouse.close()

    return load


def _speed(cost: Cost, rows: int) -> dict[str, float]:
    return {"rows a second": rows / cost.wall, "client cpu": cost.cpu / rows}

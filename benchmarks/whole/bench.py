"""The benchmark of the whole: a load of an archive against the script people write, and against its own bare parts.

Scope: putting archive, command, script and parts together into the raw results. The bare parts are the extraction of
the same files and the copy of the same rows, with nothing around them: no checks, no staging, no Dagster.
"""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from benchmarks.archive.writer import TENANT
from benchmarks.extraction.bench import run_peer
from benchmarks.extraction.peers import OURS_ON_TWO
from benchmarks.extraction.sample import list_files
from benchmarks.loading.peers import TABLE, copy_file
from benchmarks.loading.server import Server
from benchmarks.measure import measured
from benchmarks.rounds import run_rounds
from benchmarks.whole.command import Memory, load_archive, run_script
from dicom_pipeline.dicom.fields import IMAGE

COMMAND, SCRIPT, EXTRACTION, COPY = "dicom-pipeline load", "script", "bare extraction", "bare COPY"


def bench_whole(archive: Path, work: Path, sample: int, rounds: int, seed: int) -> dict[str, Any]:
    """Measure the load of an archive, the script on whole dates of it, and the bare parts.

    Args:
        archive: As ``python -m benchmarks.archive`` writes it.
        work: Where the server is.
        sample: Files the script gets, about.
        rounds: Rounds that count.
        seed: Decides which dates the script gets.
    """
    server = Server(work / "server")
    try:
        with TemporaryDirectory(dir=work) as folder:
            bench = _Bench(server, archive / TENANT, Path(folder), sample, seed)
            found = run_rounds([COMMAND, SCRIPT, EXTRACTION, COPY], bench.measure, rounds)
            return {**bench.facts(), "peers": {name: one.as_json() for name, one in found.items()}}
    finally:
        server.stop()


def bench_memory(archive: Path, work: Path) -> dict[str, Any]:
    """Measure the largest memory of a load of an archive whose files are all of one date."""
    server = Server(work / "server")
    memory = Memory()
    try:
        with server.database("bench") as url:
            report = load_archive(archive / TENANT, url, work, memory=memory)
    finally:
        server.stop()
    return {"files": report["files"]["listed"], "report": report, "pss": memory.pss, "rss": memory.rss}


class _Bench:
    def __init__(self, server: Server, root: Path, folder: Path, sample: int, seed: int) -> None:
        self._server, self._root, self._folder = server, root, folder
        self._listing, self._file = folder / "all.txt", folder / "ready.copy"
        paths = list_files(root)
        self._listing.write_text("\n".join(paths), encoding="utf-8")
        self._files = len(paths)
        self._dates, self._script_files = _whole_dates(root, sample, seed)
        self._report: dict[str, Any] = {}

    def measure(self, name: str, number: int) -> dict[str, float]:
        """Return wall seconds a file; the first round doesn't count, and makes the file for the bare COPY."""
        if name == EXTRACTION:
            return {"wall": run_peer(OURS_ON_TWO, self._listing)["wall"] / self._files}
        with self._server.database("bench") as url:
            if name == COMMAND:
                return self._load(url, keep_rows=number == 0)
            if name == SCRIPT:
                return {"wall": run_script(url, self._dates) / self._script_files}
            return self._copy(url)

    def facts(self) -> dict[str, Any]:
        """Return what is reported besides the measurements."""
        return {"files": self._files, "script files": self._script_files, "report": self._report}

    def _load(self, url: str, *, keep_rows: bool) -> dict[str, float]:
        self._report, cost = measured(lambda: load_archive(self._root, url, self._folder))
        if keep_rows:
            columns = ", ".join(f'"{field.name}"' for field in IMAGE.fields)
            query = f"\\copy (SELECT {columns} FROM {IMAGE.name}) TO '{self._file}' (FORMAT BINARY)"
            copy_file(self._server.psql(url, "--command", query))
        return {"wall": cost.wall / self._files, "cpu": cost.cpu / self._files}

    def _copy(self, url: str) -> dict[str, float]:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLE {TABLE} (LIKE {IMAGE.name} INCLUDING ALL)".encode())
        command = self._server.psql(url, "--command", f"\\copy {TABLE} FROM '{self._file}' (FORMAT BINARY)")
        _, cost = measured(lambda: copy_file(command))
        return {"wall": cost.wall / self._files}


def _whole_dates(root: Path, sample: int, seed: int) -> tuple[list[Path], int]:
    """Return directories of dates, drawn by chance until they have ``sample`` files, and how many they have."""
    directories = sorted(root.iterdir())
    chosen, files = [], 0
    for directory in Random(seed).sample(directories, len(directories)):
        if files >= sample:
            break
        chosen.append(directory)
        files += len(list_files(directory))
    return chosen, files

"""The benchmark of years: a backfill of daily partitions through Dagster's daemon, many dates a run and one a run.

Scope: running the command as a user does, with every check on, and what a date costs either way. Many dates a run are
charged with everything, also the start of Dagster and the times its daemon only waits. One date a run is charged only
from the first of its runs to the end of the last: of ten dates the rest would be most, of years it would be little.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.archive.writer import TENANT
from benchmarks.loading.server import Server
from benchmarks.rounds import Unavailable, run_rounds
from dicom_pipeline.orchestration.instance.instance import open_instance

MANY, ONE = "many dates a run", "one date a run"
DATE = "seconds a date"
_DATES_ALONE = 10
_SOME_DATE_FAILED = 1


def bench_years(archive: Path, work: Path, rounds: int) -> dict[str, Any]:
    """Measure backfills of an archive of many small dates.

    Args:
        archive: As ``python -m benchmarks.archive`` writes it.
        work: Where the server is.
        rounds: Rounds that count; none before them, since each takes minutes and starts from nothing.
    """
    server = Server(work / "server")
    reports: dict[str, Any] = {}

    def measure(name: str, number: int) -> dict[str, float]:
        if not number:
            return {}
        with server.database("bench") as url, TemporaryDirectory(dir=work) as home:
            options = ["--max-runs", str(_DATES_ALONE)] if name == ONE else []
            seconds, reports[name] = _backfill(archive / TENANT, url, home, options, alone=name == ONE)
            if name == ONE:
                seconds = _from_first_run_to_last(Path(home))
        return {DATE: seconds / reports[name]["loaded"]}

    try:
        found = run_rounds([MANY, ONE], measure, rounds)
    finally:
        server.stop()
    return {"reports": reports, "peers": {name: one.as_json() for name, one in found.items()}}


def _backfill(root: Path, url: str, home: str, options: list[str], *, alone: bool) -> tuple[float, dict[str, Any]]:
    command = [str(Path(sys.executable).with_name("dicom-pipeline")), "backfill", str(root), "--json", *options]
    environment = {**os.environ, "DICOM_PIPELINE_HOME": home, "DICOM_PIPELINE_WAREHOUSE": url}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if alone:
        environment["DICOM_PIPELINE_PARTITIONS_PER_RUN"] = "1"
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    seconds = time.perf_counter() - started
    if done.returncode not in (0, _SOME_DATE_FAILED):
        raise Unavailable(f"failed with exit code {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)["archives"][0]
    if not report["loaded"]:
        raise Unavailable("no date was loaded")
    return seconds, report


def _from_first_run_to_last(home: Path) -> float:
    with open_instance(home / "dagster") as instance:
        runs = instance.get_run_records()
    return max(run.end_time or 0 for run in runs) - min(run.start_time or 0 for run in runs)

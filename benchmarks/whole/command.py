"""Running ``dicom-pipeline load`` as a user does, and looking at its memory meanwhile.

Scope: the process and all below it; PostgreSQL is not below it and not counted.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import descendants
from benchmarks.rounds import Unavailable

_SECONDS_BETWEEN_LOOKS = 0.1
_SOME_DATE_FAILED = 1


@dataclass(slots=True)
class Memory:
    """Largest sums over the process tree seen so far, in bytes: proportional and resident set sizes."""

    pss: int = 0
    rss: int = 0


def load_archive(root: Path, url: str, work: Path, *options: str, memory: Memory | None = None) -> dict[str, Any]:
    """Load an archive with every check on, into an empty database and a fresh home; return the command's report.

    Raises:
        Unavailable: The command failed; what it said is on standard error.
    """
    command = [str(Path(sys.executable).with_name("dicom-pipeline")), "load", str(root), "--json", *options]
    with TemporaryDirectory(dir=work) as home:
        environment = {**os.environ, "DICOM_PIPELINE_HOME": home, "DICOM_PIPELINE_WAREHOUSE": url}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        with process, _watched(process.pid, memory):
            printed, _ = process.communicate()
    # A date whose share of broken files is too large makes the exit code 1 and is loaded all the same.
    if process.returncode not in (0, _SOME_DATE_FAILED):
        raise Unavailable(f"failed with exit code {process.returncode}")
    report: dict[str, Any] = json.loads(printed)
    return report


def run_script(url: str, directories: Sequence[Path]) -> float:
    """Run the script people write on whole dates; return its wall seconds, imports not counted."""
    driver_url = url.replace("postgresql://", "postgresql+psycopg2://")
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.whole.script", driver_url, *map(str, directories)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return float(done.stdout)


@contextmanager
def _watched(pid: int, memory: Memory | None) -> Iterator[None]:
    """Look at a process tree's memory from a thread until the block ends."""
    if memory is None:
        yield
        return
    done = threading.Event()

    def look() -> None:
        while not done.wait(_SECONDS_BETWEEN_LOOKS):
            sizes = [_sizes(process) for process in (pid, *descendants(pid))]
            memory.pss = max(memory.pss, sum(pss for pss, _ in sizes))
            memory.rss = max(memory.rss, sum(rss for _, rss in sizes))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _sizes(pid: int) -> tuple[int, int]:
    """Return the proportional and the resident set size of a process in bytes, zeros if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0, 0
    found = {line.split()[0]: int(line.split()[1]) * 1024 for line in text.splitlines()[1:]}
    return found.get("Pss:", 0), found.get("Rss:", 0)

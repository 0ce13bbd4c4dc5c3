"""The extraction benchmark: rounds of all peers over one archive.

Scope: putting files, peers, rounds and comparison together into the raw result.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.extraction.agreement import disagreements
from benchmarks.extraction.one_round import UNAVAILABLE
from benchmarks.extraction.peers import OURS, PEERS
from benchmarks.extraction.sample import list_files, stratified
from benchmarks.rounds import Unavailable, run_rounds

_WITHOUT_VALUES = ("floor",)


def bench_extraction(archive: Path, sample_size: int, rounds: int, seed: int) -> dict[str, Any]:
    """Measure every peer; slow ones, and ours once more beside them, on the sample.

    Args:
        archive: Whose files are read.
        sample_size: About how many files slow peers get.
        rounds: Rounds that count.
        seed: Decides which series are in the sample.
    """
    everything = list_files(archive)
    some = stratified(everything, sample_size, seed)
    with TemporaryDirectory() as folder:
        bench = _Bench(Path(folder), everything, some)
        measured = run_rounds(list(PEERS), bench.measure, rounds)
        peers = {name: {**found.as_json(), **bench.facts(name)} for name, found in measured.items()}
    compiled = find_spec("dicom_pipeline.dicom.scanner._compiled") is not None
    return {"files": len(everything), "sample": len(some), "compiled": compiled, "peers": peers}


class _Bench:
    """Files with the lists of paths and the values of everybody."""

    def __init__(self, folder: Path, everything: Sequence[str], some: Sequence[str]) -> None:
        self._folder = folder
        self._files = {False: len(everything), True: len(some)}
        for slow, paths in ((False, everything), (True, some)):
            self._listing(slow).write_text("\n".join(paths), encoding="utf-8")
        run_peer(OURS, self._listing(True), self._values("reference"))

    def measure(self, name: str, number: int) -> dict[str, float]:
        """Return a peer's seconds a file, in a fresh process; in the round that does not count, keep its values."""
        slow = PEERS[name].slow
        cost = run_peer(name, self._listing(slow))
        if number == 0 and not name.startswith(_WITHOUT_VALUES):
            run_peer(name, self._listing(True), self._values(name))
        return {key: seconds / self._files[slow] for key, seconds in cost.items()}

    def facts(self, name: str) -> dict[str, Any]:
        """Return what is reported of a peer besides its measurements."""
        values = self._values(name)
        compared = disagreements(values, self._values("reference")) if values.exists() else None
        peer = PEERS[name]
        return {"does": peer.does, "files": self._files[peer.slow], "disagreements": compared}

    def _listing(self, slow: bool) -> Path:
        return self._folder / ("some.txt" if slow else "all.txt")

    def _values(self, name: str) -> Path:
        return self._folder / f"{name}.values"


def run_peer(name: str, listing: Path, values: Path | None = None) -> dict[str, float]:
    """Measure one peer in a fresh process and return its seconds; write its values if a path for them is given.

    Raises:
        Unavailable: It is not installed, or failed.
    """
    command = [sys.executable, "-m", "benchmarks.extraction.one_round", name, str(listing)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    arguments = [] if values is None else [str(values)]
    done = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode == UNAVAILABLE:
        raise Unavailable(done.stdout)
    if done.returncode:
        raise Unavailable("failed")
    cost: dict[str, float] = json.loads(done.stdout)
    return cost

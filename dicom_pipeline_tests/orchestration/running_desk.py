"""``dicom-pipeline ui`` as a process of its own, for tests of what it starts and shows."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cached_property
from pathlib import Path

from dicom_pipeline.orchestration.instance.desk import free_port

_QUERY = "{workspaceOrError{...on Workspace{locationEntries{loadStatus locationOrLoadError{__typename}}}}}"
_LOADED = [{"loadStatus": "LOADED", "locationOrLoadError": {"__typename": "RepositoryLocation"}}]
_START_SECONDS = 120
END_SECONDS = 30


class Desk:
    """``dicom-pipeline ui`` in a process of its own, and what it leaves in ``/proc``."""

    def __init__(self, home: Path, log: Path) -> None:
        self.port = free_port()
        self.log = log
        command = [sys.executable, "-c", "from dicom_pipeline.cli import main; main()", "ui"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--home", str(home), "--port", str(self.port)],
                cwd=home.parent,
                env={k: v for k, v in os.environ.items() if not k.startswith(("DICOM_PIPELINE_", "DAGSTER_"))},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def locations(self) -> object:
        """What GraphQL says about the code locations; None while nobody answers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": _QUERY}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)["data"]["workspaceOrError"]["locationEntries"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def wait_until_loaded(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while (locations := self.locations()) != _LOADED:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"{locations}\n{self.log.read_text()}"
            time.sleep(0.3)

    def end(self) -> None:
        """Interrupt the command, as a service manager does, and wait for it and all that it started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(END_SECONDS)

    def members(self) -> set[int]:
        """The living processes of the groups that the command started: Dagster's own, and their children."""
        return {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _group(pid) in self.groups}

    @cached_property
    def groups(self) -> set[int | None]:
        """The groups of the command's children; to be looked at first while they live."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {_group(int(pid)) for pid in children} - {None}


def _group(pid: int) -> int | None:
    """The process group of a living process; a zombie is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[2])

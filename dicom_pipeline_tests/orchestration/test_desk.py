import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.desk import run_ui
from dicom_pipeline.settings import Settings

_QUERY = "{workspaceOrError{...on Workspace{locationEntries{loadStatus locationOrLoadError{__typename}}}}}"
_LOADED = [{"loadStatus": "LOADED", "locationOrLoadError": {"__typename": "RepositoryLocation"}}]
_START_SECONDS = 120
_END_SECONDS = 30


class Desk:
    """``dicom-pipeline ui`` in a process of its own, and what it leaves in ``/proc``."""

    def __init__(self, home: Path, log: Path) -> None:
        self.port = _free_port()
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

    def members(self) -> set[int]:
        """The living processes of the groups that the command started: Dagster's own, and their children."""
        return {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _group(pid) in self.groups}

    @cached_property
    def groups(self) -> set[int | None]:
        """The groups of the command's children; to be looked at first while they live."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {_group(int(pid)) for pid in children} - {None}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _group(pid: int) -> int | None:
    """The process group of a living process; a zombie is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[2])


def _listening_addresses(port: int) -> set[str]:
    """The local addresses on which anybody on this machine listens at the port, as the kernel writes them."""
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else []:
            _, local, _, state, *_ = line.split()
            address, _, local_port = local.partition(":")
            if state == "0A" and int(local_port, 16) == port:
                listening.add(address)
    return listening


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "home", tmp_path / "log")
    yield desk
    if desk.process.poll() is None:
        desk.process.send_signal(signal.SIGTERM)
        desk.process.wait(_END_SECONDS)


def test_ui_answers_on_the_loopback_interface_only_and_an_interrupt_leaves_no_process(desk: Desk) -> None:
    desk.wait_until_loaded()
    assert _listening_addresses(desk.port) == {"0100007F"}
    assert len(desk.members()) > 3
    desk.process.send_signal(signal.SIGINT)
    assert desk.process.wait(_END_SECONDS) == 130
    assert desk.members() == set()
    assert not _listening_addresses(desk.port)
    assert "Warning" not in desk.log.read_text()


def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match="--port"):
            run_ui(Settings(home=tmp_path / "home"), other.getsockname()[1])
    assert not (tmp_path / "home").exists()

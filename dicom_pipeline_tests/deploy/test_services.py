"""The services of ``deploy/systemd`` as real processes on PostgreSQL: a backfill goes through all three."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_pipeline.orchestration.backfill.client import DeskClient
from dicom_pipeline.orchestration.instance.desk import free_port
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline_tests.deploy.files import DAGSTER_SERVICES, DEPLOY, unit
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

_PATIENCE_SECONDS = 150
_GRACE_SECONDS = 60


class Services:
    """The processes of the units, with their paths and their port moved to a place of the test's own."""

    def __init__(self, loader: Loader, place: Path) -> None:
        self.port = free_port()
        self.place = place
        self._moved = {
            "/opt/dicom-pipeline/bin/": f"{sys.executable} -P -m ",
            "/run/dicom-pipeline": str(place),
            "/etc/dicom-pipeline/workspace.yaml": str(place / "workspace.yaml"),
            "/etc/dicom-pipeline/dicom_pipeline.yaml": str(place / "dicom_pipeline.yaml"),
            "/var/lib/dicom-pipeline": str(loader.settings.home),
            "--port 3000": f"--port {self.port}",
        }
        (place / "workspace.yaml").write_text(self._here((DEPLOY / "systemd/workspace.yaml").read_text()))
        archive = {"tenant": "default", "root": str(loader.archive.root), "start_date": "2024-01-01"}
        (place / "dicom_pipeline.yaml").write_text(json.dumps({"archives": [archive]}))
        clean = {k: v for k, v in os.environ.items() if not k.startswith("DICOM_PIPELINE_")}
        self.environment = {**clean, "DICOM_PIPELINE_WAREHOUSE": loader.url}
        for value in (value for key, value in unit("code") if key == "Environment"):
            name, _, text = value.partition("=")
            self.environment[name] = self._here(text)
        self.processes = [self._start(name) for name in DAGSTER_SERVICES]

    def _here(self, text: str) -> str:
        for there, here in self._moved.items():
            text = text.replace(there, here)
        return text

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        command = shlex.split(self._here(dict(unit(name))["ExecStart"]))
        place = command.index("-m") + 1
        command[place] = {"dagster-daemon": "dagster._daemon", "dagster-webserver": "dagster_webserver"}.get(
            command[place], command[place]
        )
        with (self.place / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)

    def told(self) -> str:
        return "\n".join(f"{path.name}:\n{path.read_text()}" for path in sorted(self.place.glob("*.log")))

    def wait_until_loaded(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        client = DeskClient(f"http://127.0.0.1:{self.port}")
        while not self._has_loaded(client):
            assert all(process.poll() is None for process in self.processes), self.told()
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.5)

    def _has_loaded(self, client: DeskClient) -> bool:
        try:
            return client.has_loaded()
        except Exception:
            return False

    def end(self) -> None:
        """End them one after the other, as systemd would."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(_GRACE_SECONDS)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue


@pytest.fixture
def services(deployed: Loader, tmp_path: Path) -> Iterator[Services]:
    deployed.archive.fill(days("2024-01-30", 3))
    place = tmp_path / "services"
    place.mkdir()
    started = Services(deployed, place)
    try:
        yield started
    finally:
        started.end()


def test_a_backfill_goes_through_web_server_daemon_and_code_location(services: Services, deployed: Loader) -> None:
    services.wait_until_loaded()
    command = [sys.executable, "-P", "-c", "from dicom_pipeline.cli import main; main()", "backfill", "--json"]
    command += ["--ui", f"http://127.0.0.1:{services.port}", "--from", "2024-01-30", "--to", "2024-02-01"]
    done = subprocess.run(
        command,
        env=services.environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=services.place,
        timeout=_PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr + services.told()
    assert deployed.rows("select count(*), count(distinct study_date) from dicom_image_meta") == [(9, 3)]
    with open_instance(deployed.settings.dagster_home) as instance:
        (run,) = instance.get_runs()
        assert run.status.value == "SUCCESS"
        assert "dagster/backfill" in run.tags

"""Dagster's UI and daemon on the home directory.

Scope: starting ``dagster dev`` for the code location of this package, on the loopback interface only (Dagster's web
server knows no users), and ending it with all its processes.
"""

import os
import signal
import subprocess
import sys

from dicom_pipeline.orchestration.instance import prepare_instance
from dicom_pipeline.settings import Settings

_GRACE_SECONDS = 15


def run_ui(settings: Settings, port: int) -> int:
    """Run the UI until it ends or is interrupted; return the exit code (130 after an interrupt)."""
    home = settings.home.absolute()
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(prepare_instance(settings.dagster_home)),
        "DICOM_PIPELINE_HOME": str(home),
        # An exception's text may carry a patient's data: Dagster shows an id in its place.
        "DAGSTER_REDACT_USER_CODE_ERRORS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "dagster", "dev", "-m", "dicom_pipeline.definitions"]
    command += ["-h", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return process.wait()
    except KeyboardInterrupt:
        _end(process)
        return 130


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: Dagster's parent process leaves children behind when it alone is told."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

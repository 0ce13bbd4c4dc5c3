"""Dagster's UI and daemon on the home directory.

Scope: starting ``dagster dev`` for the code location of this package, on the loopback interface only (Dagster's web
server knows no users), and ending it with all its processes.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.instance import instance_environment, prepare_instance
from dicom_pipeline.settings import Settings

_HOST = "127.0.0.1"
_GRACE_SECONDS = 15
_LOOK_SECONDS = 0.1


def run_ui(settings: Settings, port: int) -> int:
    """Run the UI until it ends or is interrupted; return the exit code (130 after an interrupt).

    Raises:
        ConfigurationError: The port is not to be had.
    """
    _check_port(port)
    home = settings.home.absolute()
    environment = {
        **os.environ,
        **instance_environment(prepare_instance(settings.dagster_home)),
        "DICOM_PIPELINE_HOME": str(home),
        # An exception's text may carry a patient's data: Dagster shows an id in its place.
        "DAGSTER_REDACT_USER_CODE_ERRORS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "dagster", "dev", "-m", "dicom_pipeline.definitions"]
    command += ["-h", _HOST, "-p", str(port)]
    with _interruptible():
        process = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 130
        finally:
            _end(process)


def _check_port(port: int) -> None:
    """Look before Dagster does: it would start everything, and answer with a stack trace."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} of {_HOST} cannot be had ({error.strerror}): choose another with --port"
            ) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Take a service manager's end and a closed terminal for the interrupt of a person.

    SIGINT is among them because a shell's background jobs are started to ignore it, and would hand that down.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored: somebody said nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: Dagster's parent process leaves children behind when it alone is told.

    They get time to say in their storage that they were interrupted; who is left after it, or at another interrupt,
    is killed.
    """
    try:
        _signal_group(process, signal.SIGINT)
        deadline = time.monotonic() + _GRACE_SECONDS
        while _signal_group(process, 0) and time.monotonic() < deadline:
            process.poll()
            time.sleep(_LOOK_SECONDS)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to the group (0 only asks); return whether anybody is left in it."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True

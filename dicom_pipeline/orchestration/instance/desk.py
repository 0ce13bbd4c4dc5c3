"""Dagster's UI and daemon on the home directory.

Scope: starting ``dagster dev`` for the code location of this package, on the loopback interface only (Dagster's web
server knows no users), leaving word of it in the home directory, and ending it with all its processes. What is asked of
it over its web server is in ``desk_client.py``.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.instance.instance import (
    end_orphaned_runs,
    instance_environment,
    is_gone,
    open_instance,
    prepare_instance,
    this_process,
)
from dicom_pipeline.settings import Settings

_HOST = "127.0.0.1"
_WORD = "desk.json"
_GRACE_SECONDS = 15
_LOOK_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def run_ui(settings: Settings, port: int) -> int:
    """Run the UI until it ends or is interrupted; return the exit code (130 after an interrupt).

    Raises:
        ConfigurationError: The port is not to be had.
    """
    _check_port(port)
    with interruptible():
        try:
            with started_desk(settings, port) as process:
                return process.wait()
        except KeyboardInterrupt:
            return 130


@contextmanager
def started_desk(settings: Settings, port: int, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Start UI and daemon, and end them with the block; runs whose process was killed before are ended first.

    Args:
        settings: Home, archives, warehouse.
        port: Where to listen.
        log: Where everything they say goes; None means where this process says what it does.
    """
    with open_instance(settings.dagster_home) as instance:
        end_orphaned_runs(instance)
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
    output = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    process = subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=output, stderr=output, preexec_fn=_end_with_parent
    )
    if output is not None:
        os.close(output)
    word = home / _WORD
    try:
        _write(word, {"url": url_of(port), "process": this_process()})
        yield process
    finally:
        end_desk(process)
        _write(word, {"ended": time.time()})


def url_of(port: int) -> str:
    """Return the address of a UI on this machine."""
    return f"http://{_HOST}:{port}"


def running_url(settings: Settings) -> str | None:
    """Return the address of the UI that ``started_desk`` runs on this home now, in whatever process; None if none."""
    word = _read(settings)
    return str(word["url"]) if "url" in word and not is_gone(str(word["process"])) else None


def ended_at(settings: Settings) -> float:
    """Return when the last UI of this home ended in good order, in seconds since 1970; 0 if it did not."""
    return float(str(_read(settings).get("ended", 0)))


def free_port() -> int:
    """Return a port of this machine that nobody has now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _read(settings: Settings) -> dict[str, object]:
    try:
        word = json.loads((settings.home / _WORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return word if isinstance(word, dict) else {}


def _write(path: Path, word: dict[str, object]) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(word), encoding="utf-8")
    draft.replace(path)


def _end_with_parent() -> None:
    """Ask the kernel to interrupt this process when the one that started it is gone, however that ended."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


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
def interruptible() -> Iterator[None]:
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


def end_desk(process: subprocess.Popen[bytes]) -> None:
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

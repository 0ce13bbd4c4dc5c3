"""Dagster's instance in the home directory.

Scope: its configuration file, opening it, and tidying up after runs whose process was killed.
"""

import datetime as dt
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol, runtime_checkable

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

_STARTED_SECONDS = 60.0
PROCESS_TAG = "dicom_pipeline/process"

# The home is named by the environment, so that it may be moved.
_EVENT_LOG = """\
event_log_storage:
  module: dicom_pipeline.orchestration.instance.event_log
  class: DateEventLogStorage
  config:
    dagster_home:
      env: DAGSTER_HOME
"""
_CONFIGURATION = f"""\
# Dagster's instance of dicom-pipeline: SQLite below this directory, fit for one machine.
telemetry:
  enabled: false
# Dagster's first page would ask for an e-mail address.
nux:
  enabled: false
# Output of runs is not captured: nothing that a library prints can end up in storage.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
{_EVENT_LOG}python_logs:
  python_log_level: INFO
concurrency:
  runs:
    max_concurrent_runs: 1
"""
# What was written before there was a storage of our own, and while its module was elsewhere. A file that a person has
# changed is left alone.
_FORMER_CONFIGURATION = _CONFIGURATION.replace(_EVENT_LOG, "")
_MOVED_CONFIGURATION = _CONFIGURATION.replace("orchestration.instance.event_log", "orchestration.event_log")
_FORMER_CONFIGURATIONS = (_FORMER_CONFIGURATION, _MOVED_CONFIGURATION)


def prepare_instance(directory: Path) -> Path:
    """Create the instance's directory and configuration if they are missing; return the directory, absolute.

    A configuration as an earlier version wrote it becomes today's; both read the same databases.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    configuration = directory / "dagster.yaml"
    if not configuration.exists() or configuration.read_text(encoding="utf-8") in _FORMER_CONFIGURATIONS:
        draft = directory / f"dagster.yaml.{os.getpid()}"
        draft.write_text(_CONFIGURATION, encoding="utf-8")
        draft.replace(configuration)
    return directory


def instance_environment(directory: Path) -> dict[str, str]:
    """Return the variables with which Dagster works on the prepared instance, in this process or another."""
    batch = os.environ.get("DAGSTER_EVENT_BATCH_SIZE", "1000")  # what a run announces is stored in one commit
    return {"DAGSTER_HOME": str(directory.absolute()), "DAGSTER_EVENT_BATCH_SIZE": batch}


def open_instance(directory: Path) -> dg.DagsterInstance:
    """Open the instance, creating it first if need be; the environment of this process names it from then on."""
    home = prepare_instance(directory)
    os.environ.update(instance_environment(home))
    with _alone(home):
        return dg.DagsterInstance.from_config(str(home))


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep others from opening the instance meanwhile: two that make its databases at once can break one for good."""
    with open(os.open(home / ".opening", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@runtime_checkable
class _HoldsEvents(Protocol):
    """What ``event_log.DateEventLogStorage`` offers; that module takes half a second to import."""

    def together(self) -> AbstractContextManager[None]: ...


def stored_together(instance: dg.DagsterInstance) -> AbstractContextManager[None]:
    """Return the context inside which events are held back for one commit, where the instance's storage can do it."""
    storage = instance.event_log_storage
    return storage.together() if isinstance(storage, _HoldsEvents) else nullcontext()


def holds_events(instance: dg.DagsterInstance) -> bool:
    """Return whether the instance's storage is the one of a home, which knows what an evaluation is about."""
    return isinstance(instance.event_log_storage, _HoldsEvents)


def process_tags() -> dict[str, str]:
    """Return the tags that tell later calls which process a run belonged to."""
    return {PROCESS_TAG: this_process()}


def this_process() -> str:
    """Return a name of this process that no other will have, on this machine or another; see ``is_gone``."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


def end_orphaned_runs(instance: dg.DagsterInstance) -> int:
    """Mark runs as failed whose process on this machine is gone; return how many.

    A killed process cannot say so itself, and Dagster would show its run as started for ever.
    """
    begun = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    orphans = [record.dagster_run for record in instance.get_run_records(begun) if _is_orphan(record)]
    for run in orphans:
        instance.report_run_failed(run, "the process of this run was killed; its finished dates are loaded")
    return len(orphans)


def _is_orphan(record: dg.RunRecord) -> bool:
    process = record.dagster_run.tags.get(PROCESS_TAG)
    if process is not None:
        return is_gone(process)
    # It was killed before it could say which process it was, if it is not just about to.
    quiet = time.time() - record.update_timestamp.replace(tzinfo=dt.UTC).timestamp()
    return quiet > _STARTED_SECONDS and _server_is_gone(record.dagster_run.tags.get(GRPC_INFO_TAG, "{}"))


def _server_is_gone(told: str) -> bool:
    """Tell whether the code server that was to start a run listened on this machine and does so no more."""
    path = json.loads(told).get("socket")
    if path is None:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return True
    return False


def is_gone(process: str) -> bool:
    """Tell whether the process of that name was one of this machine and has ended."""
    host, _, rest = process.partition(":")
    pid, _, start = rest.partition(":")
    return host == socket.gethostname() and pid.isdigit() and _start_of(int(pid)) != start


def _start_of(pid: int) -> str:
    """Return the start time of a process in clock ticks: process ids are used again. Empty if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]

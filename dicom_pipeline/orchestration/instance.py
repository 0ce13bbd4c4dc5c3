"""Dagster's instance in the home directory.

Scope: its configuration file, opening it, and tidying up after runs whose process was killed.
"""

import os
import socket
from pathlib import Path

import dagster as dg

PROCESS_TAG = "dicom_pipeline/process"

_CONFIGURATION = """\
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
event_log_storage:
  module: dicom_pipeline.orchestration.event_log
  class: DateEventLogStorage
  config:
    dagster_home:
      env: DAGSTER_HOME
python_logs:
  python_log_level: INFO
concurrency:
  runs:
    max_concurrent_runs: 1
"""


def prepare_instance(directory: Path) -> Path:
    """Create the instance's directory and configuration if they are missing; return the directory, absolute."""
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    configuration = directory / "dagster.yaml"
    if not configuration.exists():
        configuration.write_text(_CONFIGURATION, encoding="utf-8")
    return directory


def open_instance(directory: Path) -> dg.DagsterInstance:
    """Open the instance, creating it first if need be."""
    home = str(prepare_instance(directory))
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")  # what a run announces is one commit, too
    os.environ["DAGSTER_HOME"] = home  # named in the configuration, which so outlives a move of the directory
    return dg.DagsterInstance.from_config(home)


def process_tags() -> dict[str, str]:
    """Return the tags that tell later calls which process a run belonged to."""
    return {PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"}


def end_orphaned_runs(instance: dg.DagsterInstance) -> int:
    """Mark runs as failed whose process on this machine is gone; return how many.

    A killed process cannot say so itself, and Dagster would show its run as started for ever.
    """
    started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]))
    orphans = [run for run in started if _is_gone(run.tags.get(PROCESS_TAG, ""))]
    for run in orphans:
        instance.report_run_failed(run, "the process of this run was killed; its finished dates are loaded")
    return len(orphans)


def _is_gone(process: str) -> bool:
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

"""The Dagster that a backfill runs in: the one that is there, or one for as long as the backfill takes.

Scope: finding or starting UI and daemon, and clearing up in storage where no daemon can. Launching and following is in
``backfill.py``, processes are in ``desk.py``.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

from dicom_pipeline.errors import ConfigurationError, PipelineError
from dicom_pipeline.orchestration.backfill.client import BackfillState, DeskClient, DeskUnreachable
from dicom_pipeline.orchestration.instance.desk import ended_at, free_port, running_url, started_desk, url_of
from dicom_pipeline.orchestration.instance.instance import end_orphaned_runs, is_gone
from dicom_pipeline.settings import Settings

COMMAND_TAG = "dicom_pipeline/command"
"""Tag of a backfill: which process launched it and follows it."""

_LOOK_SECONDS = 0.25
_START_SECONDS = 180.0
_HEARTBEAT_SECONDS = 45.0
_SILENT_SECONDS = 120.0

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Desk:
    """A web server with its daemon.

    Attributes:
        process: What runs them, if it was started for the backfill.
    """

    client: DeskClient
    process: subprocess.Popen[bytes] | None = None

    @property
    def ended(self) -> bool:
        """Whether it was started for the backfill and is no more."""
        return self.process is not None and self.process.poll() is not None


def tidy(instance: dg.DagsterInstance, note: Note) -> None:
    """End what commands left behind that were killed: their runs, and their backfills, which nobody waits for."""
    if end_orphaned_runs(instance):
        note("a former run was killed; its finished dates count")
    for backfill in instance.get_backfills(
        BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING])
    ):
        if is_gone(backfill.tags.get(COMMAND_TAG, "")):
            note(f"the backfill {backfill.backfill_id} of a command that was killed is canceled")
            cancel_in_storage(instance, backfill.backfill_id)


def cancel_in_storage(instance: dg.DagsterInstance, backfill_id: str) -> None:
    """Cancel a backfill without a daemon: runs that wait are canceled, those that go on come to their own end."""
    backfill = instance.get_backfill(backfill_id)
    if backfill is None or BackfillState(backfill.status.value).finished:
        return
    canceled: PartitionBackfill = backfill.with_status(BulkActionStatus.CANCELED)  # type: ignore[no-untyped-call]
    instance.update_backfill(canceled.with_end_timestamp(time.time()))
    waiting = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]
    for run in instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id}, statuses=waiting)):
        instance.report_run_canceled(run, "its backfill was canceled")


@contextmanager
def backfill_desk(settings: Settings, instance: dg.DagsterInstance, ui: str | None, note: Note) -> Iterator[Desk]:
    """Yield the web server of this home, started for the length of the block if there is none.

    Args:
        settings: The home.
        instance: Its storage.
        ui: Address of another web server on the same storage.
        note: Told what is started.

    Raises:
        ConfigurationError: There is a web server without daemon, or a daemon whose web server is not known.
        PipelineError: Dagster did not start.
    """
    running = running_url(settings)
    if ui or running:
        client = DeskClient(ui or str(running))
        deadline = time.monotonic() + _START_SECONDS
        while not ui and not _is_ready(client, instance) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)  # it may have been started this moment
        if trouble := _trouble(client, instance):
            raise ConfigurationError(trouble)
        yield Desk(client)
        return
    if _another_daemon(instance, ended_at(settings)):
        raise ConfigurationError(
            "a Dagster daemon works on this home, started by something else than `dicom-pipeline ui`: give the address"
            " of its web server with --ui"
        )
    port, log = free_port(), settings.home.absolute() / "desk.log"
    note(f"starting Dagster's UI and daemon for the time of this backfill: {url_of(port)}")
    with started_desk(settings, port, log) as process:
        client = DeskClient(url_of(port))
        deadline = time.monotonic() + _START_SECONDS
        while not _is_ready(client, instance):
            if process.poll() is not None or time.monotonic() > deadline:
                raise PipelineError(f"Dagster did not start: {log} says why")
            time.sleep(_LOOK_SECONDS)
        yield Desk(client, process)


def _is_ready(client: DeskClient, instance: dg.DagsterInstance) -> bool:
    try:
        return client.has_loaded() and _trouble(client, instance) is None
    except DeskUnreachable:
        return False


def _trouble(client: DeskClient, instance: dg.DagsterInstance) -> str | None:
    """Say why a web server is of no use for the storage of ``instance``; None if it is.

    Whether both are of one storage is told by the daemon's heartbeats in it: to launch first and look then would start
    a backfill in a stranger's home.
    """
    for _ in range(3):  # a heartbeat may come between the two looks
        theirs = client.heartbeats()
        ours = {name: beat.timestamp for name, beat in instance.get_daemon_heartbeats().items()}
        if all(time.time() - beat > _SILENT_SECONDS for beat in theirs.values()):
            return f"a web server answers at {client.url}, but no daemon works with it: start `dagster-daemon run`"
        if all(abs(beat - ours.get(name, 0)) < 0.001 for name, beat in theirs.items()):
            return None
        time.sleep(_LOOK_SECONDS)
    return (
        f"the web server at {client.url} works on another Dagster instance than this home: give --home, or another --ui"
    )


def _another_daemon(instance: dg.DagsterInstance, ended: float) -> bool:
    """Tell whether a daemon lives: one that was killed says nothing more within the time of two heartbeats."""

    def latest() -> float:
        return max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=0.0)

    seen = latest()
    if seen <= ended + 1:
        return False
    while time.time() - seen < _HEARTBEAT_SECONDS:
        time.sleep(_LOOK_SECONDS)
        if latest() > seen:
            return True
    return False

"""Following backfills from their launch to their end.

Scope: what is asked of Dagster while a backfill goes on, and what is done when it is interrupted. Which dates are done
is read from the event log as it happens, since the daemon itself looks only twice a minute.
"""

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import Protocol

import dagster as dg

from dicom_pipeline.dicom.fields import SLICE_TABLES
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.orchestration.backfill.client import BackfillState, DeskUnreachable, LaunchRefused
from dicom_pipeline.orchestration.backfill.desk import COMMAND_TAG, Desk, cancel_in_storage
from dicom_pipeline.orchestration.backfill.history import outcomes_since
from dicom_pipeline.orchestration.backfill.plan import Plan
from dicom_pipeline.orchestration.instance.desk import end_desk
from dicom_pipeline.orchestration.instance.instance import end_orphaned_runs, this_process
from dicom_pipeline.orchestration.loading.dates import FILES_ASSET
from dicom_pipeline.orchestration.partitions import key_of
from dicom_pipeline.orchestration.specs import asset_key
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.metadata import METADATA_ASSET

_ASSETS = (FILES_ASSET, METADATA_ASSET, *(table.name for table in SLICE_TABLES))
_PRIORITY = -10  # what a schedule wants now comes before years of old dates
_LOOK_SECONDS = 1.0
_ASK_SECONDS = 5.0
_TIDY_SECONDS = 20.0
_LOST_SECONDS = 600.0
_CANCEL_SECONDS = 90.0


class BackfillProgress(Protocol):
    """Who watches a backfill."""

    def note(self, text: str) -> None:
        """Say something about the backfill as a whole."""

    def begin(self, dates: int) -> None:
        """Say how many dates there are."""

    def done(self, loaded: int, failed: int) -> None:
        """Say how many dates have ended how so far."""


@dataclass(slots=True)
class Followed:
    """A plan on its way: its backfills, and what became of its dates so far."""

    plan: Plan
    since: int
    backfills: dict[str, BackfillState] = field(default_factory=dict)
    loaded: set[dt.date] = field(default_factory=set)
    failed: set[dt.date] = field(default_factory=set)
    reasons: dict[dt.date, str] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether every one of its backfills has ended."""
        return all(state.finished for state in self.backfills.values())

    def look(self, instance: dg.DagsterInstance) -> None:
        """Look which of its dates have ended by now."""
        loaded, failed = outcomes_since(instance, self.plan.archive, self.since)
        self.loaded, self.failed = set(loaded) & set(self.plan.dates), set(failed) & set(self.plan.dates)


class Follower:
    """Launches the backfills of plans and stays with them to their end."""

    def __init__(
        self, instance: dg.DagsterInstance, desk: Desk, followed: list[Followed], progress: BackfillProgress
    ) -> None:
        self._instance = instance
        self._desk = desk
        self._followed = followed
        self._progress = progress
        self._lost_since: float | None = None

    def launch(self, *, newest_first: bool) -> None:
        """Launch one backfill an archive; the newest first, one a run, since Dagster begins with the oldest date."""
        try:
            for one in self._followed:
                groups = [[run] for run in one.plan.runs] if newest_first else [one.plan.runs]
                for number, runs in enumerate(groups):
                    keys = [key_of(date) for date in one.plan.partitions(runs)]
                    identity = self._launched(one.plan.archive, keys, _PRIORITY - number)
                    one.backfills[identity] = BackfillState("REQUESTED")
                    self._progress.note(f"{one.plan.archive.tenant}: {self._desk.client.backfill_url(identity)}")
        except BaseException:
            self._cancel()
            raise

    def _launched(self, archive: Archive, keys: list[str], priority: int) -> str:
        assets = [asset_key(archive, name).path for name in _ASSETS]
        title = f"{archive.tenant} {keys[0]} to {keys[-1]}"
        tags = {COMMAND_TAG: this_process(), "dagster/priority": str(priority)}
        try:
            return self._desk.client.launch(assets, keys, title, tags)
        except (LaunchRefused, DeskUnreachable):
            # It may run since before this archive, or these dates of it, were known.
            self._desk.client.reload()
            return self._desk.client.launch(assets, keys, title, tags)

    def until_finished(self) -> None:
        """Return when every backfill has ended; an interrupt cancels them first."""
        asked = tidied = time.monotonic()
        try:
            while not all(one.finished for one in self._followed):
                time.sleep(_LOOK_SECONDS)
                self._look()
                if time.monotonic() - asked > _ASK_SECONDS:
                    self._ask()
                    asked = time.monotonic()
                if time.monotonic() - tidied > _TIDY_SECONDS:
                    end_orphaned_runs(self._instance)
                    tidied = time.monotonic()
        except BaseException:
            self._cancel()
            raise
        self._look()

    def _look(self) -> None:
        for one in self._followed:
            one.look(self._instance)
        loaded = sum(len(one.loaded) for one in self._followed)
        self._progress.done(loaded, sum(len(one.failed) for one in self._followed))

    def _ask(self) -> None:
        """Ask how the backfills are; a web server that is away for a while is waited for."""
        try:
            for one in self._followed:
                one.backfills = {key: self._desk.client.state(key) for key in one.backfills}
            self._lost_since = None
        except DeskUnreachable as error:
            if self._desk.ended:
                raise PipelineError("Dagster ended before the backfill did: run the command again") from None
            if self._lost_since is None:
                self._lost_since = time.monotonic()
                self._progress.note(f"{error}; waiting for it to come back")
            elif time.monotonic() - self._lost_since > _LOST_SECONDS:
                raise

    def _cancel(self) -> None:
        """Leave no backfill behind that goes on with nobody's knowledge, and say what there is."""
        unfinished = [key for one in self._followed for key, state in one.backfills.items() if not state.finished]
        if not unfinished:
            return
        self._progress.note(f"canceling {' '.join(unfinished)}")
        if self._desk.process is None:
            self._cancel_elsewhere(unfinished)
        else:
            # Quicker than to wait for the daemon's next look; runs say for themselves that they were interrupted.
            end_desk(self._desk.process)
        for key in unfinished:
            cancel_in_storage(self._instance, key)
        self._look()
        chosen, loaded = (
            sum(n) for n in zip(*((len(o.plan.dates), len(o.loaded)) for o in self._followed), strict=True)
        )
        self._progress.note(f"canceled: {loaded} of {chosen} dates are loaded; `--only missing` takes what never was")

    def _cancel_elsewhere(self, backfills: list[str]) -> None:
        client, deadline = self._desk.client, time.monotonic() + _CANCEL_SECONDS
        try:
            for key in backfills:
                client.cancel(key)
            while time.monotonic() < deadline and not all(client.state(key).finished for key in backfills):
                time.sleep(_LOOK_SECONDS)
        except DeskUnreachable as error:
            self._progress.note(str(error))

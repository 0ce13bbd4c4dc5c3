"""``dicom-pipeline backfill``: dates of any number of archives through Dagster's own backfill.

Scope: from what a person asked for to the report. Which dates are taken is decided in ``backfill_plan.py``, where they
run in ``backfill_desk.py``, and they are followed in ``backfill_follow.py``. Dagster's daemon does the work, so that
progress, canceling and retrying are in its UI as for any backfill.
"""

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dicom_pipeline.orchestration.backfill.desk import backfill_desk, tidy
from dicom_pipeline.orchestration.backfill.follow import BackfillProgress, Followed, Follower
from dicom_pipeline.orchestration.backfill.history import failures_of, latest_event
from dicom_pipeline.orchestration.backfill.plan import Choice, Plan, plan_backfill
from dicom_pipeline.orchestration.backfill.status import archive_status, open_warehouse
from dicom_pipeline.orchestration.instance.desk import interruptible
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.partitions import key_of
from dicom_pipeline.settings import Archive, Settings


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What a backfill did, archive by archive."""

    followed: list[Followed]
    url: str
    seconds: float

    @property
    def good(self) -> bool:
        """Whether every chosen date was loaded."""
        return all(one["loaded"] == one["chosen"] for one in self.as_json()["archives"])

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {"archives": [_archive_json(one) for one in self.followed], "seconds": round(self.seconds, 3)}


def _archive_json(one: Followed) -> dict[str, Any]:
    plan = one.plan
    failed = {**one.reasons, **dict.fromkeys(plan.refused, "no date that can be loaded")}
    return {
        "tenant": plan.archive.tenant,
        "backfills": [
            {"id": key, "status": state.status, "error": state.error} for key, state in one.backfills.items()
        ],
        "runs": len(plan.runs),
        "chosen": len(plan.dates) + len(plan.refused),
        "loaded": len(one.loaded),
        "failed": [{"date": key_of(date), "reason": reason} for date, reason in sorted(failed.items())],
        "not_reached": [key_of(date) for date in plan.dates if date not in one.loaded | one.failed],
        "left_for_another_time": plan.left,
    }


def backfill_archives(
    settings: Settings, archives: Iterable[Archive], choice: Choice, ui: str | None, progress: BackfillProgress
) -> BackfillReport:
    """Load the chosen dates of archives through Dagster's daemon, and return when it is done.

    Args:
        settings: Home, warehouse, staging.
        archives: Which archives.
        choice: Which of their dates.
        ui: Address of the web server to use; None means that of this home, started if there is none.
        progress: Who watches.

    Raises:
        ConfigurationError: Nothing was launched: the archive, the warehouse or the UI cannot be used.
        PipelineError: Dagster could not be reached, or did not take the backfill.
        KeyboardInterrupt: After the backfills were cancelled.
    """
    started = time.monotonic()
    with interruptible(), open_instance(settings.dagster_home) as instance:
        tidy(instance, progress.note)
        plans = _plans(settings, archives, choice, instance)
        for plan in plans:
            settings.remember(plan.archive)
            _tell(plan, progress)
        progress.begin(sum(len(plan.dates) for plan in plans))
        followed = [Followed(plan, latest_event(instance)) for plan in plans]
        url = ""
        if any(plan.runs for plan in plans):
            with backfill_desk(settings, instance, ui, progress.note) as desk:
                url = desk.client.url
                follow = Follower(instance, desk, [one for one in followed if one.plan.runs], progress)
                follow.launch(newest_first=choice.newest_first)
                follow.until_finished()
        for one in followed:
            one.reasons = failures_of(instance, one.plan.archive, sorted(one.failed)) if one.failed else {}
    return BackfillReport(followed, url, time.monotonic() - started)


def _plans(settings: Settings, archives: Iterable[Archive], choice: Choice, instance: dg.DagsterInstance) -> list[Plan]:
    plans = []
    for archive in archives:
        compare_files = choice.compares_files or archive.layout == "any"
        with closing(open_warehouse(settings, archive)) as warehouse:
            found = archive_status(
                settings, archive, warehouse, instance, choice.first, choice.last, compare_files=compare_files
            )
        plans.append(plan_backfill(found, choice, settings.partitions_per_run_of(archive)))
    return plans


def _tell(plan: Plan, progress: BackfillProgress) -> None:
    tenant = plan.archive.tenant
    if not plan.dates:
        progress.note(f"{tenant}: no date to load")
        return
    runs = f"{len(plan.runs)} runs" if len(plan.runs) > 1 else "one run"
    later = f", {plan.left} dates left for another time" if plan.left else ""
    progress.note(f"{tenant}: {len(plan.dates)} dates from {min(plan.dates)} to {max(plan.dates)} in {runs}{later}")

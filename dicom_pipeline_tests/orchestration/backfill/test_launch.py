"""Backfills as a person runs them: real processes, Dagster's own daemon, a real PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._daemon.types import DaemonHeartbeat

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.backfill import desk as backfill_desk
from dicom_pipeline.orchestration.backfill.client import NEEDED_DAEMONS, DeskClient
from dicom_pipeline.orchestration.backfill.desk import COMMAND_TAG, tidy
from dicom_pipeline.orchestration.instance.desk import free_port, running_url
from dicom_pipeline.orchestration.instance.instance import open_instance, this_process
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

_PATIENCE = 150
_TABLES = ("archive_files", "dicom_metadata", "dicom_image_meta", "dicom_state_meta", "dicom_reject")


class Backfills:
    """The command ``backfill`` in processes of their own, on one home."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.home = loader.settings.home
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("DICOM_PIPELINE_", "DAGSTER_"))}
        self.environment |= {"DICOM_PIPELINE_WAREHOUSE": loader.url, "DICOM_PIPELINE_HOME": str(self.home)}

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from dicom_pipeline.cli import main; main()", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=self.environment | environment, stdout=pipe, stderr=pipe, text=True, cwd=self.home.parent
        )

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
        """Run to the end; return exit code, what ``--json`` printed of the one archive, and what was said."""
        process = self.start("backfill", *arguments, "--json", **environment)
        printed, said = process.communicate(timeout=2 * _PATIENCE)
        return process.returncode, json.loads(printed)["archives"][0] if printed else {}, said

    def runs(self) -> list[dg.DagsterRun]:
        with open_instance(self.home / "dagster") as instance:
            return list(instance.get_runs(dg.RunsFilter(job_name="__ASSET_JOB")))

    def materialized(self, name: str) -> set[str]:
        with open_instance(self.home / "dagster") as instance:
            return instance.get_materialized_partitions(dg.AssetKey(["default", name]))

    def backfill(self, identity: str) -> BulkActionStatus:
        with open_instance(self.home / "dagster") as instance:
            found = instance.get_backfill(identity)
            assert found is not None
            return found.status


def until(true: Any, what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.7)


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def backfills(loader: Loader) -> Backfills:
    return Backfills(loader)


@pytest.fixture
def desk(backfills: Backfills) -> Iterator[subprocess.Popen[str]]:
    """``dicom-pipeline ui`` on the home, for the length of a test."""
    port = str(free_port())
    with (backfills.home.parent / "ui.log").open("w") as log:
        command = [sys.executable, "-c", "from dicom_pipeline.cli import main; main()", "ui", "--port", port]
        process = subprocess.Popen(
            command, env=backfills.environment, stdout=log, stderr=log, text=True, cwd=backfills.home.parent
        )
        until(lambda: running_url(backfills.loader.settings), "the ui left no word")
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE)


def test_every_date_of_a_range_has_its_own_truth_and_only_the_bad_ones_run_again(backfills: Backfills) -> None:
    """One command, no UI: it starts Dagster and ends it. One date cannot be staged; days without files lie between."""
    loader = backfills.loader
    dates = [*days("2024-01-30", 4), *days("2024-02-10", 3)]
    loader.archive.fill(dates, 2)
    bad = dates[2]
    obstacle = backfills.home / "staging" / "default" / "dicom_metadata" / f"{bad}.parquet" / "in the way"
    obstacle.mkdir(parents=True)
    code, told, said = backfills(str(loader.archive.root))
    assert code == 1, said
    assert (told["chosen"], told["loaded"], told["runs"], told["not_reached"]) == (7, 6, 1, [])
    assert [failed["date"] for failed in told["failed"]] == [str(bad)]
    assert "cannot be written" in told["failed"][0]["reason"]
    assert [one["status"] for one in told["backfills"]] == ["COMPLETED_FAILED"]
    good = {str(date) for date in dates if date != bad}
    empty = {str(date) for date in days("2024-02-03", 7)}
    assert backfills.materialized("dicom_image_meta") == backfills.materialized("dicom_reject") == good | empty
    assert backfills.materialized("archive_files") == good | empty | {str(bad)}
    assert loader.rows("select distinct study_date::text from dicom_image_meta order by 1") == [
        (d,) for d in sorted(good)
    ]
    with open_instance(backfills.home / "dagster") as instance:
        check = dg.AssetCheckKey(dg.AssetKey(["default", "dicom_image_meta"]), "warehouse_matches_staging")
        history = instance.event_log_storage.get_asset_check_execution_history(check, limit=50)
        passed = {row.partition for row in history if row.status.value == "SUCCEEDED"}
        assert passed == good | empty
    assert running_url(loader.settings) is None

    obstacle.rmdir()
    obstacle.parent.rmdir()
    code, told, said = backfills("--only", "failed")
    assert code == 0, said
    assert (told["chosen"], told["loaded"]) == (1, 1)
    (last, _) = backfills.runs()
    assert (
        last.tags["dagster/asset_partition_range_start"] == last.tags["dagster/asset_partition_range_end"] == str(bad)
    )
    assert backfills.materialized("dicom_image_meta") == good | empty | {str(bad)}
    code, told, _ = backfills("--only", "failed", "--only", "missing", "--only", "stale")
    assert (code, told["chosen"], told["backfills"]) == (0, 0, [])


@pytest.mark.usefixtures("desk")
def test_a_command_that_is_killed_leaves_finished_dates_and_the_next_one_takes_the_rest(backfills: Backfills) -> None:
    """In the UI that runs: the command dies, then the process of the run dies too."""
    loader = backfills.loader
    dates = days("2024-01-01", 60)
    loader.archive.fill(dates, 2)
    command = backfills.start(
        "backfill", str(loader.archive.root), "--newest-first", DICOM_PIPELINE_PARTITIONS_PER_RUN="40"
    )
    until(lambda: backfills.materialized("dicom_image_meta"), "no date was loaded")
    command.send_signal(signal.SIGKILL)
    _, said = command.communicate()
    assert "runs/b/" in said
    (run,) = [run for run in backfills.runs() if run.status is dg.DagsterRunStatus.STARTED]
    worker = int(run.tags["dicom_pipeline/process"].split(":")[1])
    os.kill(worker, signal.SIGKILL)
    done = backfills.materialized("dicom_image_meta")
    assert 0 < len(done) < 60
    identity = run.tags["dagster/backfill"]

    code, told, said = backfills("--only", "missing")
    assert code == 0, said
    assert told["chosen"] == told["loaded"]
    assert told["chosen"] <= 60 - len(done) + 1  # one may have been loaded and not yet be on record
    assert backfills.materialized("dicom_image_meta") == {str(date) for date in dates}
    assert loader.rows("select count(*) from dicom_image_meta") == [(120,)]
    assert backfills.backfill(identity) is BulkActionStatus.CANCELED
    assert [r.run_id for r in backfills.runs() if not r.is_finished] == []
    assert next(r for r in backfills.runs() if r.run_id == run.run_id).status is dg.DagsterRunStatus.FAILURE


def test_an_interrupt_cancels_the_backfill_says_so_and_leaves_no_process(backfills: Backfills) -> None:
    loader = backfills.loader
    loader.archive.fill(days("2024-01-01", 60), 2)
    command = backfills.start("backfill", str(loader.archive.root))
    until(lambda: backfills.materialized("dicom_image_meta"), "no date was loaded")
    (dagster,) = children(command.pid)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=_PATIENCE)
    assert command.returncode == 130
    assert "canceled: " in said
    assert " of 60 dates are loaded" in said
    assert not lives(dagster)
    (run,) = backfills.runs()
    assert run.is_finished
    assert backfills.backfill(run.tags["dagster/backfill"]) is BulkActionStatus.CANCELED
    done = backfills.materialized("dicom_image_meta")
    assert {row[0] for row in loader.rows("select distinct study_date::text from dicom_image_meta")} >= done
    status = backfills.start("status", "--json")
    printed, _ = status.communicate()
    assert json.loads(printed)["archives"][0]["counts"]["loaded"] == len(done)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(tmp_path / "dagster") as opened:
        yield opened


def _requested(identity: str, command: str) -> PartitionBackfill:
    return PartitionBackfill(
        backfill_id=identity,
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        tags={COMMAND_TAG: command},
        backfill_timestamp=time.time(),
    )


def test_only_backfills_of_commands_that_are_gone_are_canceled(instance: dg.DagsterInstance) -> None:
    host = this_process().partition(":")[0]
    for identity, command in {"living": this_process(), "gone": f"{host}:1:1", "by hand": "", "away": "x:1:1"}.items():
        instance.add_backfill(_requested(identity, command))
    notes: list[str] = []
    tidy(instance, notes.append)
    statuses = {b.backfill_id: b.status for b in instance.get_backfills()}
    assert [name for name, status in statuses.items() if status is BulkActionStatus.CANCELED] == ["gone"]
    assert len(notes) == 1


def test_a_web_server_that_nobody_answers_for_is_one_line(backfills: Backfills) -> None:
    backfills.loader.archive.fill(days("2024-01-01", 1), 1)
    code, _, said = backfills(str(backfills.loader.archive.root), "--ui", "http://127.0.0.1:9")
    assert (code, said.count("\n")) == (2, 1)
    assert "does not answer" in said
    assert backfills.runs() == []
    code, _, said = backfills(str(backfills.loader.archive.root), "--ui", "127.0.0.1:9")
    assert (code, said.count("\n")) == (2, 1)
    assert "--ui" in said


def test_a_daemon_whose_web_server_is_not_known_is_not_joined_by_another(
    backfills: Backfills, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill_desk, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(backfill_desk, "_HEARTBEAT_SECONDS", 0.3)

    def beats() -> float:
        return time.time()

    with open_instance(backfills.home / "dagster") as instance:
        beat = DaemonHeartbeat(beats(), "BACKFILL", "another", [])
        instance.add_daemon_heartbeat(beat)
        assert not backfill_desk._another_daemon(instance, ended=beat.timestamp + 5)
        assert not backfill_desk._another_daemon(instance, ended=0)  # it was killed, and says nothing any more
        wait = time.sleep

        def sleep(seconds: float) -> None:
            instance.add_daemon_heartbeat(DaemonHeartbeat(beats(), "BACKFILL", "another", []))
            wait(seconds)

        monkeypatch.setattr(backfill_desk.time, "sleep", sleep)
        instance.add_daemon_heartbeat(DaemonHeartbeat(beats(), "BACKFILL", "another", []))
        with (
            pytest.raises(ConfigurationError, match="--ui"),
            backfill_desk.backfill_desk(backfills.loader.settings, instance, None, print),
        ):
            pass


def test_no_backfill_is_launched_in_a_strangers_home(
    backfills: Backfills, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill_desk, "_LOOK_SECONDS", 0.01)
    now = time.time()
    said = dict.fromkeys(NEEDED_DAEMONS, now)
    monkeypatch.setattr(DeskClient, "heartbeats", lambda _: said)
    with open_instance(tmp_path / "dagster") as instance:
        client = DeskClient("http://127.0.0.1:9")
        for daemon in NEEDED_DAEMONS:
            instance.add_daemon_heartbeat(DaemonHeartbeat(now, daemon, "ours", []))
        assert backfill_desk._trouble(client, instance) is None
        said[NEEDED_DAEMONS[0]] = now - 7
        assert "another Dagster instance" in str(backfill_desk._trouble(client, instance))
        said.update(dict.fromkeys(NEEDED_DAEMONS, 0.0))
        assert "no daemon" in str(backfill_desk._trouble(client, instance))

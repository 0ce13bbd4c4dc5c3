"""Dagster's home: its configuration through versions and moves."""

import json
import socket
from pathlib import Path

import dagster as dg
import pytest

from dicom_pipeline.orchestration.instance import instance
from dicom_pipeline.orchestration.instance.event_log import DateEventLogStorage
from dicom_pipeline.orchestration.instance.instance import (
    end_orphaned_runs,
    instance_environment,
    open_instance,
    prepare_instance,
    this_process,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, "0")  # so that it is put back


def test_a_home_of_an_earlier_version_is_opened_with_todays_storage(tmp_path: Path) -> None:
    assert "event_log_storage" not in instance._FORMER_CONFIGURATION
    (tmp_path / "dagster.yaml").write_text(instance._FORMER_CONFIGURATION, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as former:
        former.add_dynamic_partitions("kept", ["x"])
    with open_instance(tmp_path) as opened:
        assert isinstance(opened.event_log_storage, DateEventLogStorage)
        assert opened.get_dynamic_partitions("kept") == ["x"]
    assert [path.name for path in tmp_path.glob("dagster.yaml*")] == ["dagster.yaml"]


def test_a_home_that_names_the_storage_where_it_was_is_opened(tmp_path: Path) -> None:
    assert "module: dicom_pipeline.orchestration.event_log" in instance._MOVED_CONFIGURATION
    (tmp_path / "dagster.yaml").write_text(instance._MOVED_CONFIGURATION, encoding="utf-8")
    with open_instance(tmp_path) as opened:
        assert isinstance(opened.event_log_storage, DateEventLogStorage)


def test_a_configuration_that_a_person_changed_is_left_alone(tmp_path: Path) -> None:
    text = instance._FORMER_CONFIGURATION.replace("INFO", "DEBUG")
    (tmp_path / "dagster.yaml").write_text(text, encoding="utf-8")
    with open_instance(tmp_path) as opened:
        assert not isinstance(opened.event_log_storage, DateEventLogStorage)
        with instance.stored_together(opened):
            opened.add_dynamic_partitions("any", ["x"])
    assert (tmp_path / "dagster.yaml").read_text(encoding="utf-8") == text


def test_a_home_may_be_moved(tmp_path: Path) -> None:
    with open_instance(tmp_path / "old") as opened:
        opened.add_dynamic_partitions("kept", ["x"])
    (tmp_path / "old").rename(tmp_path / "new")
    with open_instance(tmp_path / "new") as opened:
        assert opened.get_dynamic_partitions("kept") == ["x"]
    assert not (tmp_path / "old").exists()


def test_other_processes_are_told_where_the_home_is(tmp_path: Path) -> None:
    environment = instance_environment(prepare_instance(tmp_path))
    assert environment["DAGSTER_HOME"] == str(tmp_path)
    assert int(environment["DAGSTER_EVENT_BATCH_SIZE"]) == 0  # what somebody has chosen stays


@dg.job
def _nothing() -> None:
    pass


def test_runs_are_ended_whose_process_or_code_server_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = this_process().partition(":")[0]
    server = tmp_path / "server"
    gone = json.dumps({"host": "localhost", "socket": str(tmp_path / "gone")})
    tags = {
        "living": {instance.PROCESS_TAG: this_process()},
        "killed": {instance.PROCESS_TAG: f"{host}:1:1"},
        "on another machine": {instance.PROCESS_TAG: "x:1:1"},
        "its server is there": {instance.GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(server)})},
        "its server is gone": {instance.GRPC_INFO_TAG: gone},
        "of a server elsewhere": {instance.GRPC_INFO_TAG: json.dumps({"host": "x", "port": 1})},
    }
    with open_instance(tmp_path / "home") as opened, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(server))
        listening.listen()
        for name, own in tags.items():
            opened.create_run_for_job(_nothing, status=dg.DagsterRunStatus.STARTED, tags={"name": name, **own})

        def ended() -> set[str]:
            return {run.tags["name"] for run in opened.get_runs() if run.status is dg.DagsterRunStatus.FAILURE}

        assert end_orphaned_runs(opened) == 1
        assert ended() == {"killed"}
        monkeypatch.setattr(instance, "_STARTED_SECONDS", -10.0)
        assert end_orphaned_runs(opened) == 1
        assert ended() == {"killed", "its server is gone"}

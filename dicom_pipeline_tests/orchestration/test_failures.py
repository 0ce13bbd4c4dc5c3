"""What Dagster is told of errors, and what it does then in each of the layers that repeat things."""

import errno
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dicom_pipeline.errors import (
    ArchiveError,
    ArchiveUnavailable,
    ConfigurationError,
    SchemaDrift,
    WarehouseUnavailable,
)
from dicom_pipeline.orchestration import failures
from dicom_pipeline.orchestration.failures import is_transient, told_without_values
from dicom_pipeline.orchestration.instance.instance import open_instance, prepare_instance

NO_WORD = RuntimeError("Key (patient_name)=(DOE^JANE) exists")


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance that repeats failed runs wherever it may."""
    monkeypatch.setattr(failures, "PAUSES", (0.01, 0.01))
    configuration = prepare_instance(tmp_path / "dagster") / "dagster.yaml"
    text = configuration.read_text()
    configuration.write_text(f"{text}run_retries:\n  enabled: true\n  max_retries: 2\n")
    with open_instance(tmp_path / "dagster") as opened:
        yield opened


class Ended:
    """A run of one asset that fails with these errors, one an attempt, and then succeeds."""

    def __init__(self, instance: dg.DagsterInstance, *errors: BaseException, **tags: str) -> None:
        waiting = list(errors)

        @dg.asset
        def fails(context: dg.AssetExecutionContext) -> None:
            with told_without_values(context):
                if waiting:
                    raise waiting.pop(0)

        jobs = [dg.define_asset_job("job", selection="*", executor_def=dg.in_process_executor)]
        job = dg.Definitions(assets=[fails], jobs=jobs).resolve_job_def("job")
        result = job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        self.attempts = len(errors) - len(waiting) + result.success
        self.success = result.success
        self.repeated_by_the_daemon = run.tags.get("dagster/will_retry") == "true"
        self.events = str(instance.all_logs(result.run_id))


@pytest.mark.parametrize(
    "error", [ConfigurationError("give a URL"), SchemaDrift(["a"]), ArchiveError("no such root"), NO_WORD]
)
def test_what_stays_is_tried_once_in_every_layer(instance: dg.DagsterInstance, error: Exception) -> None:
    ended = Ended(instance, error)
    assert (ended.success, ended.attempts, ended.repeated_by_the_daemon) == (False, 1, False)


def test_what_passes_is_tried_again_until_it_has_passed(instance: dg.DagsterInstance) -> None:
    ended = Ended(instance, WarehouseUnavailable("gone"), ArchiveUnavailable("stale handle"))
    assert (ended.success, ended.attempts) == (True, 3)


def test_what_does_not_pass_is_left_to_the_daemon(instance: dg.DagsterInstance) -> None:
    ended = Ended(instance, *[WarehouseUnavailable("gone")] * 9)
    assert (ended.success, ended.attempts, ended.repeated_by_the_daemon) == (False, 3, True)
    assert "gone" in ended.events


def test_what_stays_after_what_passed_ends_it(instance: dg.DagsterInstance) -> None:
    ended = Ended(instance, WarehouseUnavailable("gone"), ConfigurationError("give a URL"))
    assert (ended.success, ended.attempts, ended.repeated_by_the_daemon) == (False, 2, False)


def test_a_run_may_have_one_attempt_only(instance: dg.DagsterInstance) -> None:
    assert Ended(instance, WarehouseUnavailable("gone"), **{failures.ONCE_TAG: "true"}).attempts == 1


def test_our_own_words_are_told_and_nobody_elses(instance: dg.DagsterInstance) -> None:
    assert "give a URL" in Ended(instance, ConfigurationError("give a URL")).events
    events = Ended(instance, NO_WORD).events
    assert "unexpected RuntimeError" in events
    assert "DOE" not in events


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (MemoryError(), True),
        (OSError(errno.EMFILE, "too many"), True),
        (OSError(errno.ENOSPC, "disk full"), False),
        (OSError(errno.EIO, "broken"), False),
        (ValueError(), False),
    ],
)
def test_shortages_of_this_machine_pass(error: Exception, passes: bool) -> None:
    assert is_transient(error) is passes

"""The sensor for changed dates on a real archive, database and instance: what it asks for, and that it is done once."""

import datetime as dt
import json
import socket

import dagster as dg
import pytest

from dicom_pipeline.errors import PipelineError, WarehouseUnavailable
from dicom_pipeline.orchestration import failures
from dicom_pipeline.orchestration.definitions import build_definitions
from dicom_pipeline.orchestration.instance.instance import PROCESS_TAG, open_instance
from dicom_pipeline.orchestration.loading.dates import DateLoader
from dicom_pipeline.orchestration.watching import sensors
from dicom_pipeline.settings import Archive
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

FOUR = days("2024-01-01", 4)


class Watcher:
    """Plays Dagster's daemon: asks the sensor, runs what it requests, once a run key."""

    def __init__(self, loader: Loader, **archive: object) -> None:
        described = {
            "root": str(loader.archive.root),
            "quiet_minutes": 0,
            "watch_minutes": 1,
            "start_date": "2024-01-01",
        }
        self.archive = Archive.model_validate({**described, **archive})
        self.definitions = build_definitions(loader.settings.with_archive(self.archive))
        self.loader = loader
        self.cursor: str | None = None
        self.keys: set[str] = set()

    def look(self, instance: dg.DagsterInstance) -> list[dg.RunRequest]:
        sensor = self.definitions.resolve_sensor_def("watch_default")
        with dg.build_sensor_context(instance=instance, cursor=self.cursor) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        # A round a look: an hour passes between any two.
        document = json.loads(result.cursor or "")
        self.cursor = json.dumps({**document, "began": 0})
        return list(result.run_requests or [])

    def run(self, instance: dg.DagsterInstance, request: dg.RunRequest) -> dg.DagsterRun:
        assert request.run_key not in self.keys
        self.keys.add(str(request.run_key))
        job = self.definitions.resolve_job_def(str(request.job_name))
        tags = {**request.tags, "dagster/sensor_name": "watch_default", "dagster/run_key": str(request.run_key)}
        result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        return run

    def __call__(self) -> list[dict[str, str]]:
        """Look, run what is asked for, and return the partitions of each run."""
        with open_instance(self.loader.settings.dagster_home) as instance:
            runs = [self.run(instance, request) for request in self.look(instance)]
        return [{k.rpartition("_")[2]: v for k, v in run.tags.items() if "partition" in k} for run in runs]


def test_changed_dates_and_no_others_are_loaded(loader: Loader) -> None:
    loader.archive.fill(FOUR)
    watch = Watcher(loader)
    assert watch() == [{"start": "2024-01-01", "end": "2024-01-04"}]
    assert watch() == []
    loader.archive.add(FOUR[1], "late.dcm")
    (loader.archive.root / "20240104" / "1.dcm").unlink()
    assert watch() == [{"dagster/partition": "2024-01-02"}, {"dagster/partition": "2024-01-04"}]
    assert watch() == []
    counts = loader.rows("select study_date, count(*) from dicom_image_meta group by 1 order by 1")
    assert counts == [(FOUR[0], 3), (FOUR[1], 4), (FOUR[2], 3), (FOUR[3], 2)]


def test_a_load_from_elsewhere_counts(loader: Loader) -> None:
    loader.archive.fill(FOUR)
    loader(start_date="2024-01-01")
    assert Watcher(loader)() == []


def test_a_date_whose_directory_is_gone_is_emptied_once(loader: Loader) -> None:
    loader.archive.fill(FOUR[:2])
    watch = Watcher(loader)
    watch()
    for file in (loader.archive.root / "20240101").iterdir():
        file.unlink()
    (loader.archive.root / "20240101").rmdir()
    assert watch() == [{"dagster/partition": "2024-01-01"}]
    assert watch() == []
    assert loader.rows("select distinct study_date from dicom_image_meta") == [(FOUR[1],)]


def test_an_archive_with_no_date_at_all_is_not_believed(loader: Loader) -> None:
    loader.archive.fill(FOUR[:2])
    watch = Watcher(loader)
    watch()
    loader.archive.root.rename(loader.archive.root.with_name("elsewhere"))
    loader.archive.root.mkdir()
    assert watch() == []
    loader.archive.root.rmdir()
    loader.archive.root.with_name("elsewhere").rename(loader.archive.root)
    assert watch() == []


def test_dates_without_a_partition_are_left_alone(loader: Loader) -> None:
    for date in (dt.date(2023, 12, 31), FOUR[0], dt.date(2999, 1, 1)):
        loader.archive.add(date)
    assert Watcher(loader)() == [{"dagster/partition": "2024-01-01"}]


def test_a_date_that_fails_for_good_is_asked_for_once_until_it_changes(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.archive.fill(FOUR[:1])

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    watch = Watcher(loader)
    with monkeypatch.context() as broken:
        broken.setattr(DateLoader, "load", fail)
        assert len(watch()) == 1
        assert watch() == []
    with monkeypatch.context() as broken:
        broken.setattr(DateLoader, "list_files", fail)
        loader.archive.add(FOUR[0], "late.dcm")
        assert len(watch()) == 1
        assert [watch() for _ in range(4)] == [[]] * 4


def test_a_run_that_died_before_its_date_is_repeated_a_few_times(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.archive.fill(FOUR[:1])
    monkeypatch.setattr(failures, "PAUSES", ())

    def die(*_: object) -> None:
        raise WarehouseUnavailable("gone")

    watch = Watcher(loader)
    with monkeypatch.context() as dead:
        dead.setattr(DateLoader, "list_files", die)
        assert [len(watch()) for _ in range(6)] == [1, 1, 1, 0, 0, 0]


def test_a_run_whose_process_was_killed_is_ended_and_its_date_asked_for_again(loader: Loader) -> None:
    loader.archive.fill(FOUR[:1])
    watch = Watcher(loader)
    with open_instance(loader.settings.dagster_home) as instance:
        [request] = watch.look(instance)
        tags = {**request.tags, "dagster/sensor_name": "watch_default", PROCESS_TAG: f"{socket.gethostname()}:1:1"}
        killed = dg.DagsterRun(job_name="load_default", status=dg.DagsterRunStatus.STARTED, tags=tags)
        instance.add_run(killed)
        assert len(watch.look(instance)) == 1
        ended = instance.get_run_by_id(killed.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.FAILURE


def test_a_date_whose_load_died_after_its_listing_is_asked_for_again(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.archive.fill(FOUR[:1])
    monkeypatch.setattr(failures, "PAUSES", ())

    def die(*_: object) -> None:
        raise WarehouseUnavailable("gone")

    watch = Watcher(loader)
    with monkeypatch.context() as dead:
        dead.setattr(DateLoader, "load", die)
        assert len(watch()) == 1
    assert len(watch()) == 1
    assert watch() == []
    assert loader.rows("select count(*) from dicom_image_meta") == [(3,)]


def test_a_date_is_not_asked_for_while_dagster_repeats_its_run(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    loader.archive.fill(FOUR[:1])
    monkeypatch.setattr(failures, "PAUSES", ())

    def die(*_: object) -> None:
        raise WarehouseUnavailable("gone")

    watch = Watcher(loader)
    with monkeypatch.context() as dead:
        dead.setattr(DateLoader, "load", die)
        assert len(watch()) == 1
    tags = {"dagster/sensor_name": "watch_default", "dagster/partition": str(FOUR[0])}
    again = dg.DagsterRun(job_name="load_default", status=dg.DagsterRunStatus.STARTED, tags=tags)
    with open_instance(loader.settings.dagster_home) as instance:
        instance.add_run(again)
        assert watch.look(instance) == []
        instance.report_run_failed(again, "given up")
        assert len(watch.look(instance)) == 1


def test_a_date_that_was_only_listed_by_hand_is_still_to_be_loaded(loader: Loader) -> None:
    loader.archive.fill(FOUR[:1])
    watch = Watcher(loader)
    watch()
    loader.archive.add(FOUR[0], "late.dcm")
    load = watch.definitions.resolve_job_def("load_default")
    with open_instance(loader.settings.dagster_home) as instance:
        listing = dg.AssetKey(["default", "archive_files"])
        load.get_subset(asset_selection={listing}).execute_in_process(instance=instance, partition_key=str(FOUR[0]))
    assert len(watch()) == 1
    assert loader.rows("select count(*) from dicom_image_meta") == [(4,)]


def test_requests_are_bounded_and_wait_for_runs_that_are_under_way(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = [date for number, date in enumerate(days("2024-01-01", 16)) if number % 2 == 0]
    loader.archive.fill(apart, 1)
    watch = Watcher(loader)
    with open_instance(loader.settings.dagster_home) as instance:
        assert [request.tags["dagster/partition"] for request in watch.look(instance)] == [str(d) for d in apart[:5]]
        assert [request.tags["dagster/partition"] for request in watch.look(instance)] == [str(d) for d in apart[5:]]
    loader.archive.add(apart[0], "late.dcm")
    under_way = [dg.DagsterRun(job_name="load_default", status=dg.DagsterRunStatus.STARTED) for _ in range(5)]
    with open_instance(loader.settings.dagster_home) as instance, monkeypatch.context() as busy:
        busy.setattr(type(instance), "get_runs", lambda *_, **__: under_way)
        assert watch.look(instance) == []
    with open_instance(loader.settings.dagster_home) as instance:
        assert len(watch.look(instance)) == 1


def test_an_archive_without_directories_of_dates_has_its_index_brought_up_to_date(loader: Loader) -> None:
    loader.archive.fill(FOUR[:2], 1)
    watch = Watcher(loader, layout="any")
    with open_instance(loader.settings.dagster_home) as instance:
        [request] = watch.look(instance)
        assert request.job_name == "index_default"
        watch.run(instance, request)
        requests = watch.look(instance)
    assert requests[0].job_name == "load_default"
    assert requests[0].tags == {
        "dagster/asset_partition_range_start": "2024-01-01",
        "dagster/asset_partition_range_end": "2024-01-02",
    }


def test_trouble_is_told_in_our_words_alone(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("/mnt/DOE^JANE")

    monkeypatch.setattr(sensors, "_look", fail)
    watch = Watcher(loader)
    with (
        open_instance(loader.settings.dagster_home) as instance,
        pytest.raises(PipelineError, match="unexpected RuntimeError") as caught,
    ):
        watch.look(instance)
    assert caught.value.__suppress_context__
    assert "DOE" not in str(caught.value)


@pytest.mark.parametrize("watch", [True, False])
def test_it_runs_by_itself_where_the_archive_says_so(loader: Loader, watch: bool) -> None:
    definitions = build_definitions(loader.settings.with_archive(Archive(root="/a", watch=watch)))
    status = definitions.resolve_sensor_def("watch_default").default_status
    assert status is (dg.DefaultSensorStatus.RUNNING if watch else dg.DefaultSensorStatus.STOPPED)

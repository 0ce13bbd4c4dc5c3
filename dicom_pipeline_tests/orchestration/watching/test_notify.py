"""The webhook, against a real HTTP server on the loopback interface."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.loading.dates import DateLoader
from dicom_pipeline.orchestration.watching import notify
from dicom_pipeline.orchestration.watching.alerts import failure_sensor
from dicom_pipeline.orchestration.watching.notify import WEBHOOK_VARIABLE, FailedRun, send, webhook_url
from dicom_pipeline.settings import Archive
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

RUN = FailedRun("hospital-a", "load_hospital_a", "1234", 30, 2)


class Receiver:
    """A server that answers what it is told to, and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[str, bytes]] = []
        self.drip = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, body))
                if receiver.drip:
                    self._drip()
                    return
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def _drip(self) -> None:
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.1)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(notify, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    received = Receiver()
    yield received
    received.server.shutdown()
    received.server.server_close()


def test_ids_and_counts_arrive(receiver: Receiver) -> None:
    assert send(receiver.url, RUN).told == "the webhook answered 200"
    [(path, body)] = receiver.got
    assert path == "/hook/token"
    assert json.loads(body) == {
        "text": "dicom-pipeline: a run of load_hospital_a failed, 2 of 30 dates (tenant hospital-a, run 1234)",
        "event": "run_failed",
        "tenant": "hospital-a",
        "job": "load_hospital_a",
        "run_id": "1234",
        "dates": 30,
        "dates_failed": 2,
        "will_be_repeated": False,
    }


@pytest.mark.parametrize(
    ("answers", "good", "requests"), [([500], True, 2), ([503, 503], False, 2), ([429], True, 2), ([400], False, 1)]
)
def test_what_may_pass_is_tried_once_more(receiver: Receiver, answers: list[int], good: bool, requests: int) -> None:
    receiver.answers = answers
    assert send(receiver.url, RUN).good is good
    assert len(receiver.got) == requests


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, code: int) -> None:
    receiver.answers = [code]
    delivery = send(receiver.url, RUN)
    assert (delivery.good, delivery.told) == (False, f"the webhook answered {code}")
    assert [path for path, _ in receiver.got] == ["/hook/token"]


def test_a_server_that_answers_byte_by_byte_costs_bounded_time(receiver: Receiver) -> None:
    receiver.drip = True
    begun = time.monotonic()
    delivery = send(receiver.url, RUN, seconds=1)
    assert time.monotonic() - begun < 2
    assert (delivery.good, delivery.told) == (False, "the webhook did not answer within 1 seconds")


def test_nobody_there_is_told_without_the_url(receiver: Receiver) -> None:
    receiver.server.server_close()
    delivery = send(receiver.url, RUN)
    assert (delivery.good, delivery.told) == (False, "the webhook could not be reached (ConnectionRefusedError)")


@pytest.mark.parametrize(
    "url", ["https://hooks.example/x", "http://127.0.0.1:8/x", "http://[::1]/x", "http://localhost/"]
)
def test_urls_that_are_taken(url: str) -> None:
    assert webhook_url({WEBHOOK_VARIABLE: url}) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/geheim",
        "http://127.0.0.1.example/geheim",
        "http://10.0.0.1/geheim",
        "ftp://127.0.0.1/geheim",
        "file:///geheim",
        "https:///geheim",
        "https://me:geheim@hooks.example/",
        "https://hooks.example/geheim\nx",
        "https://hooks.example:port/geheim",
        "geheim",
    ],
)
def test_urls_that_are_refused_are_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        webhook_url({WEBHOOK_VARIABLE: url})
    assert "geheim" not in str(caught.value)


def test_no_webhook_is_no_error() -> None:
    assert webhook_url({}) is None


def told_of(loader: Loader, tenant: str, job: str) -> object:
    """Have the sensor look at the latest failed run of a job."""
    with open_instance(loader.settings.dagster_home) as instance:
        run = next(run for run in instance.get_runs() if run.job_name == job)
        [failure] = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        sensor = failure_sensor(Archive(tenant=tenant, root="/a"))
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_instance=instance,
            dagster_run=run,
            dagster_event=failure.get_dagster_event(),
        ).for_run_failure()
        return sensor(context)


def test_the_sensor_tells_of_a_failed_load_and_of_no_patient(
    loader: Loader, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, receiver.url)
    loader.archive.fill(days("2024-01-01", 3))

    def fail(*_: object) -> None:
        raise RuntimeError("Key (patient_name)=(DOE^JANE)")

    monkeypatch.setattr(DateLoader, "load", fail)
    loader(tenant="hospital-a")
    assert told_of(loader, "hospital-a", "load_hospital_a") is None
    [(_, body)] = receiver.got
    message = json.loads(body)
    assert (message["tenant"], message["dates"], message["dates_failed"]) == ("hospital-a", 3, 3)
    assert not message["will_be_repeated"]
    assert b"DOE" not in body
    assert b"2024" not in body
    told_of(loader, "a", "load_hospital_a")
    assert len(receiver.got) == 1


def test_the_sensor_runs_by_itself_where_there_is_a_webhook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archive = Archive(root=str(tmp_path))
    monkeypatch.delenv(WEBHOOK_VARIABLE, raising=False)
    assert failure_sensor(archive).default_status is dg.DefaultSensorStatus.STOPPED
    monkeypatch.setenv(WEBHOOK_VARIABLE, "https://hooks.example/x")
    assert failure_sensor(archive).default_status is dg.DefaultSensorStatus.RUNNING

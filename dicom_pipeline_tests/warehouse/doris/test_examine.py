"""What ``doctor`` says of a cluster: what a load depends on is looked at, and nothing is raised."""

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import cast

import pytest

from dicom_pipeline.warehouse.base import Matter
from dicom_pipeline.warehouse.doris.examine import backends, version_text
from dicom_pipeline.warehouse.doris.read import Session
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.doris_double import Account, Action, DorisDouble, Fault, Place, Privilege, show
from dicom_pipeline_tests.warehouse.conftest import needs_the_double

LOADER = frozenset({Privilege.SELECT, Privilege.LOAD, Privilege.ALTER, Privilege.CREATE})


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_pipeline.warehouse.doris.connection._PATIENCE_SECONDS", 0.2)


@pytest.fixture
def three() -> Iterator[DorisDouble]:
    """A cluster of three backends."""
    needs_the_double()
    with DorisDouble(backends=3) as started:
        yield started


def examined(url: str) -> list[Matter]:
    with closing(create_warehouse(url)) as warehouse:
        return list(warehouse.examine())


def the(matters: list[Matter], what: str) -> Matter:
    (found,) = [matter for matter in matters if matter.what == what]
    return found


def test_a_cluster_that_is_well_is_well_in_everything(three: DorisDouble) -> None:
    matters = examined(three.url(replication_num=None))
    assert [m.text() for m in matters if not m.good] == []
    assert [m.what for m in matters] == ["doris", "backends", "loads", "backend", "replicas"]
    assert the(matters, "backends").finding == "3 alive"
    assert "Doris 4.0.8" in the(matters, "doris").finding
    assert f"localhost:{three.be_ports[0]}" in the(matters, "loads").finding
    assert three.requests.loads() == []
    assert three.cluster.databases == {}
    assert all("s3cret" not in m.text() and "\n" not in m.text() for m in matters)


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("2.0.15", False),
        ("2.1.7", False),
        ("2.1.8", True),
        ("2.1.11", True),
        ("3.0.5", False),
        ("3.0.6", True),
        ("3.1.0", True),
        ("4.1.5", True),
        ("1.2.9", False),
        ("10.0.0", True),
    ],
)
def test_versions_that_are_too_old_are_told(own_double: DorisDouble, version: str, good: bool) -> None:
    own_double.knobs.version_comment = f"Doris version doris-{version}-rc01-abcdef0"
    found = the(examined(own_double.url()), "doris")
    assert (found.good, version in found.finding) == (good, True)


def test_a_backend_of_another_version_counts(own_double: DorisDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "_VERSION", "doris-2.1.3-rc09")
    found = the(examined(own_double.url()), "doris")
    assert not found.good
    assert f"backend localhost:{own_double.be_ports[0]} is Doris 2.1.3" in found.finding


def test_a_version_that_says_nothing_is_shown_as_it_is() -> None:
    assert version_text([("VeloDB Cloud",)]) == "VeloDB Cloud"
    assert version_text([("",)]) == "Doris"
    assert version_text([]) == "Doris"


def test_dead_backends_are_named(three: DorisDouble) -> None:
    three.cluster.backends[1].alive = False
    matters = examined(three.url(replication_num=None))
    dead = the(matters, "backends")
    assert not dead.good
    assert dead.finding == f"localhost:{three.be_ports[1]} not alive of 3"
    replicas = the(matters, "replicas")
    assert not replicas.good
    assert "replication_num=2" in replicas.finding


def test_a_cluster_without_a_living_backend_is_not_well(own_double: DorisDouble) -> None:
    own_double.cluster.backends[0].alive = False
    matters = examined(own_double.url(replication_num=None))
    assert the(matters, "backends").finding == "none is alive: start one"
    assert not the(matters, "loads").good
    assert "no backend load available" in the(matters, "loads").finding.lower()
    assert not the(matters, "replicas").good


@pytest.mark.parametrize(("wanted", "good"), [(None, False), (1, True), (2, False)])
def test_replicas_are_held_against_backends(own_double: DorisDouble, wanted: int | None, good: bool) -> None:
    found = the(examined(own_double.url(replication_num=wanted)), "replicas")
    assert found.good == good
    assert ("replication_num=1" in found.finding) == (not good)


def test_replicas_of_tables_that_exist_are_no_matter(own_double: DorisDouble) -> None:
    with closing(create_warehouse(own_double.url())) as warehouse:
        warehouse.prepare()
    assert the(examined(own_double.url(replication_num=7)), "replicas").good


def test_an_account_that_may_not_list_backends_is_told_what_follows(own_double: DorisDouble) -> None:
    """The backend is on the frontend's own host, so that loads find it all the same."""
    own_double.cluster.accounts.add(Account("etl", "pw", LOADER, frozenset({"dicom"})))
    own_double.query("CREATE DATABASE dicom")
    matters = examined(own_double.url(user="etl", password="pw"))
    assert "may not list" in the(matters, "backends").finding
    assert the(matters, "backends").good
    assert the(matters, "loads").good


def test_a_redirect_to_a_host_that_nobody_knows_is_told(own_double: DorisDouble) -> None:
    own_double.cluster.accounts.add(Account("etl", "pw", LOADER, frozenset({"dicom"})))
    own_double.cluster.backends[0].host = "be-1.doris.example"
    found = the(examined(own_double.url(user="etl", password="pw")), "loads")
    assert not found.good
    assert f"be-1.doris.example:{own_double.be_ports[0]}" in found.finding
    assert "be_map" in found.finding
    mapped = f"be-1.doris.example:{own_double.be_ports[0]}=127.0.0.1:{own_double.be_ports[0]}"
    matters = examined(own_double.url(user="etl", password="pw", be_map=mapped))
    assert the(matters, "loads").good
    assert the(matters, "backend").good


def test_a_backend_that_cannot_be_reached_is_told(own_double: DorisDouble) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        own_double.cluster.backends[0].http_port = nobody.getsockname()[1]
        found = the(examined(own_double.url()), "backend")
    assert not found.good
    assert "be_map" in found.finding


def test_backends_of_the_url_are_reached_without_asking(own_double: DorisDouble) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        matters = examined(own_double.url(be_endpoints=f"127.0.0.1:{own_double.be_ports[0]},{dead}"))
    assert "be_endpoints" in the(matters, "loads").finding
    assert [m.good for m in matters if m.what == "backend"] == [True, False]
    assert own_double.requests.all() == []


@pytest.mark.parametrize("statement", ["version_comment", "SHOW BACKENDS", "information_schema"])
@pytest.mark.parametrize("action", [Action.ERROR, Action.DROP])
def test_what_cannot_be_looked_at_is_told_and_raises_nothing(
    own_double: DorisDouble, statement: str, action: Action
) -> None:
    own_double.faults.add(Fault(Place.MYSQL, action, times=1000, containing=statement, answer=b"CANARY"))
    matters = examined(own_double.url())
    assert {"doris", "backends", "loads", "replicas"} <= {matter.what for matter in matters}
    assert all("\n" not in m.text() and "CANARY" not in m.text() for m in matters)
    if statement != "SHOW BACKENDS":
        assert not all(matter.good for matter in matters)


def test_a_host_that_can_be_none_is_told(own_double: DorisDouble) -> None:
    matters = examined(own_double.url(be_endpoints=f"be..1:8040,{'b' * 70}:8040"))
    assert [m.good for m in matters if m.what == "backend"] == [False, False]
    assert all("no such host is known" in m.finding for m in matters if m.what == "backend")


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"Host": "BE-1", "HttpPort": "8041", "Alive": "true"}, ["be-1:8041"]),
        ({"host": "be-1", "httpport": "8041", "alive": "true"}, ["be-1:8041"]),
        ({"IP": "10.0.0.1", "HttpPort": ""}, ["10.0.0.1:8040"]),
        ({"Host": "be-1", "HttpPort": "0"}, ["be-1:8040"]),
        ({"Host": "be-1", "HttpPort": "?"}, ["be-1:8040"]),
        ({"Host": "", "HttpPort": "8040"}, []),
        ({"BackendId": "1"}, []),
    ],
)
def test_backends_are_listed_however_a_version_tells_of_them(
    monkeypatch: pytest.MonkeyPatch, row: dict[str, str], found: list[str]
) -> None:
    monkeypatch.setattr("dicom_pipeline.warehouse.doris.examine.run_named", lambda session, statement: [row])
    assert [str(backend.http) for backend in backends(cast(Session, None))] == found


def test_a_server_that_is_not_there_is_one_matter() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        (matter,) = examined(f"doris://root:s3cret@127.0.0.1:{nobody.getsockname()[1]}/dicom")
    assert not matter.good
    assert "nothing answers there" in matter.finding
    assert "s3cret" not in matter.finding

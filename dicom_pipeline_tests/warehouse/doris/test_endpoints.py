"""Where a load may go: hosts that are of the cluster, never from https to http, and nothing said of the password."""

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.doris.endpoints import Endpoints
from dicom_pipeline.warehouse.doris.exchange import Address
from dicom_pipeline.warehouse.doris.url import DorisUrl, Endpoint

PATH = "/api/db/t/_stream_load"
SECRET = "s3cr/et@x:1%"
URL = DorisUrl("doris://u:***@fe/db", host="fe", user="u", password=SECRET, database="db")
FRONTEND = Address(False, Endpoint("fe", 8030))
ADDRESSES = {"fe": ["10.0.0.1", "10.0.0.2"], "fe-too": ["10.0.0.2"], "be1": ["10.0.0.3"], "evil": ["6.6.6.6"]}


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: object, **_: object) -> list[tuple[Any, ...]]:
        if host not in ADDRESSES:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ADDRESSES[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def never_asked() -> list[Endpoint]:
    raise AssertionError("the backends were asked for")


def endpoints(backends: Callable[[], list[Endpoint]] = never_asked, **options: Any) -> Endpoints:
    return Endpoints(replace(URL, **options), backends)


def location(host: str = "fe:8040", scheme: str = "http", path: str = PATH + "?") -> str:
    return f"{scheme}://u:{SECRET}@{host}{path}"


def refused(said: str, known: Endpoints | None = None, came_from: Address = FRONTEND) -> str:
    with pytest.raises(WarehouseError) as caught:
        (known or endpoints(list)).follow(said, PATH, came_from)
    assert not caught.value.transient
    assert caught.value.__cause__ is None
    text = str(caught.value)
    assert "s3cr" not in text
    assert "u:" not in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("host", ["fe:8040", "FE:8040", "fe.:8040", "fe-too:8040", "fe:8030"])
def test_the_frontends_host_is_trusted_by_name_and_by_address(host: str) -> None:
    name, _, port = host.partition(":")
    assert endpoints().follow(location(host), PATH, FRONTEND) == Address(False, Endpoint(name, int(port)))


@pytest.mark.parametrize(
    "said",
    [
        f"http://fe:8040{PATH}",
        f"http://u:@fe:8040{PATH}?",
        f"HTTP://fe:8040{PATH}",
        f"http://u:a/b?c#d@evil:1@fe:8040{PATH}?",
        f"http://evil:1/@fe:8040{PATH}?",
    ],
)
def test_user_and_password_are_no_part_of_the_address(said: str) -> None:
    assert endpoints().follow(said, PATH, FRONTEND).endpoint == Endpoint("fe", 8040)


def test_a_host_is_what_stands_behind_the_last_at_sign() -> None:
    assert "evil:8040" in refused(f"http://u:p@fe:8040@evil:8040{PATH}?")


def test_other_hosts_are_refused_with_what_to_do() -> None:
    text = refused(location("evil:8040"))
    assert "evil:8040" in text
    assert "be_map" in text


def test_an_unknown_name_is_not_the_frontends_host() -> None:
    assert "nowhere:8040" in refused(location("nowhere:8040"))


def test_a_host_that_only_begins_like_the_frontends_is_another() -> None:
    assert "fe.evil:8040" in refused(location("fe.evil:8040"))


def test_backends_of_the_cluster_are_trusted() -> None:
    known = endpoints(lambda: [Endpoint("BE1", 8040)])
    assert known.follow(location("be1:8040"), PATH, FRONTEND).endpoint == Endpoint("be1", 8040)
    assert "be1:8041" in refused(location("be1:8041"), known)


def test_backends_of_the_url_are_trusted() -> None:
    known = endpoints(list, be_endpoints=(Endpoint("be1", 8040),))
    assert known.follow(location("be1:8040"), PATH, FRONTEND).endpoint == Endpoint("be1", 8040)
    assert "be1:8041" in refused(location("be1:8041"), known)


def test_the_map_comes_first_and_says_what_is_contacted() -> None:
    known = endpoints(be_map={Endpoint("fe", 8040): Endpoint("outside", 18040)})
    assert known.follow(location("FE:8040"), PATH, FRONTEND).endpoint == Endpoint("outside", 18040)
    assert known.follow(location("fe:8041"), PATH, FRONTEND).endpoint == Endpoint("fe", 8041)
    assert known.follow(location("outside:18040"), PATH, FRONTEND).endpoint == Endpoint("outside", 18040)


def test_ipv6_is_compared_as_an_address() -> None:
    known = endpoints(list, be_endpoints=(Endpoint("fd00::1", 8040),))
    found = known.follow(location("[FD00:0:0::1]:8040"), PATH, FRONTEND)
    assert found.endpoint == Endpoint("FD00:0:0::1", 8040)
    assert "[fd00::2]:8040" in refused(location("[fd00::2]:8040"), known)


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_a_port_may_be_left_out(scheme: str, port: int) -> None:
    assert endpoints().follow(location("fe", scheme), PATH, FRONTEND).endpoint == Endpoint("fe", port)


def test_https_is_gone_up_to_and_never_left() -> None:
    upgraded = endpoints().follow(location("fe:8050", "https"), PATH, FRONTEND)
    assert upgraded == Address(True, Endpoint("fe", 8050))
    assert endpoints().follow(location("fe:8040", "https"), PATH, upgraded).secure
    assert "https to http" in refused(location(), endpoints(), upgraded)


@pytest.mark.parametrize(
    "said",
    [
        "",
        PATH,
        f"//fe:8040{PATH}",
        f"ftp://u:{SECRET}@fe:8040{PATH}",
        location(path="/api/db/other/_stream_load"),
        location(path=PATH + "?a=b"),
        location(path=PATH + "#f"),
        location(path=PATH + "/"),
        location(path="/x" + PATH),
        location("fe:0"),
        location("fe:65536"),
        location("fe:99999999"),
        location("fe:"),
        location(""),
        location("[::1"),
        location("f e:8040"),
        location("fe:80\x00"),
        location("ﬀ:8040"),
    ],
)
def test_what_is_not_the_address_of_the_load_is_refused(said: str) -> None:
    assert "not the address of a load" in refused(said)


def test_a_path_encoded_once_more_is_the_same() -> None:
    path = "/api/d%C3%A9/t/_stream_load"
    assert endpoints().follow(f"http://fe:1/api/d%25C3%25A9/t/_stream_load?{''}", path, FRONTEND).endpoint.port == 1


def test_the_query_of_a_question_stays() -> None:
    path = "/api/db/get_load_state?label=a:b"
    assert endpoints().follow(f"http://u:p@fe:8031{path}", path, FRONTEND).endpoint.port == 8031
    with pytest.raises(WarehouseError):
        endpoints().follow("http://u:p@fe:8031/api/db/get_load_state?label=a:c", path, FRONTEND)


def test_backends_of_the_url_take_turns() -> None:
    first, second = Endpoint("be1", 8040), Endpoint("be2", 8040)
    known = endpoints(be_endpoints=(first, second), https=True)
    assert [known.direct() for _ in range(3)] == [Address(True, e) for e in (first, second, first)]
    assert endpoints().direct() is None


LOG = "/api/_load_error_log?file=__shard_1/x"


def test_the_log_of_refused_rows_is_asked_for_on_known_hosts_only() -> None:
    known = endpoints(list, be_map={Endpoint("be1", 8040): Endpoint("outside", 1)})
    assert known.error_log(f"http://fe:8040{LOG}", FRONTEND) == (Address(False, Endpoint("fe", 8040)), LOG)
    assert known.error_log(f"http://be1:8040{LOG}", FRONTEND) == (Address(False, Endpoint("outside", 1)), LOG)
    assert known.error_log(f"http://evil:8040{LOG}", FRONTEND) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        LOG,
        f"http://u:p@fe:8040{LOG}",
        f"ftp://fe:8040{LOG}",
        f"http://fe:8040{LOG}\r\nX: y",
        f"http://fe:8040{LOG} x",
        "http://fe:8040/elsewhere",
        f"http://evil#@fe:8040{LOG}",
    ],
)
def test_other_addresses_of_logs_are_not_asked(url: str) -> None:
    assert endpoints().error_log(url, FRONTEND) is None


def test_refused_rows_do_not_travel_in_the_open_after_https() -> None:
    secure = Address(True, Endpoint("fe", 8050))
    assert endpoints().error_log(f"http://fe:8040{LOG}", secure) is None
    assert endpoints().error_log(f"https://fe:8040{LOG}", secure) is not None

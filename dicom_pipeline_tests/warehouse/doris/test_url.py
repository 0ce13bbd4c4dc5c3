"""Doris's URLs: what is accepted, what it means, and that no password is ever shown."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.warehouse.doris.url import BodyFormat, DorisUrl, Endpoint, parse_doris_url
from dicom_pipeline.warehouse.factory import create_warehouse


def test_what_is_left_out_has_its_usual_value() -> None:
    assert parse_doris_url("loader:secret@fe.example/dicom") == DorisUrl(
        display_url="doris://loader:***@fe.example:9030/dicom",
        host="fe.example",
        user="loader",
        database="dicom",
        port=9030,
        password="secret",
        http_port=8030,
        format=BodyFormat.PARQUET,
        timeout=600,
        buckets=1,
    )


def test_every_option_arrives() -> None:
    url = parse_doris_url(
        "root@[fe80::1]:9031/d_1-x?http_port=1&be_endpoints=be-1,BE-2:8041,[::1]:5&be_map=be-1=127.0.0.1:18040,b:1&https=true"
        "&tls=1&tls_ca=/ca.pem&replication_num=2&buckets=8&format=json&timeout=30"
    )
    assert (url.host, url.port, url.database, url.http_port) == ("fe80::1", 9031, "d_1-x", 1)
    assert url.be_endpoints == (Endpoint("be-1", 8040), Endpoint("be-2", 8041), Endpoint("::1", 5))
    assert url.be_map == {Endpoint("be-1", 8040): Endpoint("127.0.0.1", 18040), Endpoint("b", 1): Endpoint("b", 1)}
    assert (url.https, url.tls, url.tls_ca) == (True, True, "/ca.pem")
    assert (url.replication_num, url.buckets, url.format, url.timeout) == (2, 8, BodyFormat.JSON, 30)
    assert url.display_url.startswith("doris://root@[fe80::1]:9031/d_1-x?http_port=1&be_endpoints=be-1,BE-2:8041,")


@pytest.mark.parametrize("scheme", ["doris", "DORIS", "doris+pymysql"])
def test_the_factory_knows_the_scheme_in_any_case_and_connects_to_nothing(scheme: str) -> None:
    warehouse = create_warehouse(f"{scheme}://u:p@fe.invalid/d")
    assert (warehouse.kind, warehouse.display_url) == ("doris", "doris://u:***@fe.invalid:9030/d")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1))
def test_a_percent_encoded_password_arrives_and_is_never_shown(password: str) -> None:
    url = parse_doris_url(f"user:{quote(password, safe='')}@host/db")
    assert url.password == password
    assert url.display_url == "doris://user:***@host:9030/db"
    assert repr(url) == repr(parse_doris_url("user:other@host/db"))


def test_a_password_left_out_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_PWD", "from outside")
    assert parse_doris_url("u@h/d").password == "from outside"
    assert parse_doris_url("u@h/d").display_url == "doris://u:***@h:9030/d"
    assert parse_doris_url("u:own@h/d").password == "own"
    assert parse_doris_url("u:@h/d").password == ""


def test_a_password_of_the_environment_that_is_no_text_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_PWD", "SECRET\udcff")
    with pytest.raises(ConfigurationError, match="MYSQL_PWD") as caught:
        parse_doris_url("u@h/d")
    assert "SECRET" not in str(caught.value)
    assert parse_doris_url("u:own@h/d").password == "own"


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("", "cannot be read"),
        ("h/d", "host, user and database are needed"),
        ("u:SECRET@/d", "host, user and database are needed"),
        ("u:SEC@RET@h/d", "percent-encoded"),
        ("u:SECRET@h:port/d", "cannot be read"),
        ("u:SECRET@h:99999/d", "a port, 1 to 65535"),
        ("u:SECRET@h", "name of a Doris database"),
        ("u:SECRET@h/1d", "name of a Doris database"),
        ("u:SECRET@h/d/e", "name of a Doris database"),
        (f"u:SECRET@h/{'d' * 65}", "name of a Doris database"),
        ("u:SECRET@h/d?formt=json", "unknown option 'formt'; did you mean 'format'"),
        ("u:SECRET@h/d?password=SECRET", "unknown option 'password'"),
        ("u:SECRET@h/d?timeout=1&timeout=2", "'timeout' more than once"),
        ("u:SECRET@h/d?format=SECRET", "'format' must be parquet or json"),
        ("u:SECRET@h/d?timeout=0", "'timeout' must be seconds"),
        ("u:SECRET@h/d?timeout=1.5", "'timeout' must be seconds"),
        ("u:SECRET@h/d?https=SECRET", "'https' must be true or false"),
        ("u:SECRET@h/d?be_endpoints=a,", "'be_endpoints' must be backends"),
        ("u:SECRET@h/d?be_map=a:0=b", "'be_map' must be pairs"),
        ("u:SECRET@h/d?be_map=a:1=b,a:1=c", "'be_map' must be pairs"),
        ("u:SECRET@h/d?be_map=http://a", "'be_map' must be pairs"),
        ("u:SECRET@h/d?http_port=70000", "'http_port' must be a port"),
        ("u:SEC\0RET@h/d", "cannot be read"),
        ("u:SECRET@h/d?https=", "'https' must be true or false"),
        ("u:SECRET@h/d?https=true&https=", "'https' must be true or false"),
        ("u:SECRET@h/d?timeout=1&tls", "'tls' must be true or false"),
        ("u:SECRET@h/d?tls_ca=", "'tls_ca' must be a file"),
        ("u:SECRET@h/d?tls_ca=%00", "'tls_ca' must be a file"),
        ("u:SECRET@h/d?be_endpoints=", "'be_endpoints' must be backends"),
        ("u:SECRET@h/d?htps", "unknown option 'htps'; did you mean 'https'"),
    ],
)
def test_what_cannot_be_used_is_told_without_repeating_it(rest: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        parse_doris_url(rest)
    assert not any(part in str(caught.value) for part in ("SEC", "RET"))

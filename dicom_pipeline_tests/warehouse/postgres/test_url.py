"""Warehouse URLs: what is accepted, what reaches libpq, and that no secret is ever shown."""

from urllib.parse import quote

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.errors import ConfigurationError, UnsupportedDatabase
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline.warehouse.postgres.url import PostgresUrl, parse_postgres_url
from dicom_pipeline.warehouse.url import split_url


def parse_url(url: str) -> PostgresUrl:
    return parse_postgres_url(split_url(url)[1])


def parameters(url: str) -> dict[str, str]:
    found = psycopg.conninfo.conninfo_to_dict(parse_url(url).conninfo)
    assert found.pop("client_encoding") == "UTF8"
    assert found.pop("fallback_application_name") == "dicom-pipeline"
    return {name: str(value) for name, value in found.items()}


@pytest.mark.parametrize(
    "scheme", ["postgresql", "PostgreSQL", "POSTGRESQL+PSYCOPG2", "postgresql+psycopg", "postgresql+asyncpg"]
)
def test_every_spelling_of_the_dialect_is_accepted(scheme: str) -> None:
    assert parameters(f"{scheme}://u:p@h:5433/db") == {
        "user": "u",
        "password": "p",
        "host": "h",
        "port": "5433",
        "dbname": "db",
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pg",
        "postgresql",
        "postgres://h/d",
        "pg://h/d",
        "mysql://h/d",
        " postgresql://h/d",
        "postgresql ://h/d",
        "sqlite:///x",
    ],
)
def test_another_database_is_refused_with_the_accepted_ones(url: str) -> None:
    with pytest.raises(UnsupportedDatabase, match="postgresql://, doris://"):
        create_warehouse(url)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=20))
def test_a_percent_encoded_password_arrives_and_is_never_shown(password: str) -> None:
    url = f"postgresql://us%65r:{quote(password, safe='')}@host/db"
    assert parameters(url) == {"user": "user", "password": password, "host": "host", "dbname": "db"}
    assert parse_url(url).display_url == "postgresql://user:***@host/db"
    assert repr(parse_url(url)).count(password) == "PostgresUrl(display_url='postgresql://user:***@host/db')".count(
        password
    )


@pytest.mark.parametrize("password", ["p#a?b", "p%zz", "a b", "ä", "p/x", "[]{}|<>\\^`", "p:w"])
def test_raw_characters_are_taken_where_they_are_unambiguous(password: str) -> None:
    assert parameters(f"postgresql://u:{password}@h/db")["password"] == password


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@ss:w/rd@h:5432/db",
        "postgresql://u:hunter2@x@h/db",
        "postgresql://u:hunter2@h:port/db",
        "postgresql://u:hunter2@h1:1,h2:x/db",
        "postgresql://u:hunter2@h\0/db",
        "postgresql://u:hunter2@h1:1,h2:2/db?nonsense=1",
        "postgresql://u:hunter2@[::1/db",
    ],
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        parse_url(url)
    message = str(caught.value)
    assert not any(part in message for part in ("hunter2", "ss:w", "@ss", "h1"))
    assert "\n" not in message


@pytest.mark.parametrize(
    ("url", "expected", "shown"),
    [
        ("postgresql:///db?host=/run/pg", {"dbname": "db", "host": "/run/pg"}, "postgresql:///db?host=/run/pg"),
        ("postgresql://u@h1:1,h2:2/d", {"user": "u", "host": "h1,h2", "port": "1,2", "dbname": "d"}, None),
        (
            "postgresql://u@/d?host=h1:1&host=h2:2",
            {"user": "u", "host": "h1,h2", "port": "1,2", "dbname": "d"},
            "postgresql://u@h1:1,h2:2/d",
        ),
        ("postgresql://u@h1,h2/d", {"user": "u", "host": "h1,h2", "dbname": "d"}, None),
        ("postgresql://[::1]:5433/d", {"host": "::1", "port": "5433", "dbname": "d"}, None),
        ("postgresql:///d?service=x", {"dbname": "d", "service": "x"}, None),
        (
            "postgresql://h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem&target_session_attrs=read-write",
            {
                "host": "h",
                "dbname": "d",
                "sslmode": "verify-full",
                "sslrootcert": "/etc/ca.pem",
                "target_session_attrs": "read-write",
            },
            None,
        ),
        (
            "postgresql://u@h/d?password=hunter2&sslpassword=hunter3",
            {"user": "u", "host": "h", "dbname": "d", "password": "hunter2", "sslpassword": "hunter3"},
            "postgresql://u:***@h/d?sslpassword=***",
        ),
        ("postgresql://", {}, "postgresql:///"),
    ],
)
def test_options_reach_libpq_and_are_shown_without_secrets(
    url: str, expected: dict[str, str], shown: str | None
) -> None:
    assert parameters(url) == expected
    assert parse_url(url).display_url == (shown or url)


def test_an_option_libpq_does_not_know_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="'sslmod'; did you mean 'sslmode'"):
        parse_url("postgresql://h/d?sslmod=require")


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'sslmode' more than once"):
        parse_url("postgresql://h/d?sslmode=require&sslmode=disable")


def test_making_a_warehouse_connects_to_nothing() -> None:
    warehouse = create_warehouse("postgresql://u:hunter2@256.0.0.1/db")
    assert warehouse.display_url == "postgresql://u:***@256.0.0.1/db"
    assert warehouse.kind == "postgresql"

"""Apache Doris's URLs: where frontend and backends are, how tables are made there, and what may be shown.

Scope: parsing and masking, nothing connects. ``docs/doris.md`` explains the options to people. A password that the URL
leaves out is taken from ``MYSQL_PWD``, as the clients of the MySQL protocol have it.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from dicom_pipeline.errors import ConfigurationError

QUERY_PORT = 9030
FRONTEND_HTTP_PORT = 8030
BACKEND_HTTP_PORT = 8040
_MOST_PORT = 65535
_MASK = "***"
_HELP = (
    "the warehouse URL cannot be read; write doris://user:password@fe-host:9030/database, with special characters of"
    " the password percent-encoded (@ is %40, / is %2F)"
)
_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?\Z")


class Endpoint(NamedTuple):
    """A host and the port it serves HTTP on; an IPv6 address without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return the endpoint as URLs have it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class BodyFormat(StrEnum):
    """What rows are sent as."""

    PARQUET = "parquet"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class DorisUrl:
    """A parsed URL.

    Attributes:
        display_url: The form fit for showing.
        host: The frontend.
        port: Its MySQL port.
        user: The account.
        password: Its password, of any characters; may be empty.
        database: Where the tables are.
        http_port: The frontend's HTTP port.
        be_endpoints: Backends that loads go to in turn, without asking the frontend.
        be_map: Where a backend that the frontend names is really reached.
        https: Whether the frontend is spoken to by HTTPS.
        tls: Whether its MySQL port is.
        tls_ca: File of the certificate authorities to trust; None means the system's.
        replication_num: Replicas of tables that are made; None leaves it to the cluster.
        buckets: Buckets of tables that are made, a month where the table is partitioned.
        format: What rows are sent as.
        timeout: Seconds a load may take.
    """

    display_url: str
    host: str
    user: str
    database: str
    port: int = QUERY_PORT
    password: str = field(default="", repr=False)
    http_port: int = FRONTEND_HTTP_PORT
    be_endpoints: tuple[Endpoint, ...] = ()
    be_map: Mapping[Endpoint, Endpoint] = field(default_factory=dict)
    https: bool = False
    tls: bool = False
    tls_ca: str | None = None
    replication_num: int | None = None
    buckets: int = 1
    format: BodyFormat = BodyFormat.PARQUET
    timeout: int = 600


def parse_doris_url(rest: str) -> DorisUrl:
    """Parse what follows ``doris://``.

    Raises:
        ConfigurationError: It cannot be parsed, or has an unknown or wrong option. No part of the URL but the option
            is in the message.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(f"doris://{rest}")
    except (ArgumentError, ValueError):
        raise ConfigurationError(_HELP) from None
    host, user, database = parsed.host or "", parsed.username or "", parsed.database or ""
    if not _ENDPOINT.match(f"[{host}]" if ":" in host else host) or not user or "\0" in rest:
        raise ConfigurationError(f"{_HELP}; host, user and database are needed")
    if not _DATABASE.match(database):
        raise ConfigurationError(
            "the warehouse URL must end with the name of a Doris database: a letter, then letters, digits, _ or -, at"
            " most 64"
        )
    port = QUERY_PORT if parsed.port is None else parsed.port
    if not 1 <= port <= _MOST_PORT:
        raise ConfigurationError(f"the warehouse URL must have {_PORT}, after the host")
    options = {name: _option(name, value) for name, value in {**parsed.query, **_without_value(rest)}.items()}
    password = str(parsed.password) if parsed.password is not None else _password_of_environment()
    return DorisUrl(
        display_url=_display(host, port, user, bool(password), database, parsed.query),
        host=host,
        user=user,
        database=database,
        port=port,
        password=password,
        **options,
    )


def _without_value(rest: str) -> dict[str, str]:
    """Return the options that are given no value, which SQLAlchemy leaves out: ``https=`` must not mean no https."""
    query = rest.rpartition("@")[2].partition("?")[2]
    return {name: value for name, value in parse_qsl(query, keep_blank_values=True) if not value}


def _password_of_environment() -> str:
    password = os.environ.get("MYSQL_PWD", "")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise ConfigurationError("MYSQL_PWD, the password of the warehouse URL's account, is not UTF-8") from None
    return password


def _display(host: str, port: int, user: str, secret: bool, database: str, query: Mapping[str, Any]) -> str:
    account = quote(user, safe="") + (f":{_MASK}" if secret else "")
    options = f"?{urlencode(query, safe=':/,=[]')}" if query else ""
    return f"doris://{account}@{Endpoint(host, port)}/{database}{options}"


def _option(name: str, value: str | tuple[str, ...]) -> Any:
    if name not in _OPTIONS:
        near = difflib.get_close_matches(name, _OPTIONS, 1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"the warehouse URL has an unknown option {name!r}{meant}")
    if not isinstance(value, str):
        raise ConfigurationError(f"the warehouse URL gives the option {name!r} more than once")
    parse, wanted = _OPTIONS[name]
    try:
        return parse(value)
    except ValueError:
        raise ConfigurationError(f"the warehouse URL's option {name!r} must be {wanted}") from None


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return parse


def _boolean(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in known:
        raise ValueError
    return known[text.lower()]


def _file(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError
    return text


def parse_endpoint(text: str, default_port: int = BACKEND_HTTP_PORT) -> Endpoint:
    """Return ``host`` or ``host:port``, IPv6 addresses in brackets; raises ``ValueError`` if it is neither."""
    found = _ENDPOINT.match(text.strip())
    port = int(found["port"] or default_port) if found else 0
    if found is None or not 1 <= port <= _MOST_PORT:
        raise ValueError(text)
    return Endpoint(found["host"].strip("[]").lower(), port)


def _endpoints(text: str) -> tuple[Endpoint, ...]:
    return tuple(parse_endpoint(part) for part in text.split(","))


def _endpoint_map(text: str) -> dict[Endpoint, Endpoint]:
    """Parse ``named=reached,…``; an endpoint that stands alone is reached where it is named."""
    pairs = [part.partition("=") for part in text.split(",")]
    found = {parse_endpoint(named): parse_endpoint(reached or named) for named, _, reached in pairs}
    if len(found) < len(pairs):
        raise ValueError(text)
    return found


_YES_OR_NO = "true or false"
_PORT = "a port, 1 to 65535"
_OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    "http_port": (_integer(1, _MOST_PORT), _PORT),
    "be_endpoints": (_endpoints, "backends as host:port, comma-separated"),
    "be_map": (_endpoint_map, "pairs of backends as named:port=reached:port, comma-separated, each named once"),
    "https": (_boolean, _YES_OR_NO),
    "tls": (_boolean, _YES_OR_NO),
    "tls_ca": (_file, "a file of certificate authorities"),
    "replication_num": (_integer(1, 32767), "a number of replicas, 1 or more"),
    "buckets": (_integer(1, 768), "a number of buckets, 1 to 768"),
    "format": (BodyFormat, "parquet or json"),
    "timeout": (_integer(1, 259200), "seconds, 1 to 259200"),
}

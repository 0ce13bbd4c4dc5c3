"""PostgreSQL's URLs: how libpq is to reach the database, and what of the URL may be shown.

Scope: parsing and masking, nothing connects. URLs are SQLAlchemy's (``postgresql+psycopg2://user:password@host/db``),
libpq's with several hosts are taken too; a driver named after ``+`` is accepted and ignored. What the URL leaves out
(password, host, TLS) libpq finds where it always does: ``PGPASSWORD``, ``~/.pgpass``, a service.
"""

import difflib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from dicom_pipeline.errors import ConfigurationError

_MASK = "***"
_HELP = (
    "the warehouse URL cannot be read; write postgresql://user:password@host:5432/database, with special characters "
    "of the password percent-encoded (@ is %40, / is %2F)"
)


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A parsed URL: libpq's connection string (secret) and the form fit for showing."""

    conninfo: str = field(repr=False)
    display_url: str


def parse_postgres_url(rest: str) -> PostgresUrl:
    """Parse what follows ``postgresql://``.

    Raises:
        ConfigurationError: It cannot be parsed, or has an option libpq does not know. No part of the URL but the
            option's name is in the message.
    """
    options = _options(rest)
    return PostgresUrl(_conninfo(options), _display(options))


def _options(rest: str) -> dict[str, str]:
    """Return libpq's connection parameters, every one known to libpq and said once."""
    if "\0" in rest:
        raise ConfigurationError(_HELP)
    found = _from_sqlalchemy(rest) or _from_libpq(rest)
    ports = str(found.get("port", "")).split(",")
    if "@" in str(found.get("host", "")) or not all(port.isdecimal() or not port for port in ports):
        raise ConfigurationError(_HELP)
    _refuse_unknown(found)
    for name, value in found.items():
        if isinstance(value, tuple):
            raise ConfigurationError(f"the warehouse URL gives the option {name!r} more than once")
    return {name: str(value) for name, value in found.items()}


def _from_sqlalchemy(rest: str) -> dict[str, Any]:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(f"postgresql+psycopg://{rest}")
        return dict(parsed.get_dialect()().create_connect_args(parsed)[1])
    except (ArgumentError, ValueError):
        return {}


def _from_libpq(rest: str) -> dict[str, Any]:
    """Parse what only libpq can express: a port for each of several hosts.

    Where a second ``@`` hints at a raw one in the password, libpq would take the password's end for a host.
    """
    import psycopg

    if rest.count("@") > 1:
        raise ConfigurationError(_HELP)
    try:
        return psycopg.conninfo.conninfo_to_dict(f"postgresql://{rest}")
    except psycopg.Error:
        raise ConfigurationError(_HELP) from None


def _refuse_unknown(options: dict[str, Any]) -> None:
    import psycopg

    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    for name in sorted(options.keys() - known):
        near = difflib.get_close_matches(name, known, 1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"the warehouse URL has an option that libpq does not know: {name!r}{meant}")


def _conninfo(options: dict[str, str]) -> str:
    import psycopg

    try:
        return psycopg.conninfo.make_conninfo(
            "", **{"fallback_application_name": "dicom-pipeline", **options, "client_encoding": "UTF8"}
        )
    except (psycopg.Error, ValueError):
        raise ConfigurationError(_HELP) from None


def _display(options: dict[str, str]) -> str:
    """Rebuild a URL from the parameters, every secret masked."""
    import psycopg

    secret = {o.keyword.decode() for o in psycopg.pq.Conninfo.get_defaults() if o.dispchar == b"*"}
    secret |= {"scram_client_key", "scram_server_key"}
    place = {name: options.get(name, "") for name in ("user", "password", "host", "port", "dbname")}
    user = quote(place["user"], safe="") + (f":{_MASK}" if place["password"] else "")
    rest = {name: _MASK if name in secret else value for name, value in options.items() if name not in place}
    hosts = place["host"]
    if "/" in hosts:
        rest = {"host": hosts, **({"port": place["port"]} if place["port"] else {}), **rest}
        hosts = ""
    elif hosts:
        hosts = _with_ports(hosts.split(","), place["port"].split(","))
    query = f"?{urlencode(rest, safe='/*')}" if rest else ""
    return f"postgresql://{user}{'@' if user else ''}{hosts}/{quote(place['dbname'], safe='')}{query}"


def _with_ports(hosts: list[str], ports: list[str]) -> str:
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    named = (f"[{host}]" if ":" in host else host for host in hosts)
    return ",".join(f"{host}:{port}" if port else host for host, port in zip(named, ports, strict=True))

"""Connecting to PostgreSQL: patience with a server that is starting, a plain word about one that refuses.

Scope: one function that connects. libpq and the server speak of hosts, roles and databases here, never of rows, so the
last line of their message may be shown; whether to try again is read from it, since libpq gives no code.
"""

import time

import psycopg

from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.postgres.url import PostgresUrl

_PATIENCE_SECONDS = 8.0
_FIRST_PAUSE_SECONDS = 0.1
_PASSING = (
    "connection refused",
    "is starting up",
    "not yet accepting connections",
    "in recovery mode",
    "shutting down",
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "closed the connection unexpectedly",
    "connection reset",
    "no such file or directory",
    "temporary failure in name resolution",
)
_LASTING = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied",
    "not permitted to log in",
    "certificate",
    "does not support ssl",
    "invalid",
)
_SETTINGS = {"connect_timeout": "10", "keepalives_idle": "60", "tcp_user_timeout": "120000"}


def connect(url: PostgresUrl) -> psycopg.Connection:
    """Return a connection in autocommit mode, trying for some seconds while the failure looks like a passing one.

    Raises:
        WarehouseUnavailable: The server cannot be reached now.
        WarehouseError: The server, or the TLS or password check, refuses and will go on refusing.
    """
    given = psycopg.conninfo.conninfo_to_dict(url.conninfo)
    conninfo = psycopg.conninfo.make_conninfo("", **{**_SETTINGS, **given})
    deadline = time.monotonic() + _PATIENCE_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return psycopg.Connection.connect(conninfo, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            reason = _reason(error)
        if not _any(_PASSING, reason) or time.monotonic() + pause > deadline:
            kind = WarehouseError if _any(_LASTING, reason) else WarehouseUnavailable
            raise kind(f"cannot connect to the warehouse {url.display_url}: {reason}") from None
        time.sleep(pause)
        pause *= 2


def _reason(error: psycopg.Error) -> str:
    """Return what the last host tried had to say, without libpq's preamble and its questions."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    told = [line for line in lines if "failed: " in line] or lines
    return told[-1].rpartition("failed: ")[2].removeprefix("FATAL:").strip()


def _any(phrases: tuple[str, ...], reason: str) -> bool:
    return any(phrase in reason.lower() for phrase in phrases)

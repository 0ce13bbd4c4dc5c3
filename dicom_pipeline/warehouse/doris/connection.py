"""Connecting to Doris's MySQL port: patience with a frontend that is starting, a plain word about one that refuses.

Scope: connecting, and running a statement. Values arrive as the text the server sends (no converters): Arrow converts
columns, all rows at once.
"""

import ssl
import struct
import time
from typing import Any

import pymysql
from pymysql.constants import CR, ER
from pymysql.converters import encoders
from pymysql.cursors import Cursor

from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable
from dicom_pipeline.warehouse.doris import sql
from dicom_pipeline.warehouse.doris.errors import code_and_text
from dicom_pipeline.warehouse.doris.url import DorisUrl

_PATIENCE_SECONDS = 8.0
_FIRST_PAUSE_SECONDS = 0.1
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 3700
"""A little more than the session's own limit for a statement."""
_REFUSALS: dict[int, str] = {
    ER.ACCESS_DENIED_ERROR: "user or password is wrong, or the account may not connect from here",
    ER.DBACCESS_DENIED_ERROR: "the account may not use the database",
    CR.CR_SSL_CONNECTION_ERROR: "it does not speak TLS, which the option tls asks for",
    CR.CR_SECURE_AUTH: "it asks for a readable password, which https=true forbids without tls=true",
    CR.CR_AUTH_PLUGIN_CANNOT_LOAD: "it asks for the password in a way that Doris does not; is it another database?",
}
_UNREADABLE = (OSError, ValueError, LookupError, struct.error)
"""What pymysql lets through of a greeting that is none of MySQL's."""
_REFUSED_FOR_NOW: dict[int, str] = {
    CR.CR_CONN_HOST_ERROR: "nothing answers there",
    CR.CR_SERVER_LOST: "the server ended the connection, or speaks no MySQL there (the frontend's port is often 9030)",
    CR.CR_SERVER_GONE_ERROR: "the server ended the connection",
    ER.CON_COUNT_ERROR: "it has too many connections",
    ER.TOO_MANY_USER_CONNECTIONS: "the account has too many connections",
}


def connect(url: DorisUrl) -> "pymysql.Connection[Cursor]":
    """Return a session, trying for some seconds while the failure looks like a passing one.

    No database is chosen: statements name theirs, which need not exist yet.

    Raises:
        WarehouseUnavailable: The server cannot be reached now.
        WarehouseError: It, or the check of its certificate, refuses and will go on refusing.
    """
    context = _tls(url)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return _connected(url, context)
        except pymysql.Error as error:
            code, _ = code_and_text(error)
            if isinstance(getattr(error, "original_exception", None), ssl.SSLError):
                raise _not_trusted(url, error.original_exception) from None
        except _UNREADABLE:
            code = 0
        except RuntimeError:
            # What pymysql says where a plugin of authentication needs a package of its own.
            code = CR.CR_AUTH_PLUGIN_CANNOT_LOAD
        if code not in _REFUSED_FOR_NOW or time.monotonic() + pause > deadline:
            raise _refusal(url, code) from None
        time.sleep(pause)
        pause *= 2


class _NeverReadable:
    """Stands for the plugin that sends the password as it is (LDAP): whoever asks for https would not expect that."""

    def __init__(self, connection: object) -> None:
        del connection

    def authenticate(self, packet: object) -> None:
        del packet
        raise pymysql.OperationalError(CR.CR_SECURE_AUTH, "")


def _connected(url: DorisUrl, context: ssl.SSLContext | None) -> "pymysql.Connection[Cursor]":
    connection = pymysql.connect(
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password.encode(),
        charset="utf8mb4",
        autocommit=True,
        conv=encoders,
        ssl=context,
        ssl_disabled=context is None,
        auth_plugin_map={"mysql_clear_password": _NeverReadable} if url.https and not url.tls else None,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_CONNECT_SECONDS,
        write_timeout=_CONNECT_SECONDS,
        program_name="dicom-pipeline",
    )
    for statement in sql.SESSION:
        run(connection, statement)
    # A server that says nothing at all is given up soon, a statement may take its time: pymysql has one limit for both.
    connection._read_timeout = connection._write_timeout = _ANSWER_SECONDS
    return connection


def _tls(url: DorisUrl) -> ssl.SSLContext | None:
    if not url.tls:
        return None
    try:
        return ssl.create_default_context(cafile=url.tls_ca)
    except OSError as error:
        raise WarehouseError(f"tls_ca: {url.tls_ca} cannot be used: {error.strerror or 'no certificates'}") from None


def _refusal(url: DorisUrl, code: int) -> WarehouseError:
    told = (
        _REFUSED_FOR_NOW.get(code) or _REFUSALS.get(code) or (f"error {code}" if code else "no answer in MySQL's way")
    )
    kind = WarehouseUnavailable if code in _REFUSED_FOR_NOW else WarehouseError
    return kind(f"cannot connect to the warehouse {url.display_url}: {told}")


def _not_trusted(url: DorisUrl, error: ssl.SSLError) -> WarehouseError:
    if isinstance(error, ssl.SSLCertVerificationError):
        told = f"its certificate is not trusted ({error.verify_message}); the option tls_ca names a CA file"
    else:
        told = "TLS failed"
    return WarehouseError(f"cannot connect to the warehouse {url.display_url}: {told}")


def run(connection: "pymysql.Connection[Cursor]", statement: str) -> list[tuple[Any, ...]]:
    """Run a statement and return all rows of its answer, values as text."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def run_named(connection: "pymysql.Connection[Cursor]", statement: str) -> list[dict[str, str]]:
    """Run a ``SHOW`` statement and return its rows by the columns' names, NULL as empty text."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, (value or "" for value in row), strict=True)) for row in cursor.fetchall()]

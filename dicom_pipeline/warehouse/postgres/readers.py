"""ADBC connections for reading, kept between reads.

Scope: opening, lending and closing them. Opening one costs a tenth of a second, since ADBC reads the database's whole
type catalogue, and a load reads several small things a date; so a connection whose read ended well is used again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dicom_pipeline.warehouse.postgres.url import PostgresUrl

_FRESH_SECONDS = 2.0
"""A connection that was used so lately is not asked whether it is still there: a date reads several small things."""


class ReaderPool:
    """Idle ADBC connections to one database."""

    def __init__(self, url: PostgresUrl) -> None:
        self._url = url
        self._idle: list[tuple[Any, float]] = []

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Lend a cursor in a fresh read-only transaction with one snapshot; only a read that ended well gives back."""
        connection = self._take()
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.rollback()
        except BaseException:
            connection.close()
            raise
        self._idle.append((connection, time.monotonic()))

    def close(self) -> None:
        """Close the idle connections; lent ones end with their readers."""
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> Any:
        from adbc_driver_postgresql import dbapi

        while self._idle:
            connection, used = self._idle.pop()
            if time.monotonic() - used < _FRESH_SECONDS:
                return connection
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                    cursor.fetchall()
                connection.rollback()
            except dbapi.Error:
                connection.close()
            else:
                return connection
        opened = dbapi.connect(self._url.conninfo)
        with opened.cursor() as cursor:
            # For all transactions to come, which saves each one a question.
            cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        opened.commit()
        return opened

"""ADBC connections for reading, kept between reads.

Scope: opening, lending and closing them. Opening one costs a tenth of a second, since ADBC reads the database's whole
type catalogue, and a load reads several small things a date; so a connection whose read ended well is used again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dicom_pipeline.warehouse.url import WarehouseUrl


class ReaderPool:
    """Idle ADBC connections to one database."""

    def __init__(self, url: WarehouseUrl) -> None:
        self._url = url
        self._idle: list[Any] = []

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Lend a cursor in a fresh read-only transaction with one snapshot; only a read that ended well gives back."""
        connection = self._take()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield cursor
            connection.rollback()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def close(self) -> None:
        """Close the idle connections; lent ones end with their readers."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Any:
        from adbc_driver_postgresql import dbapi

        while self._idle:
            connection = self._idle.pop()
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                    cursor.fetchall()
                connection.rollback()
            except dbapi.Error:
                connection.close()
            else:
                return connection
        return dbapi.connect(self._url.conninfo)

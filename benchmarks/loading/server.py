"""The database server of the benchmarks: the embedded one, the same for everybody, with fsync.

Scope: databases that come and go on it. Each measurement has a fresh one, so that nobody finds what another left.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.embedded.configuration import DATABASE
from dicom_pipeline.warehouse.factory import create_warehouse


class Server:
    """A running embedded server.

    Args:
        home: Where it keeps its data.
    """

    def __init__(self, home: Path) -> None:
        # By a process that ends: as a child of this one, the server would count among what a client costs.
        command = Path(sys.executable).with_name("dicom-pipeline")
        start = [str(command), "warehouse", "start", "--home", str(home)]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL)
        self._server = EmbeddedPostgres(home)
        self._url = self._server.url

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()

    def psql(self, url: str, *arguments: str) -> list[str]:
        """Return the command line of ``psql`` on a database."""
        return [self._server.psql_command()[0], url, "--no-psqlrc", "--quiet", *arguments]

    def settings(self) -> dict[str, str]:
        """Return the settings that decide about the speed of loading, and the version."""
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size", "wal_compression")
        with psycopg.connect(self._url) as connection:
            return {name: str(_one(connection, f"SHOW {name}")) for name in names}

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Make a database with the tables of a warehouse, give its URL, and drop it at the end."""
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._execute(f"CREATE DATABASE {name}")
        url = self._url.replace(f"@/{DATABASE}?", f"@/{name}?")
        warehouse = create_warehouse(url)
        warehouse.prepare()
        warehouse.close()
        # What earlier measurements wrote must not be flushed during the next one.
        self._execute("CHECKPOINT")
        try:
            yield url
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement.encode())


def _one(connection: psycopg.Connection, query: str) -> object:
    found = connection.execute(query.encode()).fetchone()
    return found[0] if found else None


def rows_written(url: str, table: str) -> int:
    """Return how many rows of a table and its partitions were inserted, updated or deleted since it was made."""
    query = f"SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE relname LIKE '{table}%'"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        return int(str(_one(connection, query) or 0))

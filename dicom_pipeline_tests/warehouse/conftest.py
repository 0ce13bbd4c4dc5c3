"""A real server for the tests, one a test process, and a fresh database for each test that wants one."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES
from dicom_pipeline.warehouse.base import Warehouse
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse


@dataclass(frozen=True)
class Database:
    """A database of one test: its URL, and psycopg for looking behind the warehouse's back."""

    url: str

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def query(self, statement: str, parameters: tuple[object, ...] | None = None) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(statement, parameters).fetchall()

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The embedded server of this test process, stopped at its end; the disk may cheat, tests don't outlive power."""
    embedded = EmbeddedPostgres(tmp_path_factory.mktemp("embedded"))
    Database(embedded.start()).run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    yield embedded
    embedded.stop()


@pytest.fixture(scope="session")
def make_database(server: EmbeddedPostgres) -> Callable[[], Database]:
    """Return a function that makes an empty database."""
    numbers = itertools.count()

    def make() -> Database:
        name = f"test_{next(numbers)}"
        Database(server.url).run(f"CREATE DATABASE {name} TEMPLATE template0")
        return Database(server.url.replace("/dicom?", f"/{name}?"))

    return make


@pytest.fixture
def empty_database(make_database: Callable[[], Database]) -> Database:
    """A database without tables, for tests that change definitions."""
    return make_database()


@pytest.fixture(scope="session")
def _shared_database(make_database: Callable[[], Database]) -> Database:
    shared = make_database()
    opened = create_warehouse(shared.url)
    opened.prepare()
    opened.close()
    return shared


@pytest.fixture
def database(_shared_database: Database) -> Database:
    """The database of this test process, its tables prepared and without rows."""
    _shared_database.run(*(f"DELETE FROM {table.name}" for table in ALL_TABLES))
    return _shared_database


@pytest.fixture(params=["postgresql"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    """Every warehouse in turn, its tables prepared and empty; the place where another database joins."""
    opened = create_warehouse(request.getfixturevalue("database").url)
    yield opened
    opened.close()

"""The databases of the tests: a real PostgreSQL, one a test process, and Doris's double, or a real Doris.

With ``DORIS_URL`` set, what is said of every warehouse is tested on that cluster, in databases of its own that are
dropped at the end; the account must be allowed to make and drop them.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES
from dicom_pipeline.warehouse.base import Warehouse
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.doris_double.double import DorisDouble
from dicom_pipeline_tests.warehouse.doris.cluster import DorisDatabase, databases_of

KINDS = ["postgresql", "doris"]


class Store(Protocol):
    """A database of one test: its URL, and a way of looking and changing behind the warehouse's back."""

    url: str

    def query(self, statement: str) -> list[tuple[Any, ...]]: ...

    def run(self, *statements: str) -> None: ...


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


def needs_the_double() -> None:
    """Skip a test whose faults a real cluster cannot be asked for."""
    if "DORIS_URL" in os.environ:
        pytest.skip("needs Doris's double, and DORIS_URL names a cluster")


@pytest.fixture
def own_double() -> Iterator[DorisDouble]:
    """A double of Doris of this test alone, to be broken."""
    needs_the_double()
    with DorisDouble() as started:
        yield started


@pytest.fixture(scope="session")
def double() -> Iterator[DorisDouble]:
    """Doris's double of this test process; tests that break it take their own."""
    with DorisDouble() as started:
        yield started


@pytest.fixture(scope="session")
def make_doris_database(request: pytest.FixtureRequest) -> Iterator[Callable[[], DorisDatabase]]:
    """Return a function that makes an empty database, on the cluster of ``DORIS_URL`` or on the double."""
    url = os.environ.get("DORIS_URL") or request.getfixturevalue("double").url()
    with databases_of(url) as make:
        yield make


@pytest.fixture(params=KINDS)
def empty_store(request: pytest.FixtureRequest) -> Store:
    """A database without tables, of each kind in turn."""
    maker = "make_database" if request.param == "postgresql" else "make_doris_database"
    made: Store = request.getfixturevalue(maker)()
    return made


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Store:
    """A database of each kind in turn, its tables prepared and without rows.

    PostgreSQL's is emptied between tests. Doris's is a new one: labels are kept by database, for longer than rows.
    """
    if request.param == "postgresql":
        found: Store = request.getfixturevalue("database")
        return found
    made: DorisDatabase = request.getfixturevalue("make_doris_database")()
    with closing(create_warehouse(made.url)) as opened:
        opened.prepare()
    return made


@pytest.fixture
def warehouse(store: Store) -> Iterator[Warehouse]:
    """Every warehouse in turn, its tables prepared and empty."""
    with closing(create_warehouse(store.url)) as opened:
        yield opened

"""Databases on a Doris cluster, real or double, made for tests and dropped after them."""

import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from dicom_pipeline.warehouse.doris.connection import connect, run
from dicom_pipeline.warehouse.doris.url import parse_doris_url
from dicom_pipeline.warehouse.url import split_url


@dataclass(frozen=True)
class DorisDatabase:
    """A database of one test: its URL, and statements behind the warehouse's back."""

    url: str

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in the database and return its rows, values as text."""
        parsed = parse_doris_url(split_url(self.url)[1])
        with closing(connect(parsed)) as session:
            session.select_db(parsed.database)
            return run(session, statement)

    def run(self, *statements: str) -> None:
        """Run statements in the database."""
        for statement in statements:
            self.query(statement)


@contextmanager
def databases_of(url: str) -> Iterator[Callable[[], DorisDatabase]]:
    """Give a function that makes an empty database on the cluster; drop them all in the end."""
    parsed = parse_doris_url(split_url(url)[1])
    prefix, numbers, made = f"dicom_test_{secrets.token_hex(3)}", itertools.count(), []
    place = f"/{parsed.database}"

    def make() -> DorisDatabase:
        name = f"{prefix}_{next(numbers)}"
        made.append(name)
        with closing(connect(replace(parsed, database=name))) as session:
            run(session, f"CREATE DATABASE {name}")
        account, _, rest = url.rpartition("@")
        return DorisDatabase(f"{account}@{rest.replace(place, f'/{name}', 1)}")

    try:
        yield make
    finally:
        with closing(connect(parsed)) as session:
            for name in made:
                run(session, f"DROP DATABASE IF EXISTS {name}")

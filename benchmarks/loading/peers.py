"""Who loads rows: the ways people put a table into PostgreSQL.

Scope: one function a way. Each gets its rows in the form it takes, made before the clock starts, and a plain table
with the columns and the key of ``dicom_image_meta``.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

TABLE = "peer_image_meta"
Load = Callable[[str], None]
"""Loads prepared rows into the database of the URL."""


@dataclass(frozen=True, slots=True)
class LoadPeer:
    """A way to load: what it is, whether it goes row by row, and what makes it ready for a table of rows."""

    does: str
    slow: bool
    prepare: Callable[[pa.Table], Load]


def _to_sql(rows: pa.Table) -> Load:
    from sqlalchemy import create_engine

    frame = rows.to_pandas()

    def load(url: str) -> None:
        frame.to_sql(TABLE, create_engine(_driver(url, "psycopg2")), if_exists="append", index=False)

    return load


def _executemany(driver: str) -> Callable[[pa.Table], Load]:
    def prepare(rows: pa.Table) -> Load:
        from sqlalchemy import MetaData, Table, create_engine, insert

        records = rows.to_pylist()

        def load(url: str) -> None:
            engine = create_engine(_driver(url, driver))
            table = Table(TABLE, MetaData(), autoload_with=engine)
            with engine.begin() as connection:
                connection.execute(insert(table), records)

        return load

    return prepare


def _copy(form: str) -> Callable[[pa.Table], Load]:
    def prepare(rows: pa.Table) -> Load:
        import psycopg

        records = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        types = [_sql_type(field.type) for field in rows.schema]

        def load(url: str) -> None:
            statement = f"COPY {TABLE} FROM STDIN (FORMAT {form})".encode()
            with psycopg.connect(url) as connection, connection.cursor().copy(statement) as copy:
                if form == "BINARY":
                    copy.set_types(types)
                for record in records:
                    copy.write_row(record)

        return load

    return prepare


def _adbc(rows: pa.Table) -> Load:
    from adbc_driver_postgresql import dbapi

    def load(url: str) -> None:
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(TABLE, rows, mode="append")
            connection.commit()

    return load


def copy_file(command: list[str]) -> None:
    """Run ``psql`` to copy from or to a file; what it cannot do is an error."""
    subprocess.run(command, check=True, capture_output=True)


def _driver(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://")


def _sql_type(kind: Any) -> str:
    names = {pa.string(): "text", pa.date32(): "date", pa.int32(): "int4", pa.int64(): "int8", pa.float64(): "float8"}
    return names.get(kind) or ("time" if pa.types.is_time(kind) else "timestamp")


LOAD_PEERS: dict[str, LoadPeer] = {
    "pandas to_sql": LoadPeer("DataFrame.to_sql, SQLAlchemy and psycopg2", True, _to_sql),
    "SQLAlchemy, psycopg2": LoadPeer("insert() of dicts, executemany", True, _executemany("psycopg2")),
    "SQLAlchemy, psycopg 3": LoadPeer("insert() of dicts, executemany", True, _executemany("psycopg")),
    "psycopg COPY text": LoadPeer("COPY, write_row of tuples", True, _copy("TEXT")),
    "psycopg COPY binary": LoadPeer("COPY (FORMAT BINARY), write_row of tuples", True, _copy("BINARY")),
    "ADBC": LoadPeer("adbc_ingest of the Arrow table", False, _adbc),
}

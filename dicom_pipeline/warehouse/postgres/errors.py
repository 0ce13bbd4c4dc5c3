"""PostgreSQL's errors as ours: what failed and what to do, never what was in the rows.

Scope: translation of psycopg's, ADBC's and Arrow's exceptions. PostgreSQL repeats failing rows and key values in its
messages, details and contexts, so nothing of them is kept but the SQLSTATE and the names of table, column and
constraint; causes are cut off (``from None``), because a logged traceback prints them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pyarrow as pa

from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable

_HINTS: dict[str, str] = {
    "22001": "a text is longer than its column",
    "22021": "a text holds a character PostgreSQL cannot store, such as NUL",
    "23502": "a required column is NULL",
    "23505": "two rows of the slice have the same key",
    "23514": "no partition takes the row; was one detached by hand?",
    "25006": "the server is read-only, perhaps a standby",
    "40001": "another session was in the way",
    "40P01": "another session was in the way",
    "42501": "the role lacks a privilege; see deploy/postgresql/roles.sql, and create the tables as their owner once",
    "42883": "the tables are not prepared",
    "42P01": "the tables are not prepared",
    "53100": "the server's disk is full",
    "53200": "the server is out of memory",
    "53300": "the server has too many connections",
    "55P03": "another session held a lock for too long",
    "57014": "the statement ran into its time limit or was cancelled",
    "57P01": "the server was shut down or ended the connection",
    "57P02": "the server crashed and is recovering",
    "57P03": "the server is starting or shutting down",
}
_TRANSIENT_CLASSES = ("08", "40", "53", "55", "57")
_DISK_FULL = "53100"


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn every database or Arrow error in the block into a ``WarehouseError`` without values.

    Args:
        doing: What was being done, for the message, such as ``loading a slice``.

    Raises:
        WarehouseUnavailable: The connection broke, a lock or a time limit ran out: trying again may help.
        WarehouseError: Any other failure.
    """
    import adbc_driver_manager

    try:
        yield
    except psycopg.Error as error:
        raise _from_psycopg(doing, error) from None
    except adbc_driver_manager.Error as error:
        raise _from_state(doing, str(error.sqlstate or ""), "", lost=False) from None
    except pa.ArrowException as error:
        raise WarehouseError(f"{doing}: Arrow could not give or convert the rows ({type(error).__name__})") from None


def _from_psycopg(doing: str, error: psycopg.Error) -> WarehouseError:
    state = error.sqlstate or ""
    lost = not state and isinstance(error, psycopg.OperationalError)
    place = ".".join(filter(None, (error.diag.table_name, error.diag.column_name)))
    return _from_state(doing, state, place or error.diag.constraint_name or "", lost=lost)


def _from_state(doing: str, state: str, place: str, *, lost: bool) -> WarehouseError:
    if lost or state[:2] == "08":
        return WarehouseUnavailable(f"{doing}: the connection to PostgreSQL was lost; nothing was changed by halves")
    where = f" on {place}" if place else ""
    hint = f": {_HINTS[state]}" if state in _HINTS else ""
    kind = WarehouseUnavailable if _is_transient(state) else WarehouseError
    return kind(f"{doing}: PostgreSQL answered {_name(state)} {state or 'without a code'}{where}{hint}")


def _is_transient(state: str) -> bool:
    return state.startswith(_TRANSIENT_CLASSES) and state != _DISK_FULL


def _name(state: str) -> str:
    try:
        return psycopg.errors.lookup(state).__name__
    except KeyError:
        return "an error"

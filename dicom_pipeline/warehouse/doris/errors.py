"""Doris's errors over the MySQL protocol as ours: what failed and what to do, never what was in a statement.

Scope: translation of pymysql's and Arrow's exceptions. Nearly every error of Doris is number 1105 with a text that may
repeat the statement, so the text is only searched for fragments that are known; causes are cut off (``from None``).
Errors of loads are ``answers.py``'s.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pymysql
from pymysql.constants import CR, ER

from dicom_pipeline.errors import WarehouseError, WarehouseUnavailable

_LOST = (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_CONN_HOST_ERROR, CR.CR_CONNECTION_ERROR, 0)
_HINTS: tuple[tuple[str, str], ...] = (
    ("access denied", "the account lacks a privilege; see deploy/doris/grants.sql"),
    ("permission denied", "the account lacks a privilege; see deploy/doris/grants.sql"),
    ("command denied", "the account lacks a privilege; see deploy/doris/grants.sql"),
    ("permission denied", "the account lacks a privilege; see deploy/doris/grants.sql"),
    ("command denied", "the account lacks a privilege; see deploy/doris/grants.sql"),
    ("unknown database", "the database does not exist, and the tables are not prepared"),
    ("unknown table", "the tables are not prepared"),
    ("does not exist", "the tables are not prepared"),
    ("replication num", "fewer backends than replicas: set replication_num in the warehouse URL"),
    ("is not a partitioned table", "a table stands there that is not partitioned by month: load into another database"),
    ("schema change", "a change of the table's columns is under way"),
    ("schema_change", "a change of the table's columns is under way"),
    ("timeout", "the statement ran into its time limit"),
    ("timed out", "the statement ran into its time limit"),
    ("mem_limit", "the cluster is out of memory"),
    ("memory limit", "the cluster is out of memory"),
    ("no available backends", "no backend is alive"),
    ("no queryable replica", "a tablet has no replica that can be read"),
    ("not the master", "the frontend knows no master at this moment"),
    ("syntax error", "the server does not know the statement; is it Doris 2.1.8 or later?"),
)
_TRANSIENT = (
    "schema change",
    "schema_change",
    "timeout",
    "timed out",
    "mem_limit",
    "memory limit",
    "no available backends",
    "no queryable replica",
    "not the master",
)
_TRANSIENT_CODES = (ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.SERVER_SHUTDOWN)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn every database or Arrow error in the block into a ``WarehouseError`` without values.

    Args:
        doing: What was being done, for the message, such as ``reading dicom_image_meta``.

    Raises:
        WarehouseUnavailable: The connection broke, or the cluster cannot just now: trying again may help.
        WarehouseError: Any other failure.
    """
    try:
        yield
    except pymysql.Error as error:
        raise _from_pymysql(doing, error) from None
    except pa.ArrowException as error:
        raise WarehouseError(f"{doing}: Arrow could not give or convert the rows ({type(error).__name__})") from None
    except UnicodeDecodeError:
        # Doris stores bytes: whoever else writes there need not have written text.
        raise WarehouseError(f"{doing}: a text that stands there is not UTF-8") from None


def code_and_text(error: pymysql.Error) -> tuple[int, str]:
    """Return the error's number (0 if it has none) and its text, which may hold values."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return code, str(error.args[-1] if error.args else "")


def _from_pymysql(doing: str, error: pymysql.Error) -> WarehouseError:
    code, text = code_and_text(error)
    if code in _LOST:
        return WarehouseUnavailable(f"{doing}: the connection to Doris was lost")
    hint = next((hint for fragment, hint in _HINTS if fragment in text.lower()), "")
    passing = code in _TRANSIENT_CODES or any(fragment in text.lower() for fragment in _TRANSIENT)
    kind = WarehouseUnavailable if passing else WarehouseError
    return kind(f"{doing}: Doris answered error {code}{': ' if hint else ''}{hint}")

"""What the connection's role may not do of what a load needs.

Scope: looking at privileges, as ``drift.prepare`` and ``replace.replace_slice`` use them; granting them is
``deploy/postgresql/roles.sql``. What does not exist yet becomes the role's own, so that creating it is all it needs.
"""

import psycopg

from dicom_pipeline.dicom.fields import LOAD, SLICE_TABLES
from dicom_pipeline.warehouse.postgres import ddl, drift

_NEEDED: dict[str, list[str]] = {
    **{table.name: ["SELECT", "INSERT", "UPDATE", "DELETE"] for table in SLICE_TABLES},
    LOAD.name: ["INSERT"],
}
# An absent table or function answers NULL, which is not a lack.
_ON_TABLE = "SELECT p FROM unnest(%s::text[]) AS p WHERE NOT has_table_privilege(to_regclass(%s), p)"
_ON_DATABASE = "SELECT current_database() WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')"
_ON_SCHEMA = "SELECT WHERE NOT has_schema_privilege(%s, 'CREATE')"
_ON_FUNCTION = "SELECT WHERE NOT has_function_privilege(to_regprocedure(%s), 'EXECUTE')"
_NOT_OWNER_OF_TABLE = "SELECT FROM pg_class WHERE oid = to_regclass(%s) AND NOT pg_has_role(relowner, 'USAGE')"
_NOT_OWNER_OF_FUNCTION = "SELECT FROM pg_proc WHERE oid = to_regprocedure(%s) AND NOT pg_has_role(proowner, 'USAGE')"


def missing_privileges(connection: psycopg.Connection, *, allow_schema_evolution: bool) -> list[str]:
    """Return what the role lacks, one phrase each, such as ``INSERT on dicom_image_meta``.

    Args:
        connection: Outside of a transaction.
        allow_schema_evolution: Whether missing columns would be added, which only a table's owner may do.

    Raises:
        WarehouseError: The connection's search path names no schema the role may use.
        psycopg.Error: The server takes no writes at all, such as a standby.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION READ WRITE")
        return [*_to_prepare(connection, allow_schema_evolution), *_to_replace(connection)]


def _to_prepare(connection: psycopg.Connection, allow_schema_evolution: bool) -> list[str]:
    schema = drift.home_schema(connection)
    found = drift.find_drift(connection)
    current = drift.has_function(connection, schema)
    missing = []
    if (found.missing or not current) and _lacks(connection, _ON_SCHEMA, schema):
        missing.append(f"CREATE on schema {schema}")
    if not current and _lacks(connection, _NOT_OWNER_OF_FUNCTION, _partition_function(schema)):
        missing.append(f"ownership of {ddl.PARTITION_FUNCTION}")
    altered = dict.fromkeys(table.name for table, _ in found.addable) if allow_schema_evolution else ()
    missing += [f"ownership of {n}" for n in altered if _lacks(connection, _NOT_OWNER_OF_TABLE, ddl.quote_name(n))]
    return missing


def _to_replace(connection: psycopg.Connection) -> list[str]:
    missing = []
    for name, needed in _NEEDED.items():
        lacking = connection.execute(_ON_TABLE.encode(), (needed, ddl.quote_name(name))).fetchall()
        missing += [f"{privilege} on {name}" for (privilege,) in lacking]
    if _lacks(connection, _ON_FUNCTION, _partition_function(drift.home_schema(connection))):
        missing.append(f"EXECUTE on {ddl.PARTITION_FUNCTION}")
    # The comparison with what is there needs a temporary table.
    missing += [f"TEMPORARY on database {name}" for (name,) in connection.execute(_ON_DATABASE.encode())]
    return missing


def _lacks(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query.encode(), (name,)).fetchone() is not None


def _partition_function(schema: str) -> str:
    return f"{ddl.quote_name(schema)}.{ddl.PARTITION_FUNCTION}(text,date)"

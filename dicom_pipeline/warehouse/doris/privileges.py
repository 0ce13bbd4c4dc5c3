"""What the account may not do of what a load needs.

Scope: looking at ``SHOW GRANTS``, which names privileges by level: everything, catalog, database, table. Granting them
is ``deploy/doris/grants.sql``. Statements and loads alone decide what is really allowed; this says it before.
"""

import re

from dicom_pipeline.dicom.fields import ALL_TABLES, TableSpec
from dicom_pipeline.warehouse.base import PARTITIONED
from dicom_pipeline.warehouse.doris import drift, sql
from dicom_pipeline.warehouse.doris.connection import run_named
from dicom_pipeline.warehouse.doris.read import Session
from dicom_pipeline.warehouse.doris.url import DorisUrl

_CATALOG = "internal"
_ALL = "ADMIN"
_LEVELS = ("GlobalPrivs", "CatalogPrivs", "DatabasePrivs", "TablePrivs")
_PRIVILEGE = re.compile(r"([A-Za-z_]+?)_priv", re.IGNORECASE)


def missing_privileges(session: Session, url: DorisUrl, *, allow_schema_evolution: bool) -> list[str]:
    """Return what the account lacks, one phrase each, such as ``LOAD_PRIV on dicom_image_meta``.

    Args:
        session: Of the account.
        url: Names the database.
        allow_schema_evolution: Whether columns would be added or lengthened.
    """
    granted = _granted(session)
    missing = []
    if not drift.database_exists(session, url):
        if not granted & {("CREATE", ""), ("CREATE", url.database)}:
            missing.append(f"CREATE_PRIV on database {url.database}")
        tables_missing = list(ALL_TABLES)
        changed: set[str] = set()
    else:
        found = drift.find_drift(session, url)
        tables_missing = found.missing
        changed = {t.name for t, _ in [*found.addable, *found.lengthened]} if allow_schema_evolution else set()
    for table in ALL_TABLES:
        needed = ["SELECT", "LOAD"]
        needed += ["CREATE"] if table in tables_missing else []
        needed += ["ALTER"] if table in PARTITIONED or table.name in changed else []
        missing += [f"{name}_PRIV on {table.name}" for name in needed if not _has(granted, name, url, table)]
    return missing


def _has(granted: set[tuple[str, str]], privilege: str, url: DorisUrl, table: TableSpec) -> bool:
    places = ("", url.database, f"{url.database}.{table.name}")
    return any((name, place) in granted for place in places for name in (privilege, _ALL))


def _granted(session: Session) -> set[tuple[str, str]]:
    """Return privileges with where they hold: everywhere (an empty text), a database, or ``database.table``."""
    granted = set()
    for row in run_named(session, sql.GRANTS):
        for level in _LEVELS:
            for part in row.get(level, "").split(";"):
                place, _, privileges = part.rpartition(":")
                path = place.strip().strip("`").split(".")
                if path[0] in ("", _CATALOG):
                    granted |= {(p.upper(), ".".join(path[1:])) for p in _PRIVILEGE.findall(privileges)}
    return granted

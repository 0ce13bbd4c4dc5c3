"""Whether a role may write is said before a load, and is so: without any of the privileges no load works."""

from collections.abc import Callable
from contextlib import closing

import pytest

from dicom_pipeline.dicom.fields import LOAD, SLICE_TABLES
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.base import ArrowSource
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.conftest import Database
from dicom_pipeline_tests.warehouse.postgres.test_roles import as_role, run_script
from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_rows

ON_TABLES = [f"{p} on {t.name}" for t in SLICE_TABLES for p in ("SELECT", "INSERT", "UPDATE", "DELETE")]
ON_TABLES += [f"INSERT on {LOAD.name}"]
FUNCTION = "dicom_ensure_partition"


@pytest.fixture(scope="module")
def guarded(server: EmbeddedPostgres, make_database: Callable[[], Database]) -> Database:
    """A database with the roles and with tables that hold a slice."""
    database = make_database()
    run_script(server, database)
    load(database, "dicom_owner")
    run_script(server, database)
    return database


def load(database: Database, role: str, start: int = 0) -> None:
    """Load a slice; one of another ``start`` differs from it in every table, so that rows must be written."""
    tables: dict[str, ArrowSource] = {table.name: make_rows(table, start=start) for table in SLICE_TABLES}
    with closing(create_warehouse(as_role(database, role))) as warehouse:
        warehouse.replace_slice(TARGET, tables, facts())


def missing(database: Database, role: str, *, allow_schema_evolution: bool = False) -> list[str]:
    url = as_role(database, role)
    with closing(create_warehouse(url, allow_schema_evolution=allow_schema_evolution)) as warehouse:
        return warehouse.missing_privileges()


@pytest.mark.parametrize("role", ["dicom_owner", "dicom_loader"])
def test_who_may_load_lacks_nothing(guarded: Database, role: str) -> None:
    assert missing(guarded, role) == []
    load(guarded, role)


def name_of(database: Database) -> str:
    return str(database.query("SELECT current_database()")[0][0])


def test_a_reader_lacks_every_right_to_write(guarded: Database) -> None:
    writing = [phrase for phrase in ON_TABLES if not phrase.startswith("SELECT")]
    expected = [*writing, f"EXECUTE on {FUNCTION}", f"TEMPORARY on database {name_of(guarded)}"]
    assert missing(guarded, "dicom_reader") == expected


@pytest.mark.parametrize("phrase", [*ON_TABLES, f"EXECUTE on {FUNCTION}", "TEMPORARY on database"])
def test_whatever_is_missing_keeps_a_load_from_working(guarded: Database, phrase: str) -> None:
    if phrase.startswith("TEMPORARY"):
        phrase += f" {name_of(guarded)}"
    right = f"{phrase}(text, date)".replace(" on ", " on function ") if FUNCTION in phrase else phrase
    guarded.run(f"REVOKE {right} FROM dicom_loader")
    try:
        assert missing(guarded, "dicom_loader") == [phrase]
        with pytest.raises(WarehouseError, match="42501"):
            load(guarded, "dicom_loader", start=2)
    finally:
        guarded.run(f"GRANT {right} TO dicom_loader")


def test_nothing_is_asked_for_that_a_load_does_not_need(guarded: Database) -> None:
    guarded.run(f"REVOKE SELECT ON {LOAD.name} FROM dicom_loader")
    try:
        assert missing(guarded, "dicom_loader") == []
        load(guarded, "dicom_loader", start=2)
        load(guarded, "dicom_loader")
    finally:
        guarded.run(f"GRANT SELECT ON {LOAD.name} TO dicom_loader")


def test_who_may_create_the_tables_needs_no_more(server: EmbeddedPostgres, empty_database: Database) -> None:
    run_script(server, empty_database)
    temporary = f"TEMPORARY on database {name_of(empty_database)}"
    assert missing(empty_database, "dicom_loader") == ["CREATE on schema public"]
    assert missing(empty_database, "dicom_reader") == ["CREATE on schema public", temporary]
    assert missing(empty_database, "dicom_owner") == []
    assert empty_database.query("SELECT FROM pg_tables WHERE schemaname = 'public'") == []


def test_only_the_owner_may_mend_what_is_old(server: EmbeddedPostgres, empty_database: Database) -> None:
    run_script(server, empty_database)
    with closing(create_warehouse(as_role(empty_database, "dicom_owner"))) as owner:
        owner.prepare()
    empty_database.run(
        f"CREATE OR REPLACE FUNCTION {FUNCTION}(parent text, day date) RETURNS void LANGUAGE sql AS ''",
        "ALTER TABLE dicom_image_meta DROP COLUMN content_date",
    )
    expected = ["CREATE on schema public", f"ownership of {FUNCTION}", "ownership of dicom_image_meta"]
    assert missing(empty_database, "dicom_loader", allow_schema_evolution=True) == expected
    assert missing(empty_database, "dicom_loader") == expected[:2]


def test_a_role_that_may_not_enter_the_schema_is_told(server: EmbeddedPostgres, empty_database: Database) -> None:
    run_script(server, empty_database)
    empty_database.run("REVOKE USAGE ON SCHEMA public FROM dicom_loader")
    with pytest.raises(WarehouseError, match="no schema that the role may use"):
        missing(empty_database, "dicom_loader")

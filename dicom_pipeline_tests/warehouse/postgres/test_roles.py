"""The roles script, run by psql on a real server, and passwords of every kind through both drivers."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from dicom_pipeline.dicom.fields import IMAGE, SLICE_TABLES
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.conftest import Database
from dicom_pipeline_tests.warehouse.rows import TARGET, empty_slice, facts, make_slice

SCRIPT = Path(__file__).parents[3] / "deploy" / "postgresql" / "roles.sql"


def run_script(server: EmbeddedPostgres, database: Database) -> None:
    command = [server.psql_command()[0], database.url, "--no-psqlrc", "-f", str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def as_role(database: Database, role: str) -> str:
    return f"{database.url}&options=-crole%3D{role}"


@pytest.fixture(params=["script first", "tables first"])
def guarded(request: pytest.FixtureRequest, server: EmbeddedPostgres, empty_database: Database) -> Database:
    """A database with tables and roles, made in either order."""
    if request.param == "script first":
        run_script(server, empty_database)
        create_warehouse(as_role(empty_database, "dicom_owner")).prepare()
    else:
        create_warehouse(empty_database.url).replace_slice(TARGET, make_slice(), facts("before"))
    run_script(server, empty_database)
    return empty_database


def test_the_loader_loads_and_may_nothing_else(guarded: Database) -> None:
    loader = create_warehouse(as_role(guarded, "dicom_loader"))
    for run, rows in (("run-1", make_slice()), ("run-2", make_slice(count=2)), ("run-3", empty_slice())):
        changes = loader.replace_slice(TARGET, rows, facts(run))
        assert changes[IMAGE.name].rows == rows[IMAGE.name].num_rows
        assert loader.digest(IMAGE, TARGET).rows == rows[IMAGE.name].num_rows
    assert guarded.query("SELECT count(*) FROM dicom_image_meta_y2024m01") == [(0,)]
    for statement in (
        "UPDATE dicom_load SET digest = ''",
        "DELETE FROM dicom_load",
        "TRUNCATE dicom_image_meta",
        "DROP TABLE dicom_reject",
        "ALTER TABLE dicom_reject ADD COLUMN x int",
        "CREATE TABLE mine ()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            Database(as_role(guarded, "dicom_loader")).run(statement)
    loader.close()


def test_the_reader_reads_and_may_nothing_else(guarded: Database) -> None:
    writer = create_warehouse(as_role(guarded, "dicom_loader"))
    writer.replace_slice(TARGET, make_slice(), facts())
    reader = create_warehouse(as_role(guarded, "dicom_reader"))
    for table in SLICE_TABLES:
        assert reader.read(table, [TARGET]).read_all().equals(make_slice()[table.name])
    assert reader.dates(TARGET.tenant_id) == {TARGET.date}
    with pytest.raises(WarehouseError, match=r"42501.*roles\.sql"):
        reader.replace_slice(TARGET, make_slice(), facts("run-2"))
    for statement in (
        "DELETE FROM dicom_image_meta",
        "INSERT INTO dicom_load SELECT * FROM dicom_load",
        "SELECT dicom_ensure_partition('dicom_image_meta', '2033-01-01')",
        "CREATE TEMPORARY TABLE mine ()",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            Database(as_role(guarded, "dicom_reader")).run(statement)
    writer.close()
    reader.close()


def test_the_partition_function_makes_no_other_tables(guarded: Database) -> None:
    loader = Database(as_role(guarded, "dicom_loader"))
    for parent in ("pg_class", "dicom_load", 'dicom_image_meta"; DROP TABLE dicom_load; --'):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            loader.query("SELECT dicom_ensure_partition(%s, '2024-01-01')", (parent,))


def test_a_role_that_may_not_create_the_tables_is_told_what_to_do(
    server: EmbeddedPostgres, empty_database: Database
) -> None:
    run_script(server, empty_database)
    with pytest.raises(WarehouseError, match="create the tables as their owner once") as caught:
        create_warehouse(as_role(empty_database, "dicom_loader")).prepare()
    assert not caught.value.transient


PASSWORDS = ["plain", "p@ss:w/rd?#[]&=%", "100%40x", 'it\'s "quoted" \\ $1', "pässwört 密碼", " leading and trailing "]


@pytest.fixture(scope="module")
def guarded_role(server: EmbeddedPostgres) -> Iterator[str]:
    """A role that must give a password on the socket."""
    rules = server.status().data_directory / "pg_hba.conf"
    rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())
    Database(server.url).run("CREATE ROLE guarded LOGIN", "SELECT pg_reload_conf()")
    yield "guarded"
    Database(server.url).run("DROP ROLE guarded")


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_reaches_the_server(server: EmbeddedPostgres, guarded_role: str, password: str) -> None:
    quoted = password.replace("'", "''")
    Database(server.url).run(f"ALTER ROLE {guarded_role} PASSWORD '{quoted}'")
    url = server.url.replace("dicom@/", f"{guarded_role}:{quote(password, safe='')}@/")
    warehouse = create_warehouse(url)
    assert warehouse.server_version().startswith("PostgreSQL")
    with pytest.raises(WarehouseError, match="not prepared"):
        warehouse.read(IMAGE)  # ADBC came as far as asking for the table
    warehouse.close()
    wrong = create_warehouse(url.replace(":", ":wrong", 2).replace("postgresql:wrong", "postgresql:"))
    with pytest.raises(WarehouseError, match="password authentication failed") as caught:
        wrong.server_version()
    assert not caught.value.transient
    assert password not in str(caught.value) or password == "plain"


def test_the_password_may_come_from_where_libpq_looks(
    server: EmbeddedPostgres, guarded_role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database(server.url).run(f"ALTER ROLE {guarded_role} PASSWORD 'from outside'")
    url = server.url.replace("dicom@/", f"{guarded_role}@/")
    with pytest.raises(WarehouseError, match="no password"):
        create_warehouse(url).server_version()
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:guarded:from outside\n")
    passfile.chmod(0o600)
    create_warehouse(f"{url}&passfile={passfile}").server_version()
    monkeypatch.setenv("PGPASSWORD", "from outside")
    create_warehouse(url).server_version()

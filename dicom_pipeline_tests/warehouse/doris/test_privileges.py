"""Whether an account may load is said before a load, and is so: without any of the privileges no load works."""

from contextlib import closing

import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES, IMAGE, SLICE_TABLES, STATE
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.base import Slice
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.doris_double import Account, DorisDouble, Privilege
from dicom_pipeline_tests.warehouse.rows import TARGET, facts, make_rows

DATABASE = "dicom"
LOADER = frozenset({Privilege.SELECT, Privilege.LOAD, Privilege.ALTER})
NEXT_MONTH = Slice(TARGET.tenant_id, TARGET.date.replace(month=2))
LARGE = (IMAGE.name, STATE.name)


@pytest.fixture
def guarded(own_double: DorisDouble) -> DorisDouble:
    """A double whose tables hold a slice."""
    load(own_double, "root")
    return own_double


def url_of(double: DorisDouble, user: str) -> str:
    return double.url(user=user, password=None if user == "root" else "pw")


def allow(double: DorisDouble, privileges: frozenset[Privilege], databases: frozenset[str] | None) -> None:
    double.cluster.accounts.add(Account("etl", "pw", privileges, databases))


def load(double: DorisDouble, user: str, target: Slice = TARGET, start: int = 0) -> None:
    """Load a slice; one of another ``start`` differs from it in every table."""
    tables = {table.name: make_rows(table, target, start=start) for table in SLICE_TABLES}
    with closing(create_warehouse(url_of(double, user))) as warehouse:
        warehouse.replace_slice(target, tables, facts(f"{user}-{start}"))


def missing(double: DorisDouble, user: str = "etl", *, allow_schema_evolution: bool = False) -> list[str]:
    url = url_of(double, user)
    with closing(create_warehouse(url, allow_schema_evolution=allow_schema_evolution)) as warehouse:
        return warehouse.missing_privileges()


@pytest.mark.parametrize("databases", [None, frozenset({DATABASE}), frozenset({"other", DATABASE})])
def test_who_has_what_the_grants_give_lacks_nothing(guarded: DorisDouble, databases: frozenset[str] | None) -> None:
    allow(guarded, LOADER, databases)
    assert missing(guarded) == []
    load(guarded, "etl", NEXT_MONTH)


def test_who_may_everything_lacks_nothing(guarded: DorisDouble) -> None:
    assert missing(guarded, "root") == []


EXPECTED = {
    Privilege.SELECT: [f"SELECT_PRIV on {table.name}" for table in ALL_TABLES],
    Privilege.LOAD: [f"LOAD_PRIV on {table.name}" for table in ALL_TABLES],
    Privilege.ALTER: [f"ALTER_PRIV on {name}" for name in LARGE],
}


@pytest.mark.parametrize("privilege", EXPECTED)
@pytest.mark.parametrize("databases", [None, frozenset({DATABASE})], ids=["global", "of the database"])
def test_whatever_is_missing_keeps_a_load_from_working(
    guarded: DorisDouble, privilege: Privilege, databases: frozenset[str] | None
) -> None:
    allow(guarded, LOADER - {privilege}, databases)
    assert missing(guarded) == EXPECTED[privilege]
    before = guarded.rows(IMAGE.name)
    with pytest.raises(WarehouseError, match=r"privilege|LOAD") as caught:
        load(guarded, "etl", NEXT_MONTH)
    assert not caught.value.transient
    assert guarded.rows(IMAGE.name) == before
    allow(guarded, LOADER, databases)
    load(guarded, "etl", NEXT_MONTH)


def test_a_reader_lacks_every_right_to_write(guarded: DorisDouble) -> None:
    allow(guarded, frozenset({Privilege.SELECT}), frozenset({DATABASE}))
    lacks = missing(guarded)
    assert set(lacks) == {*EXPECTED[Privilege.LOAD], *EXPECTED[Privilege.ALTER]}
    assert len(lacks) == len(set(lacks))


def test_rights_on_another_database_are_none_here(guarded: DorisDouble) -> None:
    allow(guarded, LOADER, frozenset({"dicom2"}))
    assert f"LOAD_PRIV on {IMAGE.name}" in missing(guarded)
    with pytest.raises(WarehouseError):
        load(guarded, "etl", NEXT_MONTH)


def test_who_makes_the_tables_must_be_allowed_to(own_double: DorisDouble) -> None:
    own_double.query(f"CREATE DATABASE {DATABASE}")
    allow(own_double, LOADER, frozenset({DATABASE}))
    assert missing(own_double) == [f"CREATE_PRIV on {table.name}" for table in ALL_TABLES]
    with pytest.raises(WarehouseError, match="privilege"):
        load(own_double, "etl")
    allow(own_double, LOADER | {Privilege.CREATE}, frozenset({DATABASE}))
    assert missing(own_double) == []
    load(own_double, "etl")


def test_who_makes_the_database_must_be_allowed_to(own_double: DorisDouble) -> None:
    allow(own_double, LOADER, None)
    lacks = missing(own_double)
    assert lacks[0] == f"CREATE_PRIV on database {DATABASE}"
    assert set(lacks[1:]) == {f"CREATE_PRIV on {table.name}" for table in ALL_TABLES}
    with pytest.raises(WarehouseError, match="privilege"):
        load(own_double, "etl")
    allow(own_double, LOADER | {Privilege.CREATE}, None)
    assert missing(own_double) == []
    load(own_double, "etl")


def test_nothing_is_changed_by_asking(own_double: DorisDouble) -> None:
    allow(own_double, LOADER | {Privilege.CREATE}, None)
    assert missing(own_double) == []
    assert own_double.cluster.databases == {}


def test_columns_are_added_only_by_who_may_alter_the_table(guarded: DorisDouble) -> None:
    guarded.query("ALTER TABLE dicom_load DROP COLUMN digest")
    allow(guarded, LOADER - {Privilege.ALTER}, frozenset({DATABASE}))
    assert missing(guarded) == EXPECTED[Privilege.ALTER]
    guarded.query("ALTER TABLE dicom_reject DROP COLUMN field")
    assert missing(guarded, allow_schema_evolution=True) == [*EXPECTED[Privilege.ALTER], "ALTER_PRIV on dicom_reject"]

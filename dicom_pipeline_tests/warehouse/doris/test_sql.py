"""The SQL for Doris: what it says exactly (a golden file), and that it follows the field table."""

import datetime as dt
import os
from pathlib import Path

import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES, IMAGE, LOAD, SLICE_TABLES, STATE, Field, Kind, Rule
from dicom_pipeline.warehouse.base import Slice
from dicom_pipeline.warehouse.doris import sql

GOLDEN = Path(__file__).parent / "golden" / "doris.sql"
DATABASE = "dicom"
TARGET = Slice("hospital", dt.date(2024, 1, 15))
AWKWARD = Slice("it's a \\ \"`ты", dt.date(1, 1, 1))


def all_statements() -> list[str]:
    """Every statement there is, with plain values and, where a value comes from outside, with awkward ones."""
    return [
        *sql.SESSION,
        sql.SYNC,
        sql.VERSION,
        sql.FRONTENDS,
        sql.BACKENDS,
        sql.GRANTS,
        sql.database_exists(DATABASE),
        sql.create_database(DATABASE),
        *(sql.create_table(DATABASE, table, replication_num=1, buckets=1) for table in ALL_TABLES),
        *(sql.create_table(DATABASE, table, replication_num=None, buckets=4) for table in (STATE, LOAD)),
        sql.add_column(DATABASE, STATE, STATE.field("study_id")),
        sql.lengthen_column(DATABASE, STATE, STATE.field("modality")),
        sql.column_changes(DATABASE, STATE),
        sql.table_type(DATABASE, STATE),
        sql.columns(DATABASE, STATE),
        *(sql.partition_exists(DATABASE, IMAGE, date) for date in (TARGET.date, AWKWARD.date)),
        *(sql.add_partition(DATABASE, IMAGE, date) for date in (TARGET.date, AWKWARD.date, dt.date(9999, 12, 31))),
        sql.add_partition(DATABASE, STATE, dt.date(2023, 12, 1)),
        *(sql.select(DATABASE, t, [f.name for f in t.fields], TARGET, ordered=True) for t in ALL_TABLES),
        *(sql.select(DATABASE, t, t.key, AWKWARD) for t in SLICE_TABLES),
        sql.select(DATABASE, IMAGE, ["columns"], ordered=True),
        *(sql.latest_load(DATABASE, target) for target in (TARGET, AWKWARD)),
        *(sql.latest_loads(DATABASE, target.tenant_id) for target in (TARGET, AWKWARD)),
        sql.load_exists(DATABASE, TARGET, "run-1", dt.datetime(2024, 2, 1, 8, 30)),  # noqa: DTZ001
        *(sql.dates(DATABASE, table, TARGET.tenant_id) for table in SLICE_TABLES),
        *(sql.tenants(DATABASE, table) for table in SLICE_TABLES),
        *(sql.overview(DATABASE, target.tenant_id) for target in (TARGET, AWKWARD)),
        *(sql.conflicts(DATABASE, TARGET.tenant_id, conflict) for conflict in CONFLICTS),
        *(sql.conflict_hashes(DATABASE, TARGET.tenant_id, conflict, 20) for conflict in CONFLICTS),
    ]


CONFLICTS = (sql.INSTANCES_IN_SEVERAL_PLACES, sql.STUDIES_OF_SEVERAL_PATIENTS)


def test_every_statement_is_the_reviewed_one() -> None:
    """Set DICOM_PIPELINE_WRITE_GOLDEN to write the file anew after a wanted change, and review the difference."""
    written = "".join(f"{statement};\n" for statement in all_statements())
    if "DICOM_PIPELINE_WRITE_GOLDEN" in os.environ:
        GOLDEN.write_text(written)
    assert written == GOLDEN.read_text()


def test_every_function_of_the_module_is_in_the_golden_file() -> None:
    public = {name for name, made in vars(sql).items() if callable(made) and made.__module__ == sql.__name__}
    source = Path(__file__).read_text()
    parts = {"quote_name", "quote_text", "names", "place", "ordered_fields", "sql_type", "column_definition"}
    parts |= {"partition_name", "in_slice", "varchar_bytes"}
    assert [name for name in sorted(public - parts) if not name.startswith("_") and f"sql.{name}(" not in source] == []


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_the_key_comes_first_and_in_order(table: object) -> None:
    assert tuple(field.name for field in sql.ordered_fields(table))[: len(table.key)] == table.key
    assert sorted(f.name for f in sql.ordered_fields(table)) == sorted(f.name for f in table.fields)


def test_names_and_texts_are_quoted() -> None:
    field = Field("a`b", Rule.LOAD, Kind.TEXT, "it's \\ \"", bound=3)
    assert sql.column_definition(field) == "`a``b` VARCHAR(3) NULL COMMENT 'it''s \\\\ \"'"

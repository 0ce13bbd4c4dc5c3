"""The DDL: what it says exactly (a golden file), and that it follows the field table."""

import os
from pathlib import Path

from dicom_pipeline.dicom.fields import ALL_TABLES, STATE, Field, Kind, Rule, TableSpec
from dicom_pipeline.warehouse.postgres import ddl

GOLDEN = Path(__file__).parent / "golden" / "postgresql.sql"


def all_statements() -> str:
    statements = [s for table in ALL_TABLES for s in (ddl.create_table(table), *ddl.comments(table))]
    return "".join(f"{statement};\n" for statement in (*statements, *ddl.partition_function("public")))


def test_the_ddl_is_the_reviewed_one() -> None:
    """Set DICOM_PIPELINE_WRITE_GOLDEN to write the file anew after a wanted change, and review the difference."""
    if "DICOM_PIPELINE_WRITE_GOLDEN" in os.environ:
        GOLDEN.write_text(all_statements())
    assert all_statements() == GOLDEN.read_text()


def test_names_and_comments_are_quoted() -> None:
    field = Field('a"b', Rule.LOAD, Kind.TEXT, "it's", bound=3)
    table = TableSpec('t"', (field,), (), 'a"b', "a 'comment'")
    assert ddl.create_table(table).startswith('CREATE TABLE "t""" (\n    "a""b" character varying(3)')
    assert ddl.comments(table) == [
        "COMMENT ON TABLE \"t\"\"\" IS 'a ''comment'''",
        'COMMENT ON COLUMN "t"""."a""b" IS \'it\'\'s\'',
    ]


def test_an_added_column_is_nullable_and_commented() -> None:
    assert ddl.add_column(STATE, STATE.field("study_id")) == [
        'ALTER TABLE "dicom_state_meta" ADD COLUMN "study_id" character varying(16)',
        'COMMENT ON COLUMN "dicom_state_meta"."study_id" IS \'Study ID\'',
    ]

"""Carrying out changes of columns.

Scope: which changes are light (done at once) and which are jobs, what is refused, and how a job goes through its states
as it is looked at (the schema-change pages).
"""

import datetime as dt

from dicom_pipeline_tests.doris_double.catalog import AlterJob, Column, Table
from dicom_pipeline_tests.doris_double.ddl import checked_column
from dicom_pipeline_tests.doris_double.errors import DorisError
from dicom_pipeline_tests.doris_double.statements import AlterColumn

_UNFINISHED = ("PENDING", "WAITING_TXN", "RUNNING")


def alter_column(
    table: Table, statement: AlterColumn, now: dt.datetime, number: int, polls: int, *, slow: bool
) -> None:
    """Begin a change of columns; a light one is finished when this returns.

    Args:
        table: The table.
        statement: What is to change.
        now: When.
        number: The job's number.
        polls: How often a job is seen unfinished.
        slow: Whether light changes take their time as well.
    """
    if table.changing:
        raise DorisError(f"Table[{table.name}]'s state(SCHEMA_CHANGE) is not NORMAL. Do not allow doing ALTER ops")
    if table.temporary:
        raise DorisError("Can not alter table when there are temp partitions in table")
    columns, light = _changed(table, statement)
    if columns == table.columns:
        raise DorisError("Nothing is changed. please check your alter stmt.")
    light = light and table.properties.get("light_schema_change", "true").lower() == "true" and not slow
    states = [] if light else [_UNFINISHED[min(i * 3 // max(polls, 1), 2)] for i in range(polls)]
    job = AlterJob(number, now, states, columns)
    table.jobs.append(job)
    if not states:
        _finish(table, job, now)


def look_at(table: Table, job: AlterJob, now: dt.datetime) -> str:
    """Return the job's state as it is told now; looking moves it on."""
    if job.state in ("FINISHED", "CANCELLED"):
        return job.state
    if job.states:
        job.state = job.states.pop(0)
    else:
        _finish(table, job, now)
    return job.state


def _finish(table: Table, job: AlterJob, now: dt.datetime) -> None:
    table.with_columns(job.columns)
    job.state, job.finished = "FINISHED", now


def _changed(table: Table, statement: AlterColumn) -> tuple[tuple[Column, ...], bool]:
    if statement.action == "ADD":
        return _added(table, statement), True
    if not table.has_column(statement.name):
        raise DorisError(f"Column[{statement.name}] does not exists")
    place = table.position(statement.name)
    if statement.action == "DROP":
        if place < len(table.key):
            raise DorisError(f"Can not drop key column {statement.name} in unique data model table")
        return table.columns[:place] + table.columns[place + 1 :], True
    assert statement.definition is not None
    new, old = checked_column(statement.definition), table.columns[place]
    if place < len(table.key):
        raise DorisError(f"Can not modify key column {old.name} of {table.name}: key columns cannot be changed")
    return (*table.columns[:place], new, *table.columns[place + 1 :]), _modification_is_light(table, old, new)


def _added(table: Table, statement: AlterColumn) -> tuple[Column, ...]:
    assert statement.definition is not None
    if table.has_column(statement.name):
        raise DorisError(f"Can not add column which already exists in base table: {statement.name}")
    if not statement.definition.nullable:
        raise DorisError(f"the double adds only NULL columns, and {statement.name} has no default")
    return (*table.columns, checked_column(statement.definition))


def _modification_is_light(table: Table, old: Column, new: Column) -> bool:
    if old.nullable and not new.nullable:
        raise DorisError("Can not change from nullable to non-nullable")
    if old.type.is_text and new.type.is_text:
        if new.type.most_bytes < old.type.most_bytes:
            raise DorisError("Shorten type length is prohibited, srcType=varchar, dstType=varchar")
        return new.nullable == old.nullable and new.type.name == old.type.name
    if old.type != new.type and (old.type.name, new.type.name) not in _WIDENINGS:
        raise DorisError(f"Can not change {old.type.name} to {new.type.name}")
    return old.type == new.type and new.nullable == old.nullable


_WIDENINGS = {("INT", "BIGINT"), ("SMALLINT", "INT"), ("TINYINT", "INT"), ("FLOAT", "DOUBLE")}

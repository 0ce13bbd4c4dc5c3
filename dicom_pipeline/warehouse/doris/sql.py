"""Every SQL statement that is sent to Apache Doris.

Scope: pure functions that return text; nothing here connects, and no other module writes SQL for Doris. Names are
always in back ticks, since ``columns`` and others are words of its grammar; values are literals, because the MySQL
protocol's text statements have no others. A session's ``sql_mode`` is set first of all, so that a backslash means what
it means here.

Doris checks little of what it is told until it is too late, so the definitions say all that matters: the key's columns
come first and in order, VARCHAR counts bytes, DATETIME has six digits, a time of day (which no column type of Doris can
hold) is text.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from dicom_pipeline.dicom.fields import IMAGE, LOAD, REJECT, STATE, Field, Kind, TableSpec
from dicom_pipeline.warehouse.base import PARTITIONED, Slice
from dicom_pipeline.warehouse.incoming import MOST_TEXT_BYTES

TIME_BYTES = 16
"""Bytes of a time of day as text, ``HH:MM:SS.ffffff`` at most."""

_TYPES: dict[Kind, str] = {
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "DATETIME(6)",
    Kind.INT32: "INT",
    Kind.INT64: "BIGINT",
    Kind.FLOAT64: "DOUBLE",
}
_DISTRIBUTED_BY: Mapping[TableSpec, str] = {
    IMAGE: "series_uid",
    STATE: "series_uid",
    REJECT: "path_hash",
    LOAD: "run_id",
}

SESSION: tuple[str, ...] = ("SET sql_mode = 'ONLY_FULL_GROUP_BY'", "SET query_timeout = 3600")
"""What each session begins with."""
SYNC = "SYNC"
"""Waits until the frontend that is asked knows what the master knows."""
VERSION = "SELECT @@version_comment"
FRONTENDS = "SHOW FRONTENDS"
BACKENDS = "SHOW BACKENDS"
GRANTS = "SHOW GRANTS"


def quote_name(name: str) -> str:
    """Return ``name`` as a quoted identifier."""
    return "`" + name.replace("`", "``") + "`"


def quote_text(text: str) -> str:
    """Return ``text`` as a string literal; a backslash escapes in Doris."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def names(fields: Iterable[Field] | Iterable[str]) -> str:
    """Return the columns' quoted names, comma-separated."""
    return ", ".join(quote_name(f.name if isinstance(f, Field) else f) for f in fields)


def place(database: str, table: TableSpec) -> str:
    """Return the table's qualified name."""
    return f"{quote_name(database)}.{quote_name(table.name)}"


def ordered_fields(table: TableSpec) -> tuple[Field, ...]:
    """Return the table's columns as Doris wants them: the key's first, in the key's order."""
    return (*(table.field(name) for name in table.key), *(f for f in table.fields if f.name not in table.key))


def varchar_bytes(field: Field) -> int:
    """Return the length of a VARCHAR column: bytes, as the field table's bounds are."""
    return TIME_BYTES if field.kind is Kind.TIME else field.bound or MOST_TEXT_BYTES


def sql_type(field: Field) -> str:
    """Return the column's type."""
    return _TYPES.get(field.kind) or f"VARCHAR({varchar_bytes(field)})"


def column_definition(field: Field) -> str:
    """Return one column of ``CREATE TABLE`` or ``ALTER TABLE``."""
    null = "NULL" if field.nullable else "NOT NULL"
    return f"{quote_name(field.name)} {sql_type(field)} {null} COMMENT {quote_text(field.comment)}"


def database_exists(database: str) -> str:
    """Return the query that gives a row if the database is there."""
    return f"SELECT `SCHEMA_NAME` FROM `information_schema`.`schemata` WHERE `SCHEMA_NAME` = {quote_text(database)}"


def create_database(database: str) -> str:
    """Return ``CREATE DATABASE``."""
    return f"CREATE DATABASE IF NOT EXISTS {quote_name(database)}"


def create_table(database: str, table: TableSpec, *, replication_num: int | None, buckets: int) -> str:
    """Return ``CREATE TABLE``: unique by key, merge-on-write, the large tables partitioned by month on demand.

    Args:
        database: Where the table is to be.
        table: What it is.
        replication_num: Replicas of each tablet; None leaves it to the cluster's default, which is 3.
        buckets: Tablets of the table, or of each month.
    """
    body = ",\n    ".join(column_definition(field) for field in ordered_fields(table))
    partitions = f"PARTITION BY RANGE({quote_name(table.date_column)}) ()\n" if table in PARTITIONED else ""
    replicas = f'"replication_num" = "{replication_num}", ' if replication_num is not None else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {place(database, table)} (\n    {body}\n)\n"
        f"ENGINE=OLAP UNIQUE KEY({names(table.key)})\nCOMMENT {quote_text(table.comment)}\n{partitions}"
        f"DISTRIBUTED BY HASH({quote_name(_DISTRIBUTED_BY[table])}) BUCKETS {buckets}\n"
        f'PROPERTIES ({replicas}"enable_unique_key_merge_on_write" = "true", "light_schema_change" = "true")'
    )


def add_column(database: str, table: TableSpec, field: Field) -> str:
    """Return the statement that adds a nullable column."""
    return f"ALTER TABLE {place(database, table)} ADD COLUMN {column_definition(field)}"


def lengthen_column(database: str, table: TableSpec, field: Field) -> str:
    """Return the statement that makes a VARCHAR as long as the field table has it."""
    return f"ALTER TABLE {place(database, table)} MODIFY COLUMN {column_definition(field)}"


def column_changes(database: str, table: TableSpec) -> str:
    """Return the statement that shows the table's latest change of columns, with its ``State``."""
    return (
        f"SHOW ALTER TABLE COLUMN FROM {quote_name(database)} WHERE TableName = {quote_text(table.name)}"
        " ORDER BY CreateTime DESC LIMIT 1"
    )


def table_type(database: str, table: TableSpec) -> str:
    """Return the query for what a name is: ``BASE TABLE``, ``VIEW`` or nothing."""
    return (
        "SELECT `TABLE_TYPE` FROM `information_schema`.`tables`"
        f" WHERE `TABLE_SCHEMA` = {quote_text(database)} AND `TABLE_NAME` = {quote_text(table.name)}"
    )


def columns(database: str, table: TableSpec) -> str:
    """Return the query for an existing table's columns, in their order."""
    return (
        "SELECT `COLUMN_NAME`, `COLUMN_TYPE`, `DATA_TYPE`, `CHARACTER_MAXIMUM_LENGTH`, `IS_NULLABLE`, `COLUMN_KEY`"
        " FROM `information_schema`.`columns`"
        f" WHERE `TABLE_SCHEMA` = {quote_text(database)} AND `TABLE_NAME` = {quote_text(table.name)}"
        " ORDER BY `ORDINAL_POSITION`"
    )


def partition_name(date: dt.date) -> str:
    """Return the name of the partition of a date's month."""
    return f"p{date.year:04}{date.month:02}"


def partition_exists(database: str, table: TableSpec, date: dt.date) -> str:
    """Return the statement that shows the partition of the date's month, if it is there."""
    return f"SHOW PARTITIONS FROM {place(database, table)} WHERE PartitionName = {quote_text(partition_name(date))}"


def add_partition(database: str, table: TableSpec, date: dt.date) -> str:
    """Return the statement that makes the partition of the date's month; there is no first day after 9999-12."""
    first = date.replace(day=1)
    # No date type reaches the year 10000.
    following = (first + dt.timedelta(days=31)).replace(day=1) if (date.year, date.month) < (9999, 12) else None
    end = f'"{following.isoformat()}"' if following else "MAXVALUE"
    return (
        f"ALTER TABLE {place(database, table)} ADD PARTITION IF NOT EXISTS {quote_name(partition_name(date))}"
        f' VALUES [("{first.isoformat()}"), ({end}))'
    )


def in_slice(table: TableSpec, target: Slice) -> str:
    """Return the condition of a slice."""
    date = quote_text(target.date.isoformat())
    return f"`tenant_id` = {quote_text(target.tenant_id)} AND {quote_name(table.date_column)} = {date}"


def select(
    database: str, table: TableSpec, columns: Sequence[str], target: Slice | None = None, *, ordered: bool = False
) -> str:
    """Return the query for columns of a slice, or of the whole table."""
    where = f" WHERE {in_slice(table, target)}" if target is not None else ""
    order = f" ORDER BY {names(table.key)}" if ordered else ""
    return f"SELECT {names(columns)} FROM {place(database, table)}{where}{order}"


def latest_load(database: str, target: Slice) -> str:
    """Return the query for what distinguishes a slice's latest load."""
    return (
        f"SELECT `run_id`, `started_time`, `finished_time` FROM {place(database, LOAD)} WHERE {in_slice(LOAD, target)}"
        " ORDER BY `finished_time` DESC, `started_time` DESC, `run_id` DESC LIMIT 1"
    )


def latest_loads(database: str, tenant_id: str) -> str:
    """Return the query for what the ledger says of the latest load of each of the tenant's dates."""
    told = ("run_id", "code_version", "files_listed", "files_accepted", "files_rejected")
    latest = ", ".join(f"max_by({quote_name(name)}, `finished_time`)" for name in told)
    return (
        f"SELECT `partition_date`, max(`finished_time`), {latest} FROM {place(database, LOAD)}"
        f" WHERE `tenant_id` = {quote_text(tenant_id)} GROUP BY `partition_date`"
    )


def load_exists(database: str, target: Slice, run_id: str, started: dt.datetime) -> str:
    """Return the query that gives a row if the ledger knows this load."""
    moment = quote_text(started.isoformat(" ", "microseconds"))
    return (
        f"SELECT `run_id` FROM {place(database, LOAD)} WHERE {in_slice(LOAD, target)}"
        f" AND `run_id` = {quote_text(run_id)} AND `started_time` = {moment}"
    )


def dates(database: str, table: TableSpec, tenant_id: str) -> str:
    """Return the query for the dates on which the tenant has rows."""
    date = quote_name(table.date_column)
    return f"SELECT DISTINCT {date} FROM {place(database, table)} WHERE `tenant_id` = {quote_text(tenant_id)}"


def tenants(database: str, table: TableSpec) -> str:
    """Return the query for all tenants of the table."""
    return f"SELECT DISTINCT `tenant_id` FROM {place(database, table)}"


def overview(database: str, tenant_id: str) -> str:
    """Return the query for series and instances a study date and modality."""
    return (
        "SELECT `study_date`, `modality`, count(*), coalesce(sum(`series_related_instances`), 0)"
        f" FROM {place(database, STATE)} WHERE `tenant_id` = {quote_text(tenant_id)}"
        " GROUP BY `study_date`, `modality` ORDER BY `study_date`, `modality` NULLS LAST"
    )


INSTANCES_IN_SEVERAL_PLACES = ("sop_uid", "series_uid_hash", "count(*) > 1")
STUDIES_OF_SEVERAL_PATIENTS = ("study_uid", "study_uid_hash", "min(`patient_id`) <> max(`patient_id`)")
"""What conflicts, what is shown of it, and when it does."""


def conflicts(database: str, tenant_id: str, conflict: tuple[str, str, str]) -> str:
    """Return the query for the number of conflicts and of the images in them."""
    return f"SELECT count(*), coalesce(sum(`images`), 0) FROM ({_conflicts(database, tenant_id, conflict)}) `conflict`"


def conflict_hashes(database: str, tenant_id: str, conflict: tuple[str, str, str], most: int) -> str:
    """Return the query for some hashes of what conflicts, in their order."""
    found = _conflicts(database, tenant_id, conflict)
    return f"SELECT DISTINCT `shown` FROM ({found}) `conflict` ORDER BY `shown` LIMIT {most}"


def _conflicts(database: str, tenant_id: str, conflict: tuple[str, str, str]) -> str:
    thing, shown, several = conflict
    return (
        f"SELECT min({quote_name(shown)}) AS `shown`, count(*) AS `images` FROM {place(database, IMAGE)}"
        f" WHERE `tenant_id` = {quote_text(tenant_id)} GROUP BY {quote_name(thing)} HAVING {several}"
    )

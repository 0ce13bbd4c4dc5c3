"""PostgreSQL's data definition, from the field table.

Scope: pure functions that return SQL text; nothing here connects. Names come from the field table only and are quoted
all the same (``columns`` is a word some tools reserve).

Text in keys has the collation ``C``: an index on it stays valid when the operating system's collations change, and
the key's order is the same in every database. The two large tables are partitioned by month of the study date, so that
a load costs the same in year twenty as in year one. Partitions are made by a function that runs with its owner's
rights, because PostgreSQL lets only a table's owner attach them and a loading role should own nothing.
"""

from dicom_pipeline.dicom.fields import Field, Kind, TableSpec
from dicom_pipeline.warehouse.base import PARTITIONED

PARTITION_FUNCTION = "dicom_ensure_partition"

_SQL_TYPES: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.DATE: "date",
    Kind.TIME: "time without time zone",
    Kind.TIMESTAMP: "timestamp without time zone",
    Kind.INT32: "integer",
    Kind.INT64: "bigint",
    Kind.FLOAT64: "double precision",
}


def quote_name(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Return ``text`` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def names(fields: tuple[Field, ...] | tuple[str, ...], prefix: str = "") -> str:
    """Return the columns' quoted names, comma-separated, each after ``prefix``."""
    return ", ".join(prefix + quote_name(f.name if isinstance(f, Field) else f) for f in fields)


def sql_type(field: Field) -> str:
    """Return the column's type as PostgreSQL's ``format_type`` spells it; bounds are bytes, so always enough."""
    if field.kind is Kind.TEXT and field.bound is not None:
        return f"character varying({field.bound})"
    return _SQL_TYPES[field.kind]


def column_definition(field: Field, *, in_key: bool = False) -> str:
    """Return one column of ``CREATE TABLE``."""
    collation = ' COLLATE "C"' if in_key and field.kind is Kind.TEXT else ""
    return f"{quote_name(field.name)} {sql_type(field)}{collation}{'' if field.nullable else ' NOT NULL'}"


def create_table(table: TableSpec) -> str:
    """Return ``CREATE TABLE`` with types, NOT NULL, primary key and, for the large tables, range partitioning."""
    lines = [column_definition(field, in_key=field.name in table.key) for field in table.fields]
    lines.append(f"PRIMARY KEY ({names(table.key)})")
    body = ",\n    ".join(lines)
    partitioning = f" PARTITION BY RANGE ({quote_name(table.date_column)})" if table in PARTITIONED else ""
    return f"CREATE TABLE {quote_name(table.name)} (\n    {body}\n){partitioning}"


def comments(table: TableSpec) -> list[str]:
    """Return the statements that comment the table and each of its columns."""
    place = quote_name(table.name)
    return [
        f"COMMENT ON TABLE {place} IS {quote_text(table.comment)}",
        *(f"COMMENT ON COLUMN {place}.{quote_name(f.name)} IS {quote_text(f.comment)}" for f in table.fields),
    ]


def add_column(table: TableSpec, field: Field) -> list[str]:
    """Return the statements that add a nullable column, with its comment, to an existing table."""
    place = f"{quote_name(table.name)}.{quote_name(field.name)}"
    return [
        f"ALTER TABLE {quote_name(table.name)} ADD COLUMN {column_definition(field)}",
        f"COMMENT ON COLUMN {place} IS {quote_text(field.comment)}",
    ]


def partition_function_body(schema: str) -> str:
    """Return the body of the function that makes a table's monthly partition if no partition holds the day yet.

    It builds the partition aside and attaches it, which locks the parent only against other changes of its definition;
    ``CREATE TABLE … PARTITION OF`` would make every reader wait. A lock on the parent's name orders two sessions that
    want the same month; the second look is a query, since ``to_regclass`` would answer from the session's stale cache.
    A partition of other bounds that somebody made by hand and that holds the day is left to it.

    Args:
        schema: Where the tables are; the function's own search path is fixed, as its owner's rights demand.
    """
    parents = ", ".join(quote_text(table.name) for table in PARTITIONED)
    return f"""
DECLARE
    home CONSTANT text := {quote_text(schema)};
    first CONSTANT date := date_trunc('month', day::timestamp)::date;
    child CONSTANT text := parent || to_char(first, '"_y"YYYY"m"MM');
BEGIN
    IF parent NOT IN ({parents}) THEN
        RAISE EXCEPTION 'not a partitioned table' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (SELECT FROM pg_class WHERE relname = child AND relnamespace = quote_ident(home)::regnamespace) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(format('%I.%I', home, parent), 0));
    IF EXISTS (SELECT FROM pg_class WHERE relname = child AND relnamespace = quote_ident(home)::regnamespace) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING ALL)', home, child, parent);
    EXECUTE format('ALTER TABLE %1$I.%3$I ATTACH PARTITION %1$I.%2$I FOR VALUES FROM (%4$L) TO (%5$L)',
        home, child, parent, first, (first + interval '1 month')::date);
EXCEPTION
    WHEN invalid_object_definition THEN
        RETURN;
END
"""


def partition_function(schema: str) -> list[str]:
    """Return the statements that define the partition function and keep it from roles nobody granted it to."""
    signature = f"{quote_name(schema)}.{PARTITION_FUNCTION}"
    return [
        f"CREATE OR REPLACE FUNCTION {signature}(parent text, day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
        f" SET search_path = pg_catalog, pg_temp AS $body${partition_function_body(schema)}$body$",
        f"REVOKE ALL ON FUNCTION {signature}(text, date) FROM PUBLIC",
        f"COMMENT ON FUNCTION {signature}(text, date) IS"
        " 'Makes the monthly partition that holds a day, with the rights of the tables'' owner'",
    ]

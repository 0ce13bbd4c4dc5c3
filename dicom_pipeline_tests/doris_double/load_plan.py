"""What the headers of a load ask for.

Scope: checking them as ``stream_load.cpp`` and the planner do, in two steps: what is refused before the label is taken,
and what is refused after it. A header the double does not know is refused too, since a backend would ignore it.
"""

import datetime as dt
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dicom_pipeline_tests.doris_double.catalog import Column, Partition, Table
from dicom_pipeline_tests.doris_double.cluster import Knobs
from dicom_pipeline_tests.doris_double.cursor import Cursor
from dicom_pipeline_tests.doris_double.errors import DorisError, LoadError
from dicom_pipeline_tests.doris_double.http import Exchange
from dicom_pipeline_tests.doris_double.partitions import partitions_of
from dicom_pipeline_tests.doris_double.words import words

LABEL = re.compile(r"[-_A-Za-z0-9:]{1,128}")
DEFAULT_TIMEOUT = 600
LONGEST_TIMEOUT = 259200
_MODELLED = frozenset({"parquet", "json"})
_FORMATS = _MODELLED | {"csv", "csv_with_names", "csv_with_names_and_types", "orc", "arrow", "hive_text"}
GROUP_COMMIT_MODES = ("sync_mode", "async_mode", "off_mode")
_KNOWN_HEADERS = frozenset(
    words("""
    label format columns max_filter_ratio strict_mode timezone timeout partitions temporary_partitions merge_type
    delete two_phase_commit group_commit read_json_by_line strip_outer_array num_as_string expect authorization
    content-length transfer-encoding host connection accept accept-encoding user-agent content-type
    """)
)
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of the file: where it goes in the table, or nowhere."""

    name: str
    place: int | None


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """A load, understood."""

    table: Table
    columns: tuple[Column, ...]
    """The table's columns when the load was planned."""
    file_columns: tuple[FileColumn, ...]
    format: str
    by_line: bool
    strip_outer_array: bool
    num_as_string: bool
    strict: bool
    ratio: float
    zone: dt.tzinfo
    merge_type: str
    delete: tuple[str, int] | None
    partitions: tuple[Partition, ...]
    temporary: bool
    two_phase: bool
    group_commit: bool


def check_before_transaction(exchange: Exchange, knobs: Knobs) -> None:
    """Refuse what is refused before the label is looked at.

    Raises:
        LoadError: The load is refused.
    """
    unknown = sorted(set(exchange.has) - _KNOWN_HEADERS)
    if unknown:
        raise LoadError("NOT_IMPLEMENTED_ERROR", f"the double does not know the headers {unknown}")
    mode = exchange.header("group_commit").lower()
    if mode and mode not in GROUP_COMMIT_MODES:
        raise LoadError("INVALID_ARGUMENT", "group_commit can only be [async_mode, sync_mode, off_mode]")
    if mode in GROUP_COMMIT_MODES[:2] and "label" in exchange.has:
        raise LoadError("INVALID_ARGUMENT", "label and group_commit can't be set at the same time")
    if "label" in exchange.has and not LABEL.fullmatch(exchange.header("label")):
        text = f"Incorrect label name '{exchange.header('label')}'"
        raise LoadError("ANALYSIS_ERROR", f"errCode = 2, detailMessage = {text}")
    _check_format_and_size(exchange, knobs)


def _check_format_and_size(exchange: Exchange, knobs: Knobs) -> None:
    body_format = exchange.header("format", "csv").lower()
    if body_format not in _FORMATS:
        raise LoadError("INVALID_ARGUMENT", f"unknown data format: {body_format}")
    if body_format not in _MODELLED:
        raise LoadError("NOT_IMPLEMENTED_ERROR", f"the double does not know the format {body_format}")
    size = int(exchange.header("content-length", "0"))
    if size > knobs.max_body_bytes:
        raise LoadError("EXCEEDED_LIMIT", f"body exceed max size: {knobs.max_body_bytes}, data: {size}")
    if body_format == "json" and size > knobs.max_json_bytes and not _flag(exchange, "read_json_by_line"):
        text = f"The size of this batch exceed the max size [{knobs.max_json_bytes}] of json type data data [ {size} ]."
        raise LoadError("EXCEEDED_LIMIT", f"{text} Split the file, or use 'read_json_by_line'")


def timeout_of(exchange: Exchange) -> int:
    """Return the seconds the load may take."""
    text = exchange.header("timeout", str(DEFAULT_TIMEOUT))
    if not text.isdigit() or not 1 <= int(text) <= LONGEST_TIMEOUT:
        raise LoadError("INVALID_ARGUMENT", f"Invalid timeout: {text}")
    return int(text)


def uses_group_commit(exchange: Exchange, table: Table) -> bool:
    """Whether the load is one of a group: by its header, or by the table's property where there is none."""
    mode = exchange.header("group_commit") or table.properties.get("group_commit_mode", "off_mode")
    return mode.lower() != "off_mode"


def plan_load(exchange: Exchange, table: Table, knobs: Knobs) -> LoadPlan:
    """Return what the headers ask for.

    Raises:
        LoadError: The load is refused; its label is free again.
    """
    merge_type, delete = _merge(exchange, table)
    partitions, temporary = _partitions(exchange, table)
    return LoadPlan(
        table=table,
        columns=table.columns,
        file_columns=_file_columns(exchange, table, delete),
        format=exchange.header("format").lower(),
        by_line=_by_line(exchange, knobs),
        strip_outer_array=_flag(exchange, "strip_outer_array"),
        num_as_string=_flag(exchange, "num_as_string"),
        strict=_flag(exchange, "strict_mode"),
        ratio=_ratio(exchange),
        zone=_zone(exchange.header("timezone", knobs.time_zone)),
        merge_type=merge_type,
        delete=delete,
        partitions=partitions,
        temporary=temporary,
        two_phase=exchange.header("two_phase_commit") == "true",
        group_commit=uses_group_commit(exchange, table),
    )


def _flag(exchange: Exchange, name: str) -> bool:
    text = exchange.header(name, "false").lower()
    if text not in ("true", "false"):
        raise LoadError("INVALID_ARGUMENT", f"Invalid {name} format. Must be bool type")
    return text == "true"


def _by_line(exchange: Exchange, knobs: Knobs) -> bool:
    said = {"read_json_by_line", "strip_outer_array"} & set(exchange.has)
    return _flag(exchange, "read_json_by_line") if said else knobs.json_by_line_default


def _ratio(exchange: Exchange) -> float:
    try:
        ratio = float(exchange.header("max_filter_ratio", "0"))
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise LoadError("INVALID_ARGUMENT", "max_filter_ratio must be between 0.0 and 1.0")
    return ratio


def _zone(text: str) -> dt.tzinfo:
    try:
        if _OFFSET.fullmatch(text):
            parsed = dt.datetime.strptime(text, "%z").tzinfo
            assert parsed is not None
            return parsed
        return ZoneInfo(text)
    except (ValueError, ZoneInfoNotFoundError):
        raise LoadError("ANALYSIS_ERROR", f"Unknown or incorrect time zone: '{text}'") from None


def _merge(exchange: Exchange, table: Table) -> tuple[str, tuple[str, int] | None]:
    merge_type = exchange.header("merge_type", "APPEND").upper()
    if merge_type not in ("APPEND", "DELETE", "MERGE"):
        raise LoadError("INVALID_ARGUMENT", f"Invalid merge type {merge_type}")
    if merge_type == "MERGE" and "delete" not in exchange.has:
        raise LoadError("INVALID_ARGUMENT", "Excepted DELETE ON clause when merge type is MERGE.")
    if merge_type != "MERGE" and "delete" in exchange.has:
        raise LoadError("INVALID_ARGUMENT", f"not support delete when merge type is {merge_type}.")
    if merge_type != "APPEND" and not table.unique:
        raise LoadError("ANALYSIS_ERROR", "load by MERGE or DELETE is only supported in unique tables.")
    return merge_type, _delete_condition(exchange.header("delete")) if merge_type == "MERGE" else None


def _delete_condition(text: str) -> tuple[str, int]:
    try:
        cursor = Cursor(text)
        name = cursor.name()
        cursor.expect("=")
        value = cursor.number()
        cursor.end()
    except DorisError:
        raise LoadError("ANALYSIS_ERROR", f"the double understands delete conditions like a=1, not {text}") from None
    return name, value


def _partitions(exchange: Exchange, table: Table) -> tuple[tuple[Partition, ...], bool]:
    given = {"partitions", "temporary_partitions"} & set(exchange.has)
    if len(given) == 2:
        raise LoadError("INVALID_ARGUMENT", "Can not specify both partitions and temporary partitions")
    if not given:
        return tuple(table.partitions.values()), False
    temporary = "temporary_partitions" in given
    names = tuple(name.strip() for name in exchange.header(*given).split(","))
    try:
        return tuple(partitions_of(table, names, temporary=temporary)), temporary
    except DorisError as error:
        raise LoadError("ANALYSIS_ERROR", f"errCode = 2, detailMessage = {error.detail}") from None


def _file_columns(exchange: Exchange, table: Table, delete: tuple[str, int] | None) -> tuple[FileColumn, ...]:
    if "columns" not in exchange.has:
        return tuple(FileColumn(column.name, place) for place, column in enumerate(table.columns))
    names = _column_names(exchange.header("columns"))
    if len({name.lower() for name in names}) != len(names):
        raise LoadError("ANALYSIS_ERROR", "Duplicate column in the columns header")
    used = delete[0].lower() if delete is not None else None
    found = []
    for name in names:
        if table.has_column(name):
            found.append(FileColumn(name, table.position(name)))
        elif name.lower() == used:
            found.append(FileColumn(name, None))
        else:
            raise LoadError("ANALYSIS_ERROR", f"Unknown column '{name}' in '{table.name}'")
    if used is not None and used not in {name.lower() for name in names}:
        raise LoadError("ANALYSIS_ERROR", f"Unknown column '{used}' in the delete condition")
    taken = {column.place for column in found}
    for place, column in enumerate(table.columns):
        if place not in taken and not column.nullable:
            raise LoadError("ANALYSIS_ERROR", f"Column has no default value, column={column.name}")
    return tuple(found)


def _column_names(text: str) -> tuple[str, ...]:
    """Parse the header as the frontend does: as a list of SQL names, in which reserved words must be quoted."""
    try:
        cursor = Cursor(text)
        names = cursor.listed(cursor.name)
        cursor.end()
    except DorisError:
        raise LoadError("ANALYSIS_ERROR", f"failed to parse the columns header: {text}") from None
    return names

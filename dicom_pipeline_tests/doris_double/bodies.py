"""Reading the body of a load.

Scope: Parquet (by pyarrow) and JSON as columns of values, by the names of the file's columns. What a reader of Doris
would not take is refused: columns of type null or nested ones, JSON that is not what the headers say.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as types

from dicom_pipeline_tests.doris_double.errors import LoadError
from dicom_pipeline_tests.doris_double.load_plan import LoadPlan
from dicom_pipeline_tests.doris_double.values import ColumnType


@dataclass(frozen=True, slots=True)
class FileValues:
    """A body's values: by file column, one for each row.

    Attributes:
        count: How many rows there are, those in ``errors`` among them.
        columns: The values; a column the file lacks is not among them.
        exact: The columns whose values need no conversion.
        errors: Rows that could not be read, with the message.
    """

    count: int
    columns: Mapping[str, Sequence[Any]]
    exact: frozenset[str] = frozenset()
    errors: Mapping[int, str] = field(default_factory=dict)


def decode(plan: LoadPlan, body: bytes) -> FileValues:
    """Return a body's values.

    Raises:
        LoadError: It is not what the headers say.
    """
    if plan.format == "parquet":
        return _parquet(plan, body)
    try:
        return _json(plan, body)
    except RecursionError:
        raise LoadError("DATA_QUALITY_ERROR", "Parse json data failed: too deep") from None


def _parquet(plan: LoadPlan, body: bytes) -> FileValues:
    try:
        table = pq.read_table(pa.BufferReader(body))
    except (pa.ArrowException, OSError) as error:
        raise LoadError(
            "CORRUPTION", f"Invalid magic number or footer in parquet file ({type(error).__name__})"
        ) from None
    if len(set(table.column_names)) != table.num_columns:
        raise LoadError("INTERNAL_ERROR", "parquet file has columns of the same name")
    columns, exact = {}, set()
    for file in plan.file_columns:
        if file.name not in table.column_names:
            continue
        arrow = table.schema.field(file.name).type
        wanted = plan.columns[file.place].type if file.place is not None else None
        _check_type(file.name, arrow, wanted)
        columns[file.name] = _values(table[file.name])
        if wanted is not None and _is_exact(arrow, wanted):
            exact.add(file.name)
    return FileValues(table.num_rows, columns, frozenset(exact))


def _check_type(name: str, arrow: pa.DataType, wanted: ColumnType | None) -> None:
    if types.is_null(arrow):
        raise LoadError("INTERNAL_ERROR", f"The column type of '{name}' is not supported: INT32 (Null)")
    if types.is_nested(arrow) or types.is_time(arrow) or types.is_decimal(arrow) or types.is_duration(arrow):
        raise LoadError("INTERNAL_ERROR", f"The column type of '{name}' is not supported: {arrow}")
    dated = types.is_date(arrow) or types.is_timestamp(arrow)
    if wanted is not None and dated and not (wanted.is_text or wanted.name in ("DATE", "DATETIME")):
        raise LoadError("INTERNAL_ERROR", f"Not support to convert '{name}' from {arrow} to {wanted.name}")
    if wanted is not None and types.is_boolean(arrow) and wanted.name != "BOOLEAN":
        raise LoadError("INTERNAL_ERROR", f"Not support to convert '{name}' from {arrow} to {wanted.name}")


def _values(column: pa.ChunkedArray) -> Sequence[Any]:
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        return column.to_pylist()
    except (UnicodeDecodeError, ValueError, OverflowError):
        raise LoadError("INTERNAL_ERROR", "a value of the parquet file is out of range or not UTF-8") from None


def _is_exact(arrow: pa.DataType, wanted: ColumnType) -> bool:
    if types.is_string(arrow):
        return wanted.is_text
    exact = {"INT": pa.int32(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "DATE": pa.date32()}
    if wanted.name == "DATETIME":
        return wanted.length == 6 and arrow == pa.timestamp("us")
    return exact.get(wanted.name) == arrow


def _json(plan: LoadPlan, body: bytes) -> FileValues:
    documents = [line for line in body.split(b"\n") if line.strip()] if plan.by_line else [body]
    rows: list[Mapping[str, Any]] = []
    errors: dict[int, str] = {}
    for document in documents if body.strip() else ():
        try:
            rows += _json_rows(plan, document)
        except LoadError as error:
            if not plan.by_line:
                raise
            errors[len(rows)] = error.message
            rows.append({})
    names = [file.name for file in plan.file_columns]
    present = {name for name in names if any(name in row for row in rows)}
    columns = {name: [_scalar(row.get(name)) for row in rows] for name in names if name in present}
    return FileValues(len(rows), columns, errors=errors)


def _json_rows(plan: LoadPlan, document: bytes) -> list[Mapping[str, Any]]:
    try:
        number = {"parse_int": str, "parse_float": str} if plan.num_as_string else {}
        found = json.loads(document.decode("utf-8"), parse_constant=_no_constant, **number)
    except ValueError:
        raise LoadError("DATA_QUALITY_ERROR", "Parse json data failed. code: 3, error info: Invalid value.") from None
    if isinstance(found, list) and not plan.strip_outer_array:
        raise LoadError("DATA_QUALITY_ERROR", "JSON data is array-object, `strip_outer_array` must be TRUE.")
    if isinstance(found, dict) and plan.strip_outer_array:
        raise LoadError("DATA_QUALITY_ERROR", "JSON data is not an array-object, `strip_outer_array` must be FALSE.")
    rows = found if isinstance(found, list) else [found]
    if not all(isinstance(row, dict) for row in rows):
        raise LoadError("DATA_QUALITY_ERROR", "Expect json object value")
    return rows


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _scalar(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value

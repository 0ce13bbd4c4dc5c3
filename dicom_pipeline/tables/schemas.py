"""Arrow schemas, built from the field table.

Scope: which Arrow type a column has, what its field metadata says, and the schemas of the staged files. Nothing here
reads a file or computes a value.
"""

from functools import cache

import pyarrow as pa

from dicom_pipeline.dicom.fields import HEADER_FIELDS, Field, Kind, TableSpec

ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.time64("us"),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.INT32: pa.int32(),
    Kind.INT64: pa.int64(),
    Kind.FLOAT64: pa.float64(),
}

FINDING = pa.struct([pa.field("field", pa.string()), pa.field("reason", pa.string())])


def arrow_field(field: Field, *, nullable: bool | None = None) -> pa.Field:
    """Return the column as an Arrow field whose metadata carries tag, VR, keyword, bound, PHI class and comment."""
    metadata = {"comment": field.comment, "phi": field.phi.value, "rule": field.rule.value}
    if field.tag is not None:
        metadata["tag"] = f"({field.tag >> 16:04X},{field.tag & 0xFFFF:04X})"
        metadata["vr"] = field.vr or ""
        metadata["keyword"] = field.keyword or ""
    if field.bound is not None:
        metadata["bound"] = str(field.bound)
    allowed = field.nullable if nullable is None else nullable
    return pa.field(field.name, ARROW_TYPES[field.kind], allowed, metadata)


@cache
def table_schema(table: TableSpec) -> pa.Schema:
    """Return the Arrow schema of a warehouse table, columns in the table's order."""
    return pa.schema([arrow_field(f) for f in table.fields], {"comment": table.comment})


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with its columns, which are those of the schema in its order, in the schema's types.

    Raises:
        pa.ArrowInvalid: A value would be lost.
    """
    # Even a cast that does nothing is a call for each column.
    columns = zip(batch.columns, schema, strict=True)
    arrays = [column if column.type == field.type else column.cast(field.type) for column, field in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


FILE_FIELDS: tuple[pa.Field, ...] = (
    pa.field(
        "path",
        pa.string(),
        False,
        {"comment": "Path relative to the root; bytes that are not UTF-8 as \\xNN"},
    ),
    pa.field("raw_path", pa.binary(), True, {"comment": "The exact path, only where it is not UTF-8"}),
    pa.field("size", pa.int64(), True, {"comment": "Bytes, NULL if it could not be asked"}),
    pa.field("mtime_ns", pa.int64(), True, {"comment": "Time of modification in nanoseconds since 1970"}),
    pa.field("problem", pa.string(), True, {"comment": "Reason code where the entry cannot be read at all"}),
)
FILES_SCHEMA = pa.schema(FILE_FIELDS, {"comment": "archive_files: what lies in the archive for a date"})


@cache
def metadata_schema() -> pa.Schema:
    """Return the schema of ``dicom_metadata``: one row a file.

    ``path``, ``outcome`` (``accepted`` or ``rejected``), ``reason``, ``field`` (keyword), every column of both tables
    (NULL where the file is rejected), ``findings`` (list of ``{field, reason}``).
    """
    return pa.schema(
        [
            pa.field("path", pa.string(), False, {"comment": "Path of the file", "phi": "identifier"}),
            pa.field("outcome", pa.string(), False, {"comment": "accepted or rejected"}),
            pa.field("reason", pa.string(), True, {"comment": "Reason code of a rejected file"}),
            pa.field("field", pa.string(), True, {"comment": "Keyword of the attribute that was the reason"}),
            pa.field("file_size", pa.int64(), True, {"comment": "Bytes, also of a rejected file"}),
            *(arrow_field(f, nullable=True) for f in HEADER_FIELDS),
            pa.field("findings", pa.list_(FINDING), False, {"comment": "Values dropped or adjusted"}),
        ],
        {"comment": "dicom_metadata: one row a file, accepted or rejected"},
    )

"""The rows that are loaded: those of real headers, repeated under other dates and UIDs.

Scope: making slices of image rows of any number. Values, lengths and NULLs are as the extraction gave them.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.extraction.sample import list_files
from benchmarks.ours import extractor, listing
from dicom_pipeline.dicom.fields import IMAGE, REJECT, STATE
from dicom_pipeline.tables.slices import image_rows
from dicom_pipeline.warehouse.base import ArrowSource, LoadFacts, Slice

FIRST_DATE = dt.date(2001, 1, 1)
TENANT = "benchmark"
_UIDS = ("study_uid", "series_uid", "sop_uid")


def extracted_rows(archive: Path) -> pa.Table:
    """Return the image rows of all accepted files of an archive."""
    batches = extractor("auto", 2)(listing(list_files(archive)))
    return image_rows(pa.RecordBatchReader.from_batches(batches[0].schema, batches)).read_all().combine_chunks()


def slice_rows(base: pa.Table, number: int) -> tuple[Slice, pa.Table]:
    """Return slice ``number`` and its rows: all of ``base``, on a date and with UIDs of their own."""
    date = FIRST_DATE + dt.timedelta(days=number)
    replaced = {
        "tenant_id": pa.scalar(TENANT),
        "study_date": pa.scalar(date, pa.date32()),
        "study_date_origin": pa.scalar(f"{date:%Y%m%d}"),
    }
    columns = []
    for field in base.schema:
        column = base.column(field.name)
        if field.name in replaced:
            column = pa.repeat(replaced[field.name], base.num_rows)
        elif field.name in _UIDS:
            column = pc.binary_join_element_wise(column, str(number), ".")
        columns.append(column.cast(field.type))
    return Slice(TENANT, date), pa.Table.from_arrays(columns, schema=base.schema)


def slices(base: pa.Table, rows: int) -> Iterator[tuple[Slice, pa.Table]]:
    """Yield slices with ``rows`` rows in all, the last one perhaps a shorter one."""
    for number in range(-(-rows // base.num_rows)):
        target, table = slice_rows(base, number)
        yield target, table.slice(0, rows - number * base.num_rows)


def tables_of(images: pa.Table) -> dict[str, ArrowSource]:
    """Return what a load of a slice is given: the images, and no rows for the other tables."""
    from dicom_pipeline.tables.schemas import table_schema

    others = {table.name: table_schema(table).empty_table() for table in (STATE, REJECT)}
    return {IMAGE.name: images, **others}


def facts_of(images: pa.Table) -> LoadFacts:
    """Return what the ledger is told."""
    started = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    return LoadFacts("benchmark", "0", started, images.num_rows, images.num_rows, 0)

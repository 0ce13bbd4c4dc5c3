"""Staged rows for the tests of this folder: one good row, and batches made of it with changes."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from dicom_pipeline.dicom.fields import HEADER_FIELDS, Kind
from dicom_pipeline.dicom.hashes import hash_uid
from dicom_pipeline.quality.findings import Findings, RowRule
from dicom_pipeline.quality.metadata import DateFacts, MetadataChecks
from dicom_pipeline.quality.rows import StagedRows
from dicom_pipeline.tables.schemas import metadata_schema

TENANT = "clinic"
DATE = dt.date(2024, 2, 29)
TODAY = dt.date(2026, 1, 1)
ROOT = "1.2.826.0.1.3680043.10.1"

Row = dict[str, Any]

_BY_KIND = {
    Kind.TEXT: "A",
    Kind.DATE: DATE,
    Kind.TIME: dt.time(12, 30),
    Kind.TIMESTAMP: dt.datetime.fromisoformat("2026-01-01T00:00:00"),
    Kind.INT32: 1,
    Kind.INT64: 1,
    Kind.FLOAT64: 1.5,
}


def facts(files_listed: int, **changes: Any) -> DateFacts:
    return replace(DateFacts(TENANT, DATE, files_listed, TODAY), **changes)


def good_row(number: int = 0, **changes: Any) -> Row:
    """Return an accepted row no rule objects to: instance ``number`` of one series."""
    values: Row = {field.name: _BY_KIND[field.kind] for field in HEADER_FIELDS}
    values |= {
        "path": f"20240229/{number}.dcm",
        "outcome": "accepted",
        "reason": None,
        "field": None,
        "file_size": 1000,
        "tenant_id": TENANT,
        "study_uid": f"{ROOT}.2",
        "series_uid": f"{ROOT}.3",
        "sop_uid": f"{ROOT}.4.{number}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "modality": "CT",
        "patient_sex": "F",
        "patient_birth_date": dt.date(1970, 1, 1),
        "bits_allocated": 16,
        "bits_stored": 12,
        "high_bit": 11,
        "width": 512,
        "columns": 512,
        "findings": [],
    }
    return values | changes


def rejected_row(number: int = 0, reason: str = "Unreadable", **changes: Any) -> Row:
    """Return a rejected row no rule but the share of rejects objects to."""
    values: Row = dict.fromkeys(metadata_schema().names)
    values |= {"path": f"20240229/bad{number}.dcm", "outcome": "rejected", "reason": reason, "findings": []}
    return values | changes


def batch_of(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    schema = metadata_schema()
    # Arrays one by one, since building a batch would refuse the NULLs some tests plant.
    arrays = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def judged(rule: RowRule, rows: Sequence[Mapping[str, Any]], batch_size: int = 2) -> Findings:
    """Run a rule behind one check over rows in small batches, the slices of one as a reader may give them."""
    (found,) = all_judged(rule, rows, batch_size)
    return found


def all_judged(rule: RowRule, rows: Sequence[Mapping[str, Any]], batch_size: int = 2) -> list[Findings]:
    """Do the same with a rule behind several checks."""
    whole = batch_of(rows)
    for start in range(0, len(rows), batch_size):
        rule.observe(StagedRows(whole.slice(start, batch_size)))
    return rule.findings()


def hashes(*uids: str) -> tuple[str, ...]:
    return tuple(hash_uid(uid) for uid in uids)


def check_metadata(batches: Iterable[pa.RecordBatch], known: DateFacts) -> list[Findings]:
    """Return what every rule finds in the rows of a date."""
    checks = MetadataChecks(known)
    for batch in batches:
        checks.observe(batch)
    return checks.findings()

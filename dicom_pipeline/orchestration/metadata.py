"""Dagster metadata: the only module that decides what is shown about a date or a table.

Scope: counts, sizes, seconds, rates, reason codes, schemas and plots of aggregates. Never a row, a value read from a
file, a path or an unhashed UID; numbers keep the same keys for every date, so that the UI draws them over time.
"""

import base64
import io
from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from dicom_pipeline.archive.index import IndexChange
from dicom_pipeline.dicom.fields import Field, TableSpec
from dicom_pipeline.dicom.reasons import REASONS
from dicom_pipeline.orchestration import reason_page
from dicom_pipeline.orchestration.loading.dates import Listing
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.quality.terms import MODALITIES
from dicom_pipeline.tables.metadata import MetadataSummary
from dicom_pipeline.tables.schemas import ARROW_TYPES, FILE_FIELDS, metadata_schema
from dicom_pipeline.warehouse.base import TableChange

MetadataValues = Mapping[str, dg.MetadataValue | int | float | str]
FAILURE = "failed"
"""Under which name an observation of a date says why it failed."""

_OTHER = "other"
_MODALITIES_SHOWN = 12


def table_columns(table: TableSpec) -> dg.TableSchema:
    """Return a warehouse table's columns for the UI: type, meaning, tag, nullability, key."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                field.name,
                str(ARROW_TYPES[field.kind]),
                _column_description(field),
                dg.TableColumnConstraints(nullable=field.nullable),
                tags={"phi": field.phi.name.lower()},
            )
            for field in table.fields
        ],
        constraints=dg.TableConstraints(other=[f"PRIMARY KEY ({', '.join(table.key)})"]),
    )


def _column_description(field: Field) -> str:
    if field.tag is None:
        return field.comment
    return f"{field.comment} - ({field.tag >> 16:04X},{field.tag & 0xFFFF:04X}) {field.keyword} {field.vr}"


def arrow_columns(schema: pa.Schema) -> dg.TableSchema:
    """Return a staged file's columns for the UI, from what its fields say of themselves."""
    return dg.TableSchema(columns=[_arrow_column(field) for field in schema])


def _arrow_column(field: pa.Field) -> dg.TableColumn:
    told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    attribute = f" - {told['tag']} {told['keyword']} {told['vr']}" if "tag" in told else ""
    return dg.TableColumn(
        field.name,
        str(field.type),
        told.get("comment", "") + attribute,
        dg.TableColumnConstraints(nullable=field.nullable),
        tags={"phi": told["phi"].replace("-", "_").replace(" ", "_")} if "phi" in told else {},
    )


def files_columns() -> dg.TableSchema:
    """Return the columns of ``archive_files``."""
    return arrow_columns(pa.schema(FILE_FIELDS))


def metadata_columns() -> dg.TableSchema:
    """Return the columns of ``dicom_metadata``."""
    return arrow_columns(metadata_schema())


def listing_metadata(listing: Listing) -> MetadataValues:
    """Return what a listing amounts to."""
    return {
        "dagster/partition_row_count": listing.files,
        "files": listing.files,
        "bytes": listing.bytes,
        "seconds": round(listing.seconds, 3),
        "fingerprint": listing.fingerprint,
    }


def extraction_metadata(summary: MetadataSummary, tenant: str) -> MetadataValues:
    """Return counts, rejects by reason (0 for every reason that did not occur), bytes, seconds and rate.

    The reasons that did occur come once more with a link to what they mean.
    """
    counts = {r: summary.rejected_by_reason.get(r.value, 0) for r, info in REASONS.items() if info.rejects}
    explained = {"reasons": dg.MetadataValue.md(reason_page.links(counts, tenant))} if summary.rejected else {}
    return {
        "dagster/partition_row_count": summary.listed,
        "files": summary.listed,
        "accepted": summary.accepted,
        "rejected": summary.rejected,
        **explained,
        **{f"rejected/{reason.value}": files for reason, files in counts.items()},
        **{f"read_by/{reader}": files for reader, files in summary.read_by.items()},
        "bytes": summary.bytes,
        "seconds": round(summary.seconds, 3),
        "files_per_second": round(summary.files_per_second, 1),
    }


def change_metadata(change: TableChange, seconds: float) -> MetadataValues:
    """Return what a load did to one table's slice."""
    return {
        "dagster/partition_row_count": change.rows,
        "rows": change.rows,
        "inserted": change.inserted,
        "updated": change.updated,
        "deleted": change.deleted,
        "seconds": round(seconds, 3),
    }


def failure_metadata(error: str) -> MetadataValues:
    """Return why a date failed, as its observation shows it; ``error`` is one line without a patient's data."""
    return {FAILURE: error}


def findings_metadata(findings: Findings) -> MetadataValues:
    """Return a check's counts and the hashes of the UIDs it is about."""
    values: dict[str, dg.MetadataValue | int | float | str] = dict(findings.counts)
    if findings.uid_hashes:
        values["uid_hashes"] = dg.MetadataValue.json(list(findings.uid_hashes))
    return values


def index_metadata(change: IndexChange) -> MetadataValues:
    """Return what an update of the index found."""
    return {"added": change.added, "changed": change.changed, "removed": change.removed}


def overview_columns() -> dg.TableSchema:
    """Return the columns of what the overview counts."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn("study_date", "date32[day]", "Study date"),
            dg.TableColumn("modality", "string", "Modality, a defined term; anything else counts as other"),
            dg.TableColumn("series", "int64", "Series of the date and modality"),
            dg.TableColumn("instances", "int64", "SOP instances of the date and modality"),
        ]
    )


def overview_metadata(overview: pa.Table) -> MetadataValues:
    """Return totals, instances a modality and a plot of instances by date and modality.

    Args:
        overview: ``study_date, modality, series, instances``, as ``Warehouse.overview`` gives it.
    """
    rows = [row | {"modality": _modality(row["modality"])} for row in overview.to_pylist()]
    by_modality: dict[str, int] = {}
    for row in rows:
        by_modality[row["modality"]] = by_modality.get(row["modality"], 0) + row["instances"]
    dates = sorted({row["study_date"] for row in rows})
    table = [dg.TableRecord({"modality": m, "instances": n}) for m, n in sorted(by_modality.items())]
    values: dict[str, dg.MetadataValue | int | float | str] = {
        "dates": len(dates),
        "series": sum(row["series"] for row in rows),
        "instances": sum(by_modality.values()),
        "instances_by_modality": dg.MetadataValue.table(
            table,
            dg.TableSchema([dg.TableColumn("modality", "string"), dg.TableColumn("instances", "int")]),
        ),
    }
    if rows:
        values["first_date"] = dates[0].isoformat()
        values["last_date"] = dates[-1].isoformat()
        values["plot"] = dg.MetadataValue.md(f"![instances by date and modality](data:image/png;base64,{_plot(rows)})")
    return values


def _modality(value: str | None) -> str:
    """Return a defined term as it is and anything else as ``other``: a free text in Modality may be anything."""
    return value if value in MODALITIES else _OTHER


def _plot(rows: list[dict[str, object]]) -> str:
    """Return a PNG of stacked bars of the most frequent modalities, one bar a day, month or year by the span."""
    import pandas as pd
    from matplotlib.figure import Figure

    frame = pd.DataFrame(rows)
    dates = pd.to_datetime(frame["study_date"])
    unit = _bar_unit((dates.max() - dates.min()).days)
    counts = frame.pivot_table(index=dates.dt.to_period(unit), columns="modality", values="instances", aggfunc="sum")
    every_period = pd.period_range(counts.index.min(), counts.index.max(), freq=unit)
    counts = counts.reindex(every_period).fillna(0)
    shown = counts.sum().sort_values(ascending=False).index[:_MODALITIES_SHOWN]
    figure = Figure(figsize=(7.2, 2.8), dpi=80, layout="constrained")
    axes = figure.subplots()
    bottom = 0 * counts.iloc[:, 0].to_numpy()
    places = range(len(counts))
    for modality in shown:
        heights = counts[modality].to_numpy()
        axes.bar(places, heights, bottom=bottom, label=modality, width=0.9)
        bottom = bottom + heights
    step = max(1, len(counts) // 8)
    axes.set_xticks(list(places)[::step], [str(p) for p in counts.index[::step]], rotation=30, fontsize=7)
    axes.set_ylabel("instances")
    axes.use_sticky_edges = False
    axes.margins(y=0.05)
    axes.legend(fontsize=7, ncols=2, frameon=False)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return base64.b64encode(image.getvalue()).decode("ascii")


def _bar_unit(days: int) -> str:
    """Return the period of a bar such that there are about a hundred at most: more take seconds to draw."""
    if days <= 92:
        return "D"
    return "M" if days <= 3660 else "Y"

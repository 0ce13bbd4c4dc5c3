"""Metrics of what is loaded, in Prometheus's text format.

Scope: from ledger and rejects to numbers by tenant, to text, to a file that a collector may read at any moment. Counts,
seconds and dates, nothing else. Looks only. No Dagster.

``..._total`` only grows, since the ledger keeps every load; the others say what is there now, by the latest load of
each date.
"""

import datetime as dt
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pyarrow as pa

from dicom_pipeline import __version__
from dicom_pipeline.dicom.fields import IMAGE, LOAD, REJECT, STATE
from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.warehouse.base import Warehouse
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse

_CHANGES = ("inserted", "updated", "deleted")
_KEPT = ("files_listed", "files_accepted", "files_rejected")
_COLUMNS = (
    *("tenant_id", "partition_date", "started_time", "finished_time"),
    *_KEPT,
    *(f"rows_{change}" for change in _CHANGES),
)
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - the ledger's times are naive UTC

Sample: TypeAlias = tuple[Mapping[str, str], float]
_SamplesOf: TypeAlias = "Callable[[Archive, TenantMetrics, dt.datetime], list[Sample]]"


@dataclass(slots=True)
class TenantMetrics:
    """The numbers of one tenant.

    Attributes:
        loads: Loads of dates, ever.
        seconds: Seconds that they took in the warehouse, together.
        changed: Image rows inserted, updated and deleted by them.
        finished: When the latest ended, naive UTC.
        dates: Dates that are loaded, with files.
        newest: The newest of them that is not in the future.
        accepted: Files that are rows.
        rejected: Files that are rejects.
        reasons: Rejects by reason.
        series: Rows of the series table.
    """

    loads: int = 0
    seconds: float = 0.0
    changed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_CHANGES, 0))
    finished: dt.datetime | None = None
    dates: int = 0
    newest: dt.date | None = None
    accepted: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    series: int = 0


def collect(settings: Settings, archives: Iterable[Archive], now: dt.datetime) -> dict[Archive, TenantMetrics]:
    """Return the numbers of each archive, from the warehouse it is loaded into.

    Raises:
        WarehouseError: A warehouse cannot be read, or holds no tables yet.
    """
    by_url: dict[str | None, list[Archive]] = {}
    for archive in archives:
        by_url.setdefault(settings.warehouse_of(archive), []).append(archive)
    found: dict[Archive, TenantMetrics] = {}
    for url, several in by_url.items():
        warehouse = create_warehouse(url or EmbeddedPostgres(settings.home).start())
        with closing(warehouse):
            found |= _collect(warehouse, several, now)
    return found


def _collect(warehouse: Warehouse, archives: list[Archive], now: dt.datetime) -> dict[Archive, TenantMetrics]:
    found = {archive: TenantMetrics() for archive in archives}
    by_tenant = {archive.tenant: metrics for archive, metrics in found.items()}
    today = {archive.tenant: now.astimezone(ZoneInfo(archive.timezone)).date() for archive in archives}
    _take_ledger(warehouse, by_tenant, today)
    for batch in warehouse.read(REJECT, None, ["tenant_id", "reason"]):
        counts = pa.table(batch).group_by(["tenant_id", "reason"]).aggregate([([], "count_all")])
        for row in counts.to_pylist():
            if row["tenant_id"] in by_tenant:
                reasons = by_tenant[row["tenant_id"]].reasons
                reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["count_all"]
    for tenant, metrics in by_tenant.items():
        metrics.series = sum(warehouse.overview(tenant)["series"].to_pylist())
    return found


def _take_ledger(warehouse: Warehouse, tenants: Mapping[str, TenantMetrics], today: Mapping[str, dt.date]) -> None:
    """Go through the ledger once, a batch at a time: sums of all loads, and the latest load of each date."""
    import pyarrow.compute as pc

    latest: pa.Table | None = None
    for batch in warehouse.read(LOAD, None, _COLUMNS):
        table = pa.table(batch)
        for tenant, metrics in tenants.items():
            _add_loads(metrics, table.filter(pc.equal(table["tenant_id"], tenant)))
        latest = _latest(table if latest is None else pa.concat_tables([latest, table]))
    for row in latest.to_pylist() if latest is not None else ():
        metrics_of = tenants.get(row["tenant_id"])
        if metrics_of is not None and row["files_listed"]:
            metrics_of.dates += 1
            metrics_of.accepted += row["files_accepted"]
            metrics_of.rejected += row["files_rejected"]
            date = row["partition_date"]
            if date <= today[row["tenant_id"]]:
                metrics_of.newest = max(date, metrics_of.newest or date)


def _add_loads(metrics: TenantMetrics, loads: pa.Table) -> None:
    if not loads.num_rows:
        return
    import pyarrow.compute as pc

    metrics.loads += loads.num_rows
    took = pc.subtract(loads["finished_time"], loads["started_time"])
    metrics.seconds += pc.sum(took.cast(pa.int64())).as_py() / 1e6
    for change in _CHANGES:
        metrics.changed[change] += pc.sum(loads[f"rows_{change}"]).as_py()
    finished = pc.max(loads["finished_time"]).as_py()
    metrics.finished = max(finished, metrics.finished or finished)


def _latest(loads: pa.Table) -> pa.Table:
    """Return the latest load of each date."""
    keys = ["tenant_id", "partition_date"]
    ordered = loads.sort_by([*((key, "ascending") for key in keys), ("started_time", "ascending")])
    others = [name for name in loads.column_names if name not in keys]
    last = ordered.group_by(keys, use_threads=False).aggregate([(name, "last") for name in others])
    return last.rename_columns({f"{name}_last": name for name in others}).select(loads.column_names).cast(loads.schema)


def prometheus_text(found: Mapping[Archive, TenantMetrics], now: dt.datetime) -> str:
    """Return the numbers in Prometheus's text format."""
    blocks = [
        _block("info", "gauge", "The version that wrote these metrics", [({"version": __version__}, 1)]),
        _block("metrics_timestamp_seconds", "gauge", "When these metrics were collected", [({}, now.timestamp())]),
    ]
    tenants = {archive.tenant: (archive, metrics) for archive, metrics in found.items()}
    for name, kind, told, samples_of in _METRICS:
        samples = [
            ({"tenant": tenant, **labels}, value)
            for tenant, (archive, metrics) in sorted(tenants.items())
            for labels, value in samples_of(archive, metrics, now)
        ]
        blocks.append(_block(name, kind, told, samples))
    return "".join(blocks)


def _rows(_: Archive, m: TenantMetrics, __: dt.datetime) -> list[Sample]:
    rows = {IMAGE.name: m.accepted, STATE.name: m.series, REJECT.name: m.rejected}
    return [({"table": name}, count) for name, count in rows.items()]


def _lag(archive: Archive, m: TenantMetrics, now: dt.datetime) -> list[Sample]:
    if m.newest is None:
        return []
    return [({}, (now.astimezone(ZoneInfo(archive.timezone)).date() - m.newest).days)]


def _newest(_: Archive, m: TenantMetrics, __: dt.datetime) -> list[Sample]:
    return [({}, (m.newest - _EPOCH.date()).days * 86400)] if m.newest else []


def _finished(_: Archive, m: TenantMetrics, __: dt.datetime) -> list[Sample]:
    return [({}, (m.finished - _EPOCH).total_seconds())] if m.finished else []


_METRICS: tuple[tuple[str, str, str, _SamplesOf], ...] = (
    ("dates", "gauge", "Dates that are loaded and have files", lambda _, m, __: [({}, m.dates)]),
    (
        "files",
        "gauge",
        "Files of all dates, by what became of them",
        lambda _, m, __: [({"outcome": "accepted"}, m.accepted), ({"outcome": "rejected"}, m.rejected)],
    ),
    (
        "rejected_files",
        "gauge",
        "Files that were refused, by reason",
        lambda _, m, __: [({"reason": reason}, count) for reason, count in sorted(m.reasons.items())],
    ),
    ("rows", "gauge", "Rows of each table", _rows),
    (
        "rows_changed_total",
        "counter",
        "Image rows that loads inserted, updated and deleted",
        lambda _, m, __: [({"change": change}, count) for change, count in m.changed.items()],
    ),
    ("loads_total", "counter", "Loads of a date", lambda _, m, __: [({}, m.loads)]),
    (
        "load_seconds_total",
        "counter",
        "Seconds that loads of a date took in the warehouse",
        lambda _, m, __: [({}, round(m.seconds, 3))],
    ),
    ("last_load_timestamp_seconds", "gauge", "When the latest load of a date ended", _finished),
    ("newest_date_timestamp_seconds", "gauge", "The newest loaded date with files, not in the future", _newest),
    ("lag_days", "gauge", "Days from the newest loaded date with files to today, where the archive is", _lag),
)


def _block(name: str, kind: str, told: str, samples: Iterable[Sample]) -> str:
    full = f"dicom_pipeline_{name}"
    lines = [f"# HELP {full} {told}.", f"# TYPE {full} {kind}"]
    for labels, value in samples:
        text = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        lines.append(f"{full}{{{text}}} {value}" if text else f"{full} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write_textfile(path: Path, text: str) -> None:
    """Put the text where a collector reads it: it sees the old file or the new one, and may read it.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    try:
        # Not with the ending that node_exporter looks for.
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), 0o644)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"--out {path}: cannot be written ({error.strerror})") from None

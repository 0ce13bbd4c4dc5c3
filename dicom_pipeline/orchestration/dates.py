"""The way of one date: list, extract, check, load, reconcile.

Scope: the steps of one (tenant, date) slice in their order, and what each of them found out. Knows the other folders
and no Dagster, so that the assets, the command and the tests drive the same code. Each step reads what the step
before it staged and can be run again alone.
"""

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from dicom_pipeline import __version__
from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.fingerprint import Fingerprint
from dicom_pipeline.dicom.fields import IMAGE, REJECT, SLICE_TABLES, STATE
from dicom_pipeline.errors import StagingError
from dicom_pipeline.orchestration.sources import DateSource
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.quality.metadata import DateFacts, check_metadata
from dicom_pipeline.quality.reconcile import check_warehouse
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.digest import digest_batches
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.metadata import METADATA_ASSET, MetadataSummary, count_outcomes, stage_metadata
from dicom_pipeline.tables.listing import files_batch
from dicom_pipeline.tables.readers import ReadJob
from dicom_pipeline.tables.schemas import FILES_SCHEMA, metadata_schema
from dicom_pipeline.tables.slices import image_rows, reject_rows, state_rows
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline.warehouse.base import LoadFacts, Slice, TableChange, Warehouse

FILES_ASSET = "archive_files"
_LISTING_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in the archive for a date: number of entries, their bytes, and the fingerprint over all of them."""

    files: int
    bytes: int
    fingerprint: str
    seconds: float


@dataclass(slots=True)
class DateOutcome:
    """What became of one date; a step that was not reached leaves its part at None.

    Attributes:
        error: One line without a patient's data if the date failed, whatever the step.
    """

    date: dt.date
    listing: Listing | None = None
    metadata: MetadataSummary | None = None
    findings: list[Findings] = field(default_factory=list)
    changes: dict[str, TableChange] | None = None
    seconds: float = 0.0
    error: str | None = None

    @property
    def blocked_by(self) -> list[str]:
        """Names of the blocking checks that failed with severity ERROR."""
        return [f.check for f in self.findings if f.blocks]


@dataclass(frozen=True, slots=True)
class DateLoader:
    """Loads dates of one archive; everything it needs is given, nothing is looked up.

    Attributes:
        clock: The run's one clock reading, naive UTC.
    """

    archive: Archive
    source: DateSource
    staging: Staging
    extractor: Extractor
    warehouse: Warehouse
    run_id: str
    clock: dt.datetime
    reject_limit: float

    @property
    def tenant(self) -> str:
        """The archive's tenant id."""
        return self.archive.tenant

    def list_files(self, date: dt.date) -> Listing:
        """Stage the listing of a date.

        Raises:
            ArchiveError: The date's directory cannot be listed.
        """
        started = time.monotonic()
        fingerprint = Fingerprint()
        totals = {"files": 0, "bytes": 0}
        batches = self._listing_batches(date, fingerprint, totals)
        self.staging.write(self.tenant, FILES_ASSET, date, batches, FILES_SCHEMA, {"code_version": __version__})
        return Listing(totals["files"], totals["bytes"], fingerprint.hexdigest(), time.monotonic() - started)

    def _listing_batches(
        self, date: dt.date, fingerprint: Fingerprint, totals: dict[str, int]
    ) -> Iterator[pa.RecordBatch]:
        batch: list[FileEntry] = []
        for entry in self.source.files(date):
            fingerprint.add(entry)
            totals["files"] += 1
            totals["bytes"] += entry.size or 0
            batch.append(entry)
            if len(batch) == _LISTING_BATCH:
                yield files_batch(batch)
                batch = []
        if batch:
            yield files_batch(batch)

    def extract(self, date: dt.date) -> MetadataSummary:
        """Read the header of every listed file and stage one row a file.

        Raises:
            StagingError: The date was not listed.
        """
        job = ReadJob(
            root=self.source.root,
            tenant_id=self.tenant,
            policy=self.archive.on_invalid_value,
            clock=self.clock,
        )
        labels = {"code_version": __version__, "run_id": self.run_id}
        return stage_metadata(self.staging, self.tenant, date, self.staging.read(self.tenant, FILES_ASSET, date), self.extractor, job, labels)

    def check(self, date: dt.date) -> list[Findings]:
        """Apply every rule that comes before the load to the staged metadata.

        Raises:
            StagingError: The date was not listed or not extracted.
        """
        facts = DateFacts(
            tenant_id=self.tenant,
            date=date,
            files_listed=self.staging.rows(self.tenant, FILES_ASSET, date),
            today=self.clock.date(),
            reject_limit=self.reject_limit,
        )
        return check_metadata(self._metadata(date), facts)

    def _metadata(self, date: dt.date) -> pa.RecordBatchReader:
        reader = self.staging.read(self.tenant, METADATA_ASSET, date)
        if not reader.schema.equals(metadata_schema()):
            raise StagingError(f"{METADATA_ASSET} of {date} was staged by another version: materialize it again")
        return reader

    def load(self, date: dt.date) -> dict[str, TableChange]:
        """Replace the slice in the warehouse by the staged rows, all tables in one transaction.

        Raises:
            WarehouseError: The database refused; the slice is as it was.
        """
        outcomes = self.staging.read(self.tenant, METADATA_ASSET, date, ["outcome", "reason", "findings"])
        counts = count_outcomes(outcomes)
        facts = LoadFacts(
            run_id=self.run_id,
            code_version=__version__,
            started=dt.datetime.now(dt.UTC).replace(tzinfo=None),
            listed=counts.accepted + counts.rejected,
            accepted=counts.accepted,
            rejected=counts.rejected,
        )
        return self.warehouse.replace_slice(Slice(self.tenant, date), self.slice_tables(date), facts)

    def slice_tables(self, date: dt.date) -> dict[str, pa.RecordBatchReader]:
        """Return the rows of every table of the slice, from the staged metadata."""
        return {
            IMAGE.name: image_rows(self._metadata(date)),
            STATE.name: state_rows(self._metadata(date)).to_reader(),
            REJECT.name: reject_rows(self._metadata(date), self.tenant, date, self.run_id, self.clock),
        }

    def reconcile(self, date: dt.date) -> list[Findings]:
        """Read the slice back and compare it with the staged rows."""
        target = Slice(self.tenant, date)
        staged = self.slice_tables(date)
        expected = {spec.name: digest_batches(spec, staged[spec.name]) for spec in SLICE_TABLES}
        actual = {spec.name: self.warehouse.digest(spec, target) for spec in SLICE_TABLES}
        images = self.warehouse.read(IMAGE, [target], ["study_uid", "series_uid"]).read_all()
        series = self.warehouse.read(
            STATE, [target], ["study_uid", "series_uid", "series_related_instances"]
        ).read_all()
        return check_warehouse(expected, actual, images, series)

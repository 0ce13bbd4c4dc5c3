"""The way of one date: list, extract, check, load, reconcile.

Scope: the steps of one (tenant, date) slice in their order, and what each of them found out. Knows the other folders
and no Dagster, so that the assets, the command and the tests drive the same code. Each step needs only what the step
before it staged, and can be run again alone; in one go, what extraction saw of the rows serves all later steps.
"""

import datetime as dt
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from dicom_pipeline import __version__
from dicom_pipeline.dicom.fields import IMAGE, REJECT, SLICE_TABLES, STATE
from dicom_pipeline.errors import PipelineError, StagingError
from dicom_pipeline.orchestration.loading.observed import DateObserver, KnownDate
from dicom_pipeline.orchestration.sources import DateSource
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.quality.metadata import DateFacts
from dicom_pipeline.quality.reconcile import check_warehouse
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.listing import ListingSums, listing_batches
from dicom_pipeline.tables.metadata import METADATA_ASSET, MetadataSummary, stage_metadata
from dicom_pipeline.tables.readers import ReadJob
from dicom_pipeline.tables.schemas import FILES_SCHEMA, metadata_schema
from dicom_pipeline.tables.slices import REJECT_COLUMNS, image_rows, reject_rows
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline.warehouse.base import ArrowSource, LoadFacts, Slice, TableChange, Warehouse

FILES_ASSET = "archive_files"


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
        transient: Whether the reason of the failure may pass by itself.
    """

    date: dt.date
    listing: Listing | None = None
    metadata: MetadataSummary | None = None
    findings: list[Findings] = field(default_factory=list)
    changes: dict[str, TableChange] | None = None
    seconds: float = 0.0
    error: str | None = None
    transient: bool = False

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
    _known: dict[dt.date, KnownDate] = field(default_factory=dict, repr=False)
    _given_up: threading.Event = field(default_factory=threading.Event, repr=False)

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
        sums = ListingSums()
        batches = sums.watch(listing_batches(self.source.rows(date)))
        self.staging.write(self.tenant, FILES_ASSET, date, batches, FILES_SCHEMA, {"code_version": __version__})
        return Listing(sums.files, sums.bytes, sums.fingerprint, time.monotonic() - started)

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
        observer = self._observer(date)
        listed = self._until_given_up(self.staging.read(self.tenant, FILES_ASSET, date))
        summary = stage_metadata(self.staging, self.tenant, date, listed, self.extractor, job, labels, [observer])
        self._known[date] = observer.known()
        return summary

    def _until_given_up(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if self._given_up.is_set():
                raise PipelineError("the run ended before this date was read")
            yield batch

    def give_up(self) -> None:
        """Have an extraction that goes on in another thread end soon; nothing is extracted any more."""
        self._given_up.set()
        self.extractor.close()

    def forget(self, date: dt.date) -> None:
        """Give up what is remembered of a date between its steps."""
        self._known.pop(date, None)

    def _observer(self, date: dt.date) -> DateObserver:
        facts = DateFacts(
            tenant_id=self.tenant,
            date=date,
            files_listed=self.staging.rows(self.tenant, FILES_ASSET, date),
            today=self.clock.date(),
            reject_limit=self.reject_limit,
        )
        return DateObserver(facts, self.run_id, self.clock)

    def _date(self, date: dt.date) -> KnownDate:
        """Return what is known of the staged date, read now unless it was looked at while it was staged."""
        if date not in self._known:
            observer = self._observer(date)
            for batch in self._metadata(date):
                observer.observe(batch)
            self._known[date] = observer.known()
        return self._known[date]

    def check(self, date: dt.date) -> list[Findings]:
        """Apply every rule that comes before the load to the staged metadata.

        Raises:
            StagingError: The date was not listed or not extracted.
        """
        return self._date(date).findings

    def _metadata(self, date: dt.date, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Stream the staged rows; the file is opened with the first, so that rows nobody wants cost nothing."""
        reader = self.staging.read(self.tenant, METADATA_ASSET, date, columns)
        if columns is None and not reader.schema.equals(metadata_schema()):
            raise StagingError(f"{METADATA_ASSET} of {date} was staged by another version: materialize it again")
        yield from reader

    def load(self, date: dt.date) -> dict[str, TableChange]:
        """Replace the slice in the warehouse by the staged rows, all tables in one transaction.

        Raises:
            WarehouseError: The database refused; the slice is as it was.
        """
        known = self._date(date)
        facts = LoadFacts(
            run_id=self.run_id,
            code_version=__version__,
            started=dt.datetime.now(dt.UTC).replace(tzinfo=None),
            listed=known.outcomes.accepted + known.outcomes.rejected,
            accepted=known.outcomes.accepted,
            rejected=known.outcomes.rejected,
        )
        target = Slice(self.tenant, date)
        changes = self.warehouse.replace_slice(target, self.slice_tables(date), facts, known.digests)
        known.read_back.update({name: c.read_back for name, c in changes.items() if c.read_back is not None})
        return changes

    def slice_tables(self, date: dt.date) -> dict[str, ArrowSource]:
        """Return the rows of every table of the slice; those of images and rejects are read when they are asked for."""
        rejected = self._metadata(date, REJECT_COLUMNS)
        return {
            IMAGE.name: image_rows(self._metadata(date)),
            STATE.name: self._date(date).series,
            REJECT.name: reject_rows(rejected, self.tenant, date, self.run_id, self.clock),
        }

    def reconcile(self, date: dt.date) -> list[Findings]:
        """Compare the staged rows with the slice, as it is read back.

        A table that this load found to hold the rows already, and left alone, was read back there.
        """
        known, target = self._date(date), Slice(self.tenant, date)
        actual = {
            spec.name: known.read_back.get(spec.name) or self.warehouse.contents(spec, target) for spec in SLICE_TABLES
        }
        return check_warehouse(known.digests, actual)

"""The asset ``dicom_metadata``: every listed file of a date as one staged row, accepted or rejected.

Scope: the order of the steps (read, reject other dates, reject duplicates, publish) and the count of what came out.
Each step is a module of its own. The staged file appears only when all of them are done. Whoever wants to know what is
in it looks on while it is written, so that nobody has to read it again.
"""

import datetime as dt
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import pyarrow as pa

from dicom_pipeline.dicom.reasons import REASONS, Reason
from dicom_pipeline.errors import StagingError
from dicom_pipeline.tables.duplicates import InstanceHashes, find_duplicates, reject_duplicates
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.parquet_files import Draft
from dicom_pipeline.tables.partition import reject_other_dates
from dicom_pipeline.tables.readers import ReadJob
from dicom_pipeline.tables.rows import ACCEPTED
from dicom_pipeline.tables.schemas import metadata_schema
from dicom_pipeline.tables.staging import Staging

METADATA_ASSET = "dicom_metadata"
_ROWS_TOGETHER = 8192


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """How many rows came out how.

    Attributes:
        accepted: Rows accepted.
        rejected_by_reason: Rows rejected, by reason code; the most frequent first.
        damaged: Rejected rows that count as damaged DICOM files: equal copies of an accepted file do not.
        dicom_files: Accepted, damaged and copied files: what a share of damaged files is a share of.
    """

    accepted: int
    rejected_by_reason: dict[str, int]
    damaged: int
    dicom_files: int

    @property
    def rejected(self) -> int:
        """Rows rejected for any reason."""
        return sum(self.rejected_by_reason.values())


@dataclass(frozen=True, slots=True)
class MetadataSummary:
    """What staging one date's metadata amounted to; ``listed == accepted + rejected``.

    Attributes:
        listed: Files listed.
        accepted: Files accepted.
        rejected: Files rejected.
        rejected_by_reason: Files rejected, by reason code.
        damaged: Rejected files that count as damaged DICOM files.
        dicom_files: Files that count as DICOM, damaged ones included.
        read_by: How many files each reader has read, ``scanner`` and ``pydicom``.
        bytes: Bytes of all listed files whose size is known.
        seconds: Time it took.
    """

    listed: int
    accepted: int
    rejected: int
    rejected_by_reason: dict[str, int]
    damaged: int
    dicom_files: int
    read_by: dict[str, int]
    bytes: int
    seconds: float

    @property
    def files_per_second(self) -> float:
        """Files listed by seconds taken."""
        return self.listed / self.seconds if self.seconds > 0 else 0.0


def stage_metadata(
    staging: Staging,
    tenant: str,
    date: dt.date,
    files: Iterable[pa.RecordBatch],
    extractor: Extractor,
    job: ReadJob,
    metadata: Mapping[str, str],
    observers: Sequence["RowObserver"] = (),
) -> MetadataSummary:
    """Read the header of every file and stage one row each, in the order of ``files``.

    Args:
        staging: Where the rows go, as ``dicom_metadata``.
        tenant: The archive's tenant.
        date: The partition; files of another study date are rejected.
        files: The listing, rows of ``FILES_SCHEMA``; consumed once, as reading goes on.
        extractor: The pool that reads.
        job: Root, tenant, policy and clock of the reading.
        metadata: Texts kept with the staged file (run id, code version, ...).
        observers: Who looks on; afterwards each has seen exactly the rows that were staged.

    Raises:
        StagingError: The rows cannot be written, or are not as many as the files; what was staged before is as it was.
        PipelineError: The extractor's workers cannot be started.
    """
    started = time.monotonic()
    listing = _Listing(files)
    extraction = extractor.extract(listing, job)
    batches = (reject_other_dates(batch, date) for batch in _gathered(extraction))
    hashes, counter = InstanceHashes(), OutcomeCounter()
    with staging.draft(tenant, METADATA_ASSET, date) as draft:
        draft.write(_observed(batches, [hashes, counter, *observers]), metadata_schema(), metadata)
        if duplicates := find_duplicates(hashes, draft.read, _opener(listing, job)):
            rewritten = reject_duplicates(draft.read(), duplicates)
            observers = [counter, *observers]
            for observer in observers:
                observer.restart()
            with staging.draft(tenant, METADATA_ASSET, date) as second:
                second.write(_observed(rewritten, observers), metadata_schema(), metadata)
                counts = _commit(second, counter, listing)
        else:
            counts = _commit(draft, counter, listing)
    return MetadataSummary(
        listed=listing.files,
        accepted=counts.accepted,
        rejected=counts.rejected,
        rejected_by_reason=counts.rejected_by_reason,
        damaged=counts.damaged,
        dicom_files=counts.dicom_files,
        read_by=dict(extraction.read_by),
        bytes=listing.bytes,
        seconds=time.monotonic() - started,
    )


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Join small batches: whoever looks at one does some hundred steps, however many rows it has."""
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(batch)
        if sum(one.num_rows for one in gathered) >= _ROWS_TOGETHER:
            yield pa.concat_batches(gathered)
            gathered = []
    if gathered:
        yield pa.concat_batches(gathered)


def _observed(batches: Iterable[pa.RecordBatch], observers: Sequence["RowObserver"]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for observer in observers:
            observer.observe(batch)
        yield batch


def _opener(listing: "_Listing", job: ReadJob) -> Callable[[int, str], BinaryIO]:
    store = job.store()
    return lambda row, path: store.open(listing.odd_paths.get(row, path))


def _commit(draft: Draft, counter: "OutcomeCounter", listing: "_Listing") -> OutcomeCounts:
    counts = counter.counts()
    if counts.accepted + counts.rejected != listing.files:
        raise StagingError("not every listed file became a row: nothing was staged; run it again and report it")
    draft.commit()
    return counts


class _Listing:
    """Counts the entries that pass by, and keeps the exact paths that a staged row cannot hold."""

    def __init__(self, files: Iterable[pa.RecordBatch]) -> None:
        self._source = files
        self.files = 0
        self.bytes = 0
        self.odd_paths: dict[int, str] = {}

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        for batch in self._source:
            raw = batch.column("raw_path")
            for place in pc.indices_nonzero(raw.is_valid()).to_pylist():
                self.odd_paths[self.files + place] = os.fsdecode(raw[place].as_py())
            self.files += batch.num_rows
            self.bytes += pc.sum(batch.column("size")).as_py() or 0
            yield batch


def count_outcomes(batches: Iterable[pa.RecordBatch]) -> OutcomeCounts:
    """Count rows by outcome and reason; ``batches`` need the columns outcome, reason and findings."""
    counter = OutcomeCounter()
    for batch in batches:
        counter.observe(batch)
    return counter.counts()


class RowObserver(Protocol):
    """Looks at rows of ``metadata_schema()`` while they pass by."""

    def observe(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows."""

    def restart(self) -> None:
        """Forget all rows: they come again, some of them changed."""


class OutcomeCounter:
    """Counts rows by outcome and reason."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all rows."""
        self._accepted = self._copies = 0
        self._reasons: Counter[str] = Counter()

    def observe(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch, which has the columns outcome, reason and findings."""
        import pyarrow.compute as pc

        is_accepted = pc.equal(batch.column("outcome"), ACCEPTED)
        self._accepted += is_accepted.true_count
        if is_accepted.true_count == batch.num_rows:
            return
        rejected = batch.select(["reason", "findings"]).filter(pc.invert(is_accepted))
        counts = pc.value_counts(rejected.column("reason")).to_pylist()
        self._reasons.update({one["values"]: one["counts"] for one in counts})
        # Of rejected rows only equal copies have a finding.
        self._copies += pc.greater(pc.list_value_length(rejected.column("findings")), 0).true_count

    def counts(self) -> OutcomeCounts:
        """Return the counts of all rows seen."""
        damaged = sum(n for reason, n in self._reasons.items() if REASONS[Reason(reason)].damaged) - self._copies
        dicom_files = self._accepted + damaged + self._copies
        return OutcomeCounts(self._accepted, dict(self._reasons.most_common()), damaged, dicom_files)

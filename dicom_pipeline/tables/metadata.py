"""The asset ``dicom_metadata``: every listed file of a date as one staged row, accepted or rejected.

Scope: the order of the steps (read, reject other dates, reject duplicates, publish) and the count of what came out.
Each step is a module of its own. The staged file appears only when all of them are done.
"""

import datetime as dt
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from dicom_pipeline.dicom.reasons import REASONS, Reason
from dicom_pipeline.errors import StagingError
from dicom_pipeline.tables.duplicates import find_duplicates, reject_duplicates
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.parquet_files import Draft
from dicom_pipeline.tables.partition import reject_other_dates
from dicom_pipeline.tables.readers import ReadJob
from dicom_pipeline.tables.rows import ACCEPTED
from dicom_pipeline.tables.schemas import metadata_schema
from dicom_pipeline.tables.staging import Staging

METADATA_ASSET = "dicom_metadata"


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

    Raises:
        StagingError: The rows cannot be written, or are not as many as the files; what was staged before is as it was.
        PipelineError: The extractor's workers cannot be started.
    """
    started = time.monotonic()
    listing = _Listing(files)
    extraction = extractor.extract(listing, job)
    batches = (reject_other_dates(batch, date) for batch in extraction)
    with staging.draft(tenant, METADATA_ASSET, date) as draft:
        draft.write(batches, metadata_schema(), metadata)
        counts = _publish_without_duplicates(staging.draft(tenant, METADATA_ASSET, date), draft, listing, job, metadata)
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


def _publish_without_duplicates(
    second: Draft, first: Draft, listing: "_Listing", job: ReadJob, metadata: Mapping[str, str]
) -> OutcomeCounts:
    """Commit the first draft, or if it has duplicates a second one in which they are rejected."""
    store = job.store()

    def open_file(row: int, path: str) -> BinaryIO:
        return store.open(listing.odd_paths.get(row, path))

    duplicates = find_duplicates(first.read, open_file)
    if not duplicates:
        return _commit(first, listing)
    with second:
        second.write(reject_duplicates(first.read(), duplicates), metadata_schema(), metadata)
        return _commit(second, listing)


def _commit(draft: Draft, listing: "_Listing") -> OutcomeCounts:
    # Counted from what is on disk: the numbers people see are those of the file.
    counts = count_outcomes(draft.read(["outcome", "reason", "findings"]))
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
    import pyarrow.compute as pc

    accepted = copies = 0
    reasons: Counter[str] = Counter()
    for batch in batches:
        is_accepted = pc.equal(batch.column("outcome"), ACCEPTED)
        rejected = batch.filter(pc.invert(is_accepted))
        accepted += is_accepted.true_count
        reasons.update({one["values"]: one["counts"] for one in pc.value_counts(rejected.column("reason")).to_pylist()})
        # Of rejected rows only equal copies have a finding.
        copies += pc.greater(pc.list_value_length(rejected.column("findings")), 0).true_count
    damaged = sum(count for reason, count in reasons.items() if REASONS[Reason(reason)].damaged) - copies
    return OutcomeCounts(accepted, dict(reasons.most_common()), damaged, accepted + damaged + copies)

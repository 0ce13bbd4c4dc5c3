"""What a rule reports: counts, and hashes of the UIDs concerned.

Scope: the value types between rules and whoever shows them. Findings hold no value read from a file, no patient's
name or id and no path: they end in Dagster's event log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from dicom_pipeline.dicom.hashes import hash_uid
from dicom_pipeline.quality.catalogue import CHECKS_BY_KEY, CheckSpec, Severity
from dicom_pipeline.quality.rows import StagedRows

SAMPLE_SIZE = 20
"""How many offenders a finding names at most; the counts tell how many there are."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of one check on one partition, or on all that is loaded.

    Attributes:
        check: Name of the check.
        passed: Whether nothing was found.
        severity: How grave the result is, if it did not pass.
        counts: Numbers by name: what was looked at and what was found.
        uid_hashes: Hashes (``hash_uid``) of at most 20 studies, series or instances concerned.
        asset: The asset that was checked.
    """

    check: str
    passed: bool
    severity: Severity
    counts: Mapping[str, int | float]
    uid_hashes: tuple[str, ...] = ()
    asset: str = "dicom_metadata"

    @property
    def spec(self) -> CheckSpec:
        """The check's description in the catalogue."""
        return CHECKS_BY_KEY[self.asset, self.check]

    @property
    def blocks(self) -> bool:
        """Whether what comes after the asset must not run."""
        return self.spec.blocking and not self.passed and self.severity is Severity.ERROR


class RowRule(Protocol):
    """A rule over a stream of rows: sees each batch once, then reports."""

    def observe(self, rows: StagedRows) -> None:
        """Look at the next rows."""

    def findings(self) -> list[Findings]:
        """Report on all rows seen, once for each check the rule is behind."""


@dataclass(slots=True)
class UidSample:
    """The first different UIDs of a rule's offenders, kept until they are hashed."""

    _uids: dict[str, None] = field(default_factory=dict)

    def add(self, uids: pa.Array | pa.ChunkedArray) -> None:
        """Take what is still missing from the sample, in order of appearance; NULLs are left out."""
        if len(uids) and len(self._uids) < SAMPLE_SIZE:
            # So many hold enough new ones, however many of them are known.
            candidates = uids.unique().drop_null()[:SAMPLE_SIZE]
            self._uids.update(dict.fromkeys(candidates.to_pylist()))

    def hashes(self) -> tuple[str, ...]:
        """Return at most ``SAMPLE_SIZE`` hashes."""
        return tuple(hash_uid(uid) for uid in list(self._uids)[:SAMPLE_SIZE])


def report(
    check: str,
    offending: int,
    counts: Mapping[str, int | float],
    sample: UidSample | None = None,
    asset: str = "dicom_metadata",
) -> Findings:
    """Return a finding that passes if nothing offends, with the severity of the catalogue."""
    severity = CHECKS_BY_KEY[asset, check].severity
    hashes = sample.hashes() if sample else ()
    return Findings(check, offending == 0, severity, {**counts, "offending": offending}, hashes, asset)

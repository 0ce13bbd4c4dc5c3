"""Whether patients, studies, series and instances keep apart: rules over the rows of a whole date.

Scope: uniqueness and constancy within one partition, over accepted rows.
"""

import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.fields import STATE, Rule
from dicom_pipeline.quality.findings import Findings, UidSample, report
from dicom_pipeline.quality.rows import StagedRows
from dicom_pipeline.tables.distinct import DistinctRows, UniqueTexts

_SERIES = ("study_uid", "series_uid")
_NOT_THE_SERIES_OWN = {Rule.CLOCK, Rule.UID_HASH, Rule.UNFILLED}
SERIES_ATTRIBUTES: tuple[str, ...] = tuple(
    field.name
    for field in STATE.fields
    # patient_id is one_patient_per_study's, and the count of instances is replaced by the load.
    if field.name not in {*STATE.key, "patient_id", "series_related_instances"}
    and field.rule not in _NOT_THE_SERIES_OWN
)
"""Columns of ``dicom_state_meta`` that every instance of a series should agree on."""


class SopInstanceUidUnique:
    """No two accepted rows have the same SOP Instance UID."""

    def __init__(self) -> None:
        self._instances = 0
        self._uids = UniqueTexts()

    def observe(self, rows: StagedRows) -> None:
        """Look at the next rows."""
        self._instances += rows.accepted.num_rows
        self._uids.add(rows.accepted.column("sop_uid"))

    def findings(self) -> list[Findings]:
        """Report how many instances stand more than once, and their UIDs' hashes."""
        repeated = self._uids.repeated()
        sample = UidSample()
        sample.add(pa.array(repeated, pa.string()))
        different = self._instances - sum(count - 1 for count in repeated.values())
        return [report("sop_instance_uid_unique", len(repeated), {"instances": different}, sample)]


class SeriesConsistent:
    """A study has one patient, a series one study, and what ``dicom_state_meta`` says of it its instances agree on."""

    def __init__(self) -> None:
        self._seen = DistinctRows((*_SERIES, "patient_id", *SERIES_ATTRIBUTES))

    def observe(self, rows: StagedRows) -> None:
        """Look at the next rows."""
        self._seen.add(rows.accepted)

    def findings(self) -> list[Findings]:
        """Report for each of the three how many studies or series there are, and how many are not as they should."""
        seen = self._seen.table()
        return [
            constant_within("one_patient_per_study", ("study_uid",), ("patient_id",), seen),
            constant_within("one_study_per_series", ("series_uid",), ("study_uid",), seen),
            constant_within("series_attributes_constant", _SERIES, SERIES_ATTRIBUTES, seen),
        ]


def constant_within(check: str, group: tuple[str, ...], attributes: tuple[str, ...], seen: pa.Table | None) -> Findings:
    """Report groups of rows, such as series, within which some columns have several values (NULL being one).

    Args:
        check: Name of the check.
        group: The columns that make a group; the last one is the UID by which findings name it.
        attributes: The columns that should be constant; counts tell in how many groups each is not.
        seen: The rows, each combination of values at least once; None for none.
    """
    if seen is None:
        return report(check, 0, {"groups": 0})
    count_all = pc.CountOptions(mode="all")
    aggregates = [(name, "count_distinct", count_all) for name in attributes]
    groups = seen.group_by(list(group), use_threads=False).aggregate(aggregates)
    counts: dict[str, int | float] = {"groups": groups.num_rows}
    offending = pa.chunked_array([pa.repeat(False, groups.num_rows)])
    for name in attributes:
        varies = pc.greater(groups.column(f"{name}_count_distinct"), 1)
        offending = pc.or_(offending, varies)
        if in_groups := pc.sum(varies).as_py():
            counts[f"varying_{name}"] = in_groups
    sample = UidSample()
    sample.add(groups.column(group[-1]).filter(offending))
    return report(check, pc.sum(offending).as_py() or 0, counts, sample)

"""Whether patients, studies, series and instances keep apart: rules over the rows of a whole date.

Scope: uniqueness and constancy within one partition, over accepted rows.
"""

import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.fields import STATE, Rule
from dicom_pipeline.quality.findings import Findings, UidSample, report
from dicom_pipeline.quality.shape import accepted
from dicom_pipeline.tables.distinct import DistinctRows

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
        self._seen = DistinctRows(("sop_uid",))

    def observe(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows."""
        self._seen.add(batch.select(["sop_uid", "outcome"]).filter(accepted(batch)))

    def findings(self) -> Findings:
        """Report how many instances stand more than once, and their UIDs' hashes."""
        sample, repeated, instances = UidSample(), 0, 0
        if seen := self._seen.table():
            more_than_once = seen.filter(pc.greater(seen.column("rows"), 1))
            instances, repeated = seen.num_rows, more_than_once.num_rows
            sample.add(more_than_once.column("sop_uid"))
        return report("sop_instance_uid_unique", repeated, {"instances": instances}, sample)


class ConstantWithin:
    """Within each group of accepted rows, such as a series, some columns have one value (NULL being one).

    Args:
        check: Name of the check.
        group: The columns that make a group; the last one is the UID by which findings name it.
        attributes: The columns that should be constant.
    """

    def __init__(self, check: str, group: tuple[str, ...], attributes: tuple[str, ...]) -> None:
        self._check = check
        self._group = group
        self._attributes = attributes
        self._seen = DistinctRows((*group, *attributes))

    def observe(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows."""
        self._seen.add(batch.select([*self._group, *self._attributes]).filter(accepted(batch)))

    def findings(self) -> Findings:
        """Report the number of groups, and by column how many groups it varies in."""
        seen = self._seen.table()
        if seen is None:
            return report(self._check, 0, {"groups": 0})
        count_all = pc.CountOptions(mode="all")
        aggregates = [(name, "count_distinct", count_all) for name in self._attributes]
        groups = seen.group_by(list(self._group), use_threads=False).aggregate(aggregates)
        counts: dict[str, int | float] = {"groups": groups.num_rows}
        offending = pa.chunked_array([pa.repeat(False, groups.num_rows)])
        for name in self._attributes:
            varies = pc.greater(groups.column(f"{name}_count_distinct"), 1)
            offending = pc.or_(offending, varies)
            if in_groups := pc.sum(varies).as_py():
                counts[f"varying_{name}"] = in_groups
        sample = UidSample()
        sample.add(groups.column(self._group[-1]).filter(offending))
        return report(self._check, pc.sum(offending).as_py() or 0, counts, sample)


def one_patient_per_study() -> ConstantWithin:
    """Return the rule that a study's instances have the same Patient ID."""
    return ConstantWithin("one_patient_per_study", ("study_uid",), ("patient_id",))


def one_study_per_series() -> ConstantWithin:
    """Return the rule that a series' instances are in the same study."""
    return ConstantWithin("one_study_per_series", ("series_uid",), ("study_uid",))


def series_attributes_constant() -> ConstantWithin:
    """Return the rule that what ``dicom_state_meta`` says of a series, its instances agree on."""
    return ConstantWithin("series_attributes_constant", ("study_uid", "series_uid"), SERIES_ATTRIBUTES)

"""The checks after the load: does the warehouse hold what was to be loaded?

Scope: comparison of counts, digests and keys that others read and computed. No database here.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.fields import IMAGE, STATE
from dicom_pipeline.quality.conflicts import Conflict, conflict_findings
from dicom_pipeline.quality.findings import Findings, UidSample, report
from dicom_pipeline.tables.contents import INSTANCES, SERIES_KEY, SliceContents
from dicom_pipeline.tables.digest import SliceDigest


def check_warehouse(
    expected: Mapping[str, SliceDigest], actual: Mapping[str, SliceContents], instances: Conflict, studies: Conflict
) -> list[Findings]:
    """Run every rule over one slice that was loaded.

    Args:
        expected: Count and digest of the rows to be loaded, by table.
        actual: What was read back, by table.
        instances: The date's instances that are in other places too.
        studies: The date's studies of several patients.

    Returns:
        One finding for each of ``WAREHOUSE_CHECKS``, in their order if the tables are.
    """
    matches = [compare_slice(table, expected[table], actual[table].digest) for table in expected]
    return [
        *matches,
        every_image_has_its_series(actual[IMAGE.name].series, actual[STATE.name].series),
        conflict_findings("sop_instance_in_one_place", instances, "dicom_image_meta"),
        conflict_findings("study_of_one_patient", studies, "dicom_image_meta"),
    ]


def compare_slice(table: str, expected: SliceDigest, actual: SliceDigest) -> Findings:
    """Compare a table's slice before it was written with what was read back."""
    counts = {
        "rows_expected": expected.rows,
        "rows_found": actual.rows,
        "digests_differ": int(expected.digest != actual.digest),
    }
    return report("warehouse_matches_staging", int(expected != actual), counts, asset=table)


def every_image_has_its_series(images: pa.Table, series: pa.Table) -> Findings:
    """Compare a slice's images with its series.

    Args:
        images: Series of ``dicom_image_meta``, as ``SliceContents`` has them.
        series: Those of ``dicom_state_meta``.

    Returns:
        Counts of series without a row, rows without an image, and rows whose count is wrong; hashes of the series.
    """
    stated = series.rename_columns([*SERIES_KEY, INSTANCES, "stated"])
    joined = images.join(stated, list(SERIES_KEY), join_type="full outer").sort_by([("series_uid", "ascending")])
    counts_agree = pc.equal(joined.column("rows"), joined.column(INSTANCES))
    no_row = joined.column("stated").is_null()
    no_image = joined.column("rows").is_null()
    wrong = {
        "series_without_row": no_row,
        "rows_without_image": no_image,
        "wrong_counts": pc.invert(pc.or_(pc.or_(no_row, no_image), pc.fill_null(counts_agree, False))),
    }
    counts = {name: pc.sum(mask).as_py() or 0 for name, mask in wrong.items()}
    sample = UidSample()
    for mask in wrong.values():
        sample.add(joined.column("series_uid").filter(mask))
    totals = {"images": pc.sum(images.column("rows")).as_py() or 0, "series": series.num_rows}
    return report(
        "every_image_has_its_series", sum(counts.values()), {**totals, **counts}, sample, asset="dicom_state_meta"
    )

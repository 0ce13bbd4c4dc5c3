"""The checks after the load: does the warehouse hold what was to be loaded?

Scope: comparison of counts, digests and keys that others read and computed. No database here.
"""

import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.quality.findings import Findings, UidSample, report


def compare_slice(expected: tuple[int, str], actual: tuple[int, str]) -> Findings:
    """Compare a table's slice, as ``(rows, digest)``, before it was written and as read back."""
    counts = {
        "rows_expected": expected[0],
        "rows_found": actual[0],
        "digests_differ": int(expected[1] != actual[1]),
    }
    return report("warehouse_matches_staging", int(expected != actual), counts)


def every_image_has_its_series(images: pa.Table, series: pa.Table) -> Findings:
    """Compare a slice's images with its series.

    Args:
        images: Columns ``study_uid``, ``series_uid`` and ``sop_uid`` of ``dicom_image_meta``.
        series: Columns ``study_uid``, ``series_uid`` and ``series_related_instances`` of ``dicom_state_meta``.

    Returns:
        Counts of series without a row, rows without an image, and rows whose count is wrong; hashes of the series.
    """
    key = ["study_uid", "series_uid"]
    counted = images.select([*key, "sop_uid"]).group_by(key).aggregate([("sop_uid", "count_distinct")])
    counted = counted.append_column("in_images", pa.repeat(True, counted.num_rows))
    stated = series.select([*key, "series_related_instances"])
    stated = stated.append_column("in_series", pa.repeat(True, stated.num_rows))
    joined = counted.join(stated, key, join_type="full outer").sort_by([("series_uid", "ascending")])
    agree = pc.equal(joined.column("sop_uid_count_distinct"), joined.column("series_related_instances"))
    both = pc.and_(joined.column("in_images").is_valid(), joined.column("in_series").is_valid())
    wrong = {
        "series_without_row": joined.column("in_series").is_null(),
        "rows_without_image": joined.column("in_images").is_null(),
        "wrong_counts": pc.and_(both, pc.invert(pc.fill_null(agree, False))),
    }
    counts = {name: pc.sum(mask).as_py() or 0 for name, mask in wrong.items()}
    sample = UidSample()
    for mask in wrong.values():
        sample.add(joined.column("series_uid").filter(mask))
    totals = {"images": images.num_rows, "series": series.num_rows}
    return report("every_image_has_its_series", sum(counts.values()), {**totals, **counts}, sample)

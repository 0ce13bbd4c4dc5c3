"""Rows are counted by condition."""

import pyarrow as pa

from dicom_pipeline.quality.conditions import RowConditions
from dicom_pipeline_tests.quality.staged import good_row, hashes, judged


def test_counts_rows_by_condition_and_each_row_once() -> None:
    masks = {"odd": [False, True, None], "late": [False, True, True], "never": [False, False, False]}
    conditions = {name: lambda _, mask=mask: pa.array(mask) for name, mask in masks.items()}
    rule = RowConditions("dates_plausible", {"cheap": lambda _: None, **conditions})
    rows = [good_row(n, series_uid=f"1.{n}") for n in range(3)]
    found = judged(rule, rows, batch_size=3)
    assert found.counts == {"rows": 3, "odd": 1, "late": 2, "offending": 2}
    assert found.uid_hashes == hashes("1.1", "1.2")
    assert not found.passed


def test_no_rows_pass() -> None:
    (found,) = RowConditions("dates_plausible", {"any": lambda rows: rows.column("path").is_valid()}).findings()
    assert found.passed
    assert found.counts == {"rows": 0, "offending": 0}

"""What the report says of raw results, and what counts as the same value."""

import datetime as dt

import pytest

from benchmarks.extraction.wanted import FIELDS, canonical
from benchmarks.report.raw import Raw
from benchmarks.report.tables import targets_table
from benchmarks.results import ratios
from dicom_pipeline.dicom.fields import Field

BY_KEYWORD: dict[str | None, Field] = {field.keyword: field for field in FIELDS}


def raw(*, pydicom: list[float], ours: list[float]) -> Raw:
    peers = {
        name: {"unavailable": None, "rounds": [{"cpu": cpu, "wall": cpu} for cpu in values]}
        for name, values in (("pydicom", pydicom), ("ours", ours))
    }
    return Raw({"extraction": {"peers": peers}})


def row_of(key: str, table: str) -> str:
    return next(line for line in table.splitlines() if line.startswith("|") and f"`{key}`" in line)


def test_ratios_are_those_of_each_round() -> None:
    found = ratios([10.0, 40.0, 90.0], [1.0, 2.0, 3.0])
    assert (found.median, found.least, found.most) == (20.0, 10.0, 30.0)


def test_a_target_is_kept_or_missed_by_its_median() -> None:
    kept = targets_table(raw(pydicom=[71.0, 70.0, 10.0], ours=[1.0, 1.0, 1.0]), {})
    assert row_of("extraction-pydicom", kept).endswith("| **70x** | 10x to 71x | kept |")
    missed = targets_table(raw(pydicom=[69.0, 90.0, 10.0], ours=[1.0, 1.0, 1.0]), {"extraction-pydicom": "Because."})
    assert row_of("extraction-pydicom", missed).endswith("| missed |")
    assert "- `extraction-pydicom`: Because." in missed


def test_a_missed_target_without_a_note_asks_for_one() -> None:
    table = targets_table(raw(pydicom=[1.0], ours=[1.0]), {})
    assert "- `extraction-pydicom`: no note yet; write one in `benchmarks/notes.json`" in table


def test_what_was_not_measured_is_neither_kept_nor_missed() -> None:
    table = targets_table(raw(pydicom=[], ours=[]), {})
    assert "not measured" in row_of("extraction-pydicom", table)
    assert "Missed" not in table


@pytest.mark.parametrize(
    ("keyword", "theirs", "ours"),
    [
        ("PatientID", "A1 \0", "A1"),
        ("InstanceNumber", " 12", 12),
        ("SliceThickness", "1.250", 1.25),
        ("WindowCenter", ["40", "300.0"], "40\\300"),
        ("ContentTime", "0930", dt.time(9, 30)),
        ("StudyDate", "20240102", dt.date(2024, 1, 2)),
        ("PatientSex", "", None),
        ("AccessionNumber", None, "X32CRC12345678"),
    ],
)
def test_values_are_compared_by_what_they_mean(keyword: str, theirs: object, ours: object) -> None:
    assert canonical(BY_KEYWORD[keyword], theirs) == canonical(BY_KEYWORD[keyword], ours)


def test_different_values_differ() -> None:
    assert canonical(BY_KEYWORD["PatientID"], " A1") != canonical(BY_KEYWORD["PatientID"], "A1")
    assert canonical(BY_KEYWORD["Rows"], "512") != canonical(BY_KEYWORD["Rows"], 511)

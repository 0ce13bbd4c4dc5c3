"""A reason that the UI shows leads to what it means, with and without published documentation."""

import re
from pathlib import Path

import pytest

from dicom_pipeline.dicom.reasons import REASONS, Reason
from dicom_pipeline.orchestration.metadata import extraction_metadata
from dicom_pipeline.orchestration.reason_page import PAGE_VARIABLE, reason_link, table_of_reasons
from dicom_pipeline.orchestration.specs import asset_key
from dicom_pipeline.settings import Archive
from dicom_pipeline.tables.metadata import MetadataSummary

PAGE = Path(__file__).parents[2] / "docs/reasons.md"


def _summary(**rejected: int) -> MetadataSummary:
    total = sum(rejected.values())
    return MetadataSummary(total + 5, 5, total, rejected, damaged=0, dicom_files=5, read_by={}, bytes=1, seconds=1.0)


def _reasons(**rejected: int) -> str | None:
    shown = extraction_metadata(_summary(**rejected), "hospital-a").get("reasons")
    return None if shown is None else shown.value  # type: ignore[union-attr,return-value]


def test_reasons_that_occurred_are_shown_with_their_link_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PAGE_VARIABLE, raising=False)
    assert _reasons() is None
    assert _reasons(NotDicom=3, EmptyFile=1) == (
        "- [NotDicom](/assets/hospital-a/dicom_reject?view=overview): 3\n"
        "- [EmptyFile](/assets/hospital-a/dicom_reject?view=overview): 1"
    )


def test_the_path_leads_to_an_asset_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PAGE_VARIABLE, raising=False)
    path = asset_key(Archive(tenant="hospital-a", root="/a"), "dicom_reject").path
    assert reason_link(Reason.NOT_DICOM, "hospital-a").split("?")[0] == f"/assets/{'/'.join(path)}"


def test_published_documentation_is_linked_by_each_reasons_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PAGE_VARIABLE, "https://docs.example/reasons.html")
    places = set(re.findall(r'<a id="(\w+)">', PAGE.read_text(encoding="utf-8")))
    for reason in REASONS:
        page, _, place = reason_link(reason, "default").partition("#")
        assert page == "https://docs.example/reasons.html"
        assert place in places


def test_every_reason_of_a_refusal_is_explained_in_the_ui() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table_of_reasons().splitlines()[2:]]
    assert rows == [[r.value, info.meaning, info.remedy] for r, info in REASONS.items() if info.rejects]

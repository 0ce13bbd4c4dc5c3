"""The catalogue of checks is complete and fit to be shown."""

import re

from dicom_pipeline.dicom.fields import SLICE_TABLES
from dicom_pipeline.quality.catalogue import CHECKS, CHECKS_BY_KEY, Severity


def test_names_are_unique_for_their_asset_and_fit_for_dagster() -> None:
    assert len(CHECKS_BY_KEY) == len(CHECKS)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", spec.name) for spec in CHECKS)


def test_only_errors_block() -> None:
    assert all(spec.severity is Severity.ERROR for spec in CHECKS if spec.blocking)


def test_every_table_is_compared_with_staging() -> None:
    compared = {spec.asset for spec in CHECKS if spec.name == "warehouse_matches_staging"}
    assert compared == {table.name for table in SLICE_TABLES}


def test_descriptions_are_sentences_of_one_paragraph() -> None:
    for spec in CHECKS:
        for text in (spec.description, spec.remedy):
            assert text[0].isupper(), spec.name
            assert text.endswith("."), spec.name
            assert "\n" not in text
            assert "|" not in text

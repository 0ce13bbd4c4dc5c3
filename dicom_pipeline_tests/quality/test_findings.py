"""Findings say what they found, and no more than 20 UIDs, hashed."""

import pyarrow as pa
import pytest

from dicom_pipeline.quality.catalogue import CHECKS, Severity
from dicom_pipeline.quality.findings import SAMPLE_SIZE, Findings, UidSample, report
from dicom_pipeline_tests.quality.staged import hashes


def test_a_sample_keeps_the_first_different_uids() -> None:
    sample = UidSample()
    sample.add(pa.array(["1.2", None, "1.2", "1.3"]))
    sample.add(pa.chunked_array([["1.3"], ["1.4"]]))
    assert sample.hashes() == hashes("1.2", "1.3", "1.4")


def test_a_sample_is_bounded_and_filled() -> None:
    sample = UidSample()
    sample.add(pa.array([str(n) for n in range(SAMPLE_SIZE - 1)]))
    sample.add(pa.array([str(n) for n in range(1000)]))
    sample.add(pa.array(["one more"]))
    assert sample.hashes() == hashes(*map(str, range(SAMPLE_SIZE)))


def test_a_sample_of_nothing_is_empty() -> None:
    sample = UidSample()
    sample.add(pa.array([], pa.string()))
    sample.add(pa.chunked_array([], pa.string()))
    assert sample.hashes() == ()


def test_report_takes_its_severity_from_the_catalogue() -> None:
    assert report("dates_plausible", 1, {}).severity is Severity.WARN
    assert report("rows_follow_schema", 1, {}).severity is Severity.ERROR
    assert report("warehouse_matches_staging", 1, {}, asset="dicom_reject").spec.asset == "dicom_reject"
    with pytest.raises(KeyError):
        report("no_such_check", 1, {})


def test_report_passes_only_without_offenders() -> None:
    assert report("dates_plausible", 0, {"rows": 3}) == Findings(
        "dates_plausible", True, Severity.WARN, {"rows": 3, "offending": 0}
    )
    assert not report("dates_plausible", 1, {}).passed


@pytest.mark.parametrize("spec", CHECKS, ids=lambda spec: f"{spec.asset}-{spec.name}")
def test_only_failed_errors_of_blocking_checks_block(spec) -> None:
    def blocks(passed: bool, severity: Severity) -> bool:
        return Findings(spec.name, passed, severity, {}, asset=spec.asset).blocks

    assert blocks(False, Severity.ERROR) is spec.blocking
    assert not blocks(True, Severity.ERROR)
    assert not blocks(False, Severity.WARN)

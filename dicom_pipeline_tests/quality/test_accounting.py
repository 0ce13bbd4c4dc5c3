"""Every file is accounted for, and damage is told from what only lies beside it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.dicom.reasons import REASONS, Reason
from dicom_pipeline.quality.accounting import EveryListedFileAccountedFor, RejectedShareBelowLimit
from dicom_pipeline.quality.catalogue import Severity
from dicom_pipeline_tests.quality.staged import good_row, judged, rejected_row

IDENTICAL = [{"field": None, "reason": "IdenticalCopy"}]
OTHER_FINDING = [{"field": "StudyTime", "reason": "LeapSecond"}]


def duplicate(number: int, findings) -> dict:
    return rejected_row(number, "DuplicateInstance", findings=findings)


def accounted(listed: int, *rows):
    return judged(EveryListedFileAccountedFor(listed), rows)


def test_all_files_accounted_for() -> None:
    found = accounted(3, good_row(1), rejected_row(1), good_row(2))
    assert found.passed
    assert found.severity is Severity.ERROR
    assert {name: count for name, count in found.counts.items() if count} == {
        "files_listed": 3,
        "rows": 3,
        "accepted": 2,
        "rejected": 1,
    }


def test_an_empty_date_is_accounted_for() -> None:
    assert accounted(0).passed


@pytest.mark.parametrize(
    ("listed", "rows", "problem"),
    [
        (1, [], "missing_rows"),
        (3, [good_row(1), rejected_row(1)], "missing_rows"),
        (1, [good_row(1), good_row(2)], "surplus_rows"),
        (2, [good_row(1), good_row(1, sop_uid="1.9")], "repeated_paths"),
        (2, [good_row(1), good_row(2, outcome="skipped")], "rows_without_outcome"),
        (2, [good_row(1), good_row(2, outcome=None)], "rows_without_outcome"),
    ],
)
def test_files_not_accounted_for(listed: int, rows, problem: str) -> None:
    found = accounted(listed, *rows)
    assert not found.passed
    assert found.counts[problem] == 1
    assert found.counts["offending"] == 1


def share(limit: float, *rows):
    return judged(RejectedShareBelowLimit(limit), rows)


def test_no_rejects_pass() -> None:
    assert share(0.0).passed
    assert share(0.0, good_row(1)).passed


def test_any_damaged_file_warns_and_too_many_are_an_error() -> None:
    rows = [good_row(1), good_row(2), good_row(3), rejected_row()]
    at_limit = share(0.25, *rows)
    assert not at_limit.passed
    assert at_limit.severity is Severity.WARN
    assert at_limit.counts == {"dicom_files": 4, "damaged": 1, "identical_copies": 0, "share": 0.25, "limit": 0.25}
    above = share(0.2499, *rows)
    assert not above.passed
    assert above.severity is Severity.ERROR
    assert not above.blocks


def test_nothing_but_damage_is_an_error() -> None:
    assert share(0.05, rejected_row()).severity is Severity.ERROR


@pytest.mark.parametrize("reason", [r for r, info in REASONS.items() if info.rejects], ids=str)
def test_what_counts_as_damaged_is_said_by_the_reason(reason: Reason) -> None:
    found = share(1.0, good_row(1), rejected_row(1, reason.value))
    assert found.passed is not REASONS[reason].damaged
    assert found.counts["dicom_files"] == 1 + REASONS[reason].damaged


def test_identical_copies_are_no_damage_but_differing_ones_are() -> None:
    found = share(0.5, good_row(1), duplicate(1, IDENTICAL), duplicate(2, OTHER_FINDING + IDENTICAL))
    assert found.passed
    assert found.counts["identical_copies"] == 2
    assert found.counts["dicom_files"] == 3
    differing = share(0.5, good_row(1), duplicate(1, []), duplicate(2, OTHER_FINDING))
    assert differing.counts["damaged"] == 2


def test_a_finding_of_an_accepted_file_is_not_a_copy() -> None:
    assert share(0.5, good_row(1, findings=IDENTICAL)).counts["identical_copies"] == 0


KINDS = {
    "good": lambda n: good_row(n),
    "found": lambda n: good_row(n, findings=OTHER_FINDING),
    "damaged": lambda n: rejected_row(n),
    "other": lambda n: rejected_row(n, "NotDicom"),
    "copy": lambda n: duplicate(n, IDENTICAL),
}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=15), st.integers(1, 6))
def test_against_a_naive_model(kinds: list[str], batch_size: int) -> None:
    rows = [KINDS[kind](number) for number, kind in enumerate(kinds)]
    found = judged(RejectedShareBelowLimit(0.3), rows, batch_size)
    damaged, files = kinds.count("damaged"), len(kinds) - kinds.count("other")
    assert found.counts["damaged"] == damaged
    assert found.counts["dicom_files"] == files
    assert found.passed is (damaged == 0)
    assert (found.severity is Severity.ERROR) is (damaged > 0.3 * files)
    complete = judged(EveryListedFileAccountedFor(len(kinds)), rows, batch_size)
    assert complete.passed
    assert complete.counts["accepted"] + complete.counts["rejected"] == len(kinds)

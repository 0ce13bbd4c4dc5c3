import dagster as dg
import pytest

from dicom_pipeline.errors import ConfigurationError, WarehouseUnavailable
from dicom_pipeline.orchestration.failures import told_without_values


def failure_of(error: Exception) -> dg.Failure:
    with pytest.raises(dg.Failure) as caught, told_without_values():
        raise error
    return caught.value


def test_our_own_words_are_told() -> None:
    assert failure_of(ConfigurationError("give a URL")).description == "give a URL"


def test_a_librarys_words_are_not_nor_its_cause() -> None:
    failure = failure_of(RuntimeError("Key (patient_name)=(DOE^JANE) exists"))
    assert "RuntimeError" in str(failure.description)
    assert "DOE" not in str(failure.description)
    assert failure.__suppress_context__
    assert failure.__cause__ is None


def test_only_passing_failures_may_be_retried() -> None:
    assert failure_of(WarehouseUnavailable("starting")).allow_retries
    assert not failure_of(RuntimeError()).allow_retries

"""The scanners under test: one parametrised suite over every way of walking."""

import pytest

from dicom_pipeline_tests.dicom.scanner.walks import WAYS, Walker


@pytest.fixture(params=WAYS)
def walker(request: pytest.FixtureRequest) -> Walker:
    """Every scanner there is, with one file at a time and with many at once."""
    return Walker(*request.param)

"""The tests of this folder are PostgreSQL's alone."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from dicom_pipeline.warehouse.base import Warehouse
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.warehouse.conftest import Database


@pytest.fixture
def warehouse(database: Database) -> Iterator[Warehouse]:
    """PostgreSQL, its tables prepared and empty."""
    with closing(create_warehouse(database.url)) as opened:
        yield opened

from pathlib import Path

import pytest

from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.warehouse.conftest import Database, empty_database, make_database, server

__all__ = ["empty_database", "make_database", "server"]


@pytest.fixture
def loader(tmp_path: Path, empty_database: Database) -> Loader:
    """An empty archive, an empty database and a fresh home."""
    return Loader(tmp_path, empty_database.url)

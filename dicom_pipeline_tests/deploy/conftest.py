from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from dicom_pipeline_tests.deploy.door import Door
from dicom_pipeline_tests.deploy.files import DEPLOY
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.warehouse.conftest import Database, empty_database, make_database, server

__all__ = ["empty_database", "make_database", "server"]


@pytest.fixture
def storage(make_database: Callable[[], Database]) -> Iterator[dict[str, str]]:
    """An empty database for what Dagster knows, as the variables that ``dagster.yaml`` asks for."""
    url = urlsplit(make_database().url)
    with Door(Path(parse_qs(url.query)["host"][0]) / ".s.PGSQL.5432") as door:
        yield {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(door.port),
            "DAGSTER_PG_DB": url.path.strip("/"),
            "DAGSTER_PG_USER": str(url.username),
            "DAGSTER_PG_PASSWORD": "not asked for",
        }


@pytest.fixture
def deployed(
    tmp_path: Path, empty_database: Database, storage: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Loader:
    """A fresh home with ``deploy/dagster.yaml`` in its place, its storage empty."""
    for variable, value in storage.items():
        monkeypatch.setenv(variable, value)
    loader = Loader(tmp_path, empty_database.url)
    loader.settings.dagster_home.mkdir(parents=True)
    (loader.settings.dagster_home / "dagster.yaml").write_bytes((DEPLOY / "dagster.yaml").read_bytes())
    return loader

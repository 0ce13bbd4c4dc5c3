"""What ``doctor`` says of the role it connects as."""

from pathlib import Path

import pytest

from dicom_pipeline.orchestration.doctor import diagnose
from dicom_pipeline.settings import Settings
from dicom_pipeline.warehouse.base import Matter
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.warehouse.conftest import Database
from dicom_pipeline_tests.warehouse.postgres.test_roles import as_role, run_script


@pytest.fixture
def guarded(server: EmbeddedPostgres, empty_database: Database) -> Database:
    """A database with the roles of the script and the tables of their owner."""
    run_script(server, empty_database)
    create_warehouse(as_role(empty_database, "dicom_owner")).prepare()
    return empty_database


def last_line(loader: Loader, url: str) -> Matter:
    settings = Settings(home=loader.settings.home, warehouse=url)
    return list(diagnose(lambda: settings))[-1]


@pytest.mark.parametrize(
    ("reader", "told"), [("auto", "scanned"), ("pure", "read by pure, as"), ("pydicom", "read by pydicom, as")]
)
def test_how_headers_are_read_is_told(tmp_path: Path, reader: str, told: str) -> None:
    settings = Settings.model_validate({"home": tmp_path, "reader": reader, "warehouse": "postgresql://127.0.0.1:1/x"})
    [line] = [line for line in diagnose(lambda: settings) if line.what == "headers"]
    assert line.good
    assert line.finding.startswith(told)


def test_a_webhook_that_cannot_be_used_is_told_without_its_url(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> Matter:
        settings = Settings(home=loader.settings.home, warehouse=loader.url)
        return next(matter for matter in diagnose(lambda: settings) if matter.what == "webhook")

    assert (told().good, "is not set" in told().finding) == (True, True)
    monkeypatch.setenv("DICOM_PIPELINE_WEBHOOK", "http://hooks.example/geheim")
    assert not told().good
    assert "geheim" not in told().finding
    monkeypatch.setenv("DICOM_PIPELINE_WEBHOOK", "https://hooks.example/geheim")
    assert told().good


def test_a_role_that_may_write_is_well(loader: Loader, guarded: Database) -> None:
    for url in (guarded.url, as_role(guarded, "dicom_loader")):
        assert last_line(loader, url).text() == "ok   privileges: may write"


def test_a_role_that_may_only_read_is_told_what_it_lacks(loader: Loader, guarded: Database) -> None:
    text = last_line(loader, as_role(guarded, "dicom_reader")).text()
    assert text.startswith("FAIL privileges: missing INSERT on dicom_image_meta, UPDATE on dicom_image_meta, ")
    assert text.endswith(": run deploy/postgresql/roles.sql")


def test_a_schema_that_is_closed_to_the_role_is_told(loader: Loader, guarded: Database) -> None:
    guarded.run("REVOKE USAGE ON SCHEMA public FROM dicom_loader")
    assert last_line(loader, as_role(guarded, "dicom_loader")).text().startswith("FAIL privileges: the connection's")

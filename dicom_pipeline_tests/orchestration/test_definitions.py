"""What Dagster loads, with and without anything configured."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from dicom_pipeline.orchestration.definitions import build_definitions
from dicom_pipeline.settings import Archive, Settings

ASSETS = {
    "archive_files",
    "dicom_metadata",
    "dicom_image_meta",
    "dicom_state_meta",
    "dicom_reject",
    "archive_overview",
}


def test_definitions_are_valid_with_no_environment_at_all(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", root / "workspace.yaml"],
        env={"PATH": os.environ["PATH"], "DAGSTER_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_archive_has_its_own_assets_and_jobs() -> None:
    archives = (Archive(tenant="a-1", root="/a"), Archive(tenant="b", root="/b", layout="any"))
    definitions = build_definitions(Settings(archives=archives))
    dg.Definitions.validate_loadable(definitions)
    keys = {tuple(spec.key.path) for spec in definitions.resolve_all_asset_specs()}
    assert keys == {("a-1", n) for n in ASSETS} | {("b", n) for n in ASSETS | {"archive_index"}}
    jobs = {job.name for job in definitions.resolve_all_job_defs()} - {"__ASSET_JOB"}
    every = {f"{kind}_{name}" for kind in ("load", "overview", "conflicts") for name in ("a_1", "b")}
    assert jobs == every | {"index_b"}


def test_every_asset_tells_what_it_is() -> None:
    definitions = build_definitions(Settings(archives=(Archive(root="/a", layout="any"),)))
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description
        assert spec.owners
        assert spec.kinds
        assert spec.group_name == "default"
        columns = spec.metadata["dagster/column_schema"]
        assert all(column.description for column in columns.columns), spec.key


def test_a_password_never_reaches_dagster(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://me:geheim77@db/x"
    monkeypatch.setenv("DICOM_PIPELINE_WAREHOUSE", url)
    definitions = build_definitions(Settings(archives=(Archive(root="/a"),), warehouse=url))
    job = definitions.resolve_job_def("load_default")
    assert "geheim77" not in str(job.get_job_snapshot())
    assert "geheim77" not in str(definitions.get_repository_def().get_top_level_resources())

"""What Dagster loads, with and without anything configured."""

import os
import subprocess
import sys
import time
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
    assert jobs == every | {"index_b", "daily_b"}
    repository = definitions.get_repository_def()
    assert {s.name for s in repository.schedule_defs} == {
        f"{k}_{n}" for k in ("daily", "standing") for n in ("a_1", "b")
    }
    assert {s.name for s in repository.sensor_defs} == {f"{k}_{n}" for k in ("watch", "failures") for n in ("a_1", "b")}


def test_an_archive_is_loaded_into_the_warehouse_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOM_PIPELINE_WAREHOUSE_RESEARCH", "postgresql://me:geheim77@db/research")
    settings = Settings.load(environment=dict(os.environ)).model_copy(
        update={
            "archives": (Archive(tenant="a", root="/a"), Archive(tenant="b", root="/b", warehouse="research")),
            "warehouses": {"research": "postgresql://me:geheim77@db/research"},
        }
    )
    definitions = build_definitions(settings)
    jobs = {name: definitions.resolve_job_def(f"load_{name}") for name in ("a", "b")}
    asked = {name: {r for r in job.get_required_resource_defs() if r.startswith("ware")} for name, job in jobs.items()}
    assert asked == {"a": {"warehouse"}, "b": {"warehouse_research"}}
    assert "geheim77" not in str(jobs["b"].get_job_snapshot())
    keys = {
        spec.key.path[0]: spec for spec in definitions.resolve_all_asset_specs() if spec.key.path[1] == "dicom_reject"
    }
    assert keys["b"].metadata["dagster/io_manager_key"] == "warehouse_research"


def test_each_archive_has_a_pool_and_its_own_limits() -> None:
    archives = (Archive(tenant="a-1", root="/a", partitions_per_run=7), Archive(tenant="b", root="/b"))
    definitions = build_definitions(Settings(archives=archives))
    loads = {d.op.name: d for d in definitions.get_repository_def().assets_defs_by_key.values()}
    assert (loads["a_1_load"].op.pool, loads["b_load"].op.pool) == ("load_a_1", "load_b")
    policies = [loads[name].backfill_policy for name in ("a_1_load", "b_load")]
    assert [policy.max_partitions_per_run for policy in policies if policy] == [7, Settings().partitions_per_run]


def test_ten_archives_load_as_fast_as_a_code_location_must() -> None:
    archives = tuple(Archive(tenant=f"hospital-{n}", root=f"/mnt/{n}", start_date="2010-01-01") for n in range(10))
    started = time.monotonic()
    definitions = build_definitions(Settings(archives=archives))
    dg.Definitions.validate_loadable(definitions)
    assert time.monotonic() - started < 20
    repository = definitions.get_repository_def()
    assert (len(repository.schedule_defs), len(repository.sensor_defs)) == (20, 20)
    groups = {spec.group_name for spec in definitions.resolve_all_asset_specs()}
    assert groups == {f"hospital_{n}" for n in range(10)}


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

"""The component in a project of other people, found and loaded by Dagster itself."""

import subprocess
import sys
from pathlib import Path

import pytest
from dagster.components.core.package_entry import discover_package_objects

PROJECT = """
[project]
name = "others"
version = "1"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "others"
"""
DEFINITIONS = """
from pathlib import Path
import dagster as dg

defs = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
TELL = """
import others.definitions as d
import dagster as dg
dg.Definitions.validate_loadable(d.defs)
for job in sorted(job.name for job in d.defs.resolve_all_job_defs()):
    print("job", job)
for spec in d.defs.resolve_all_asset_specs():
    if spec.key.path[-1] == "dicom_image_meta":
        print("first", spec.key.path[0], spec.partitions_def.get_first_partition_key(), spec.group_name)
"""


def project(tmp_path: Path, **components: str) -> subprocess.CompletedProcess[str]:
    package = tmp_path / "others"
    (package / "defs").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (package / "__init__.py").touch()
    (package / "defs" / "__init__.py").touch()
    (package / "definitions.py").write_text(DEFINITIONS)
    for name, attributes in components.items():
        (package / "defs" / name).mkdir()
        text = f"type: dicom_pipeline.DicomArchive\nattributes:\n{attributes}"
        (package / "defs" / name / "defs.yaml").write_text(text)
    return subprocess.run([sys.executable, "-c", TELL], cwd=tmp_path, capture_output=True, text=True, check=False)


def test_archives_are_loaded_from_defs_yaml(tmp_path: Path) -> None:
    first = "  tenant: hospital-a\n  root: /mnt/a\n  start_date: 2010-01-01\n  schedule: 13:30\n  watch: true\n"
    second = "  tenant: b\n  root: /mnt/b\n  layout: any\n  on_invalid_value: null\n  reject_limit: 0.5\n"
    done = project(tmp_path, a=first, b=second)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert {"job load_hospital_a", "job load_b", "job index_b"} <= set(told)
    assert "first hospital-a 2010-01-01 hospital_a" in told


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ("  tenant: a\n  root: /a\n  layout: flat\n", "layout: must be one of: date_directories, any"),
        ("  tenant: a\n  root: /a\n  warehouse: x\n", "is no warehouse's name; allowed here: none are listed"),
        ("  tenant: a/b\n  root: /a\n", "a tenant id is 1 to 64 characters"),
        ("  tenant: a\n", "root"),
        ("  tenant: a\n  root: /a\n  layot: any\n", "layot"),
    ],
)
def test_wrong_attributes_are_told(tmp_path: Path, attributes: str, told: str) -> None:
    done = project(tmp_path, a=attributes)
    assert done.returncode != 0
    assert told in done.stderr


def test_dg_finds_the_component_in_the_package() -> None:
    found = {key.name for key in discover_package_objects(["dicom_pipeline"])}
    assert found == {"DicomArchive"}

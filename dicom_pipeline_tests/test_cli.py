"""The command as a person meets it: words, streams and exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dicom_pipeline_tests.orchestration.small_archive import SmallArchive, days
from dicom_pipeline_tests.warehouse.conftest import Database, empty_database, make_database, server

__all__ = ["empty_database", "make_database", "server"]

COMMAND = str(Path(sys.executable).parent / "dicom-pipeline")


def run(*arguments: str | Path, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        env={**os.environ, "DICOM_PIPELINE_HOME": str(home), **environment},
        cwd=home.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_json_is_one_object_and_nothing_else(home: Path, empty_database: Database) -> None:
    archive = SmallArchive(home.parent / "archive")
    archive.fill(days("2024-01-01", 2))
    result = run("load", archive.root, "--json", home=home, DICOM_PIPELINE_WAREHOUSE=empty_database.url)
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert list(report) == ["tenant", "warehouse", "dates", "files", "rows", "checks", "seconds"]
    assert report["files"].pop("read_by") == {"scanner": 6, "pydicom": 0}
    assert report["files"] == {"listed": 6, "accepted": 6, "rejected": 0, "rejected_by_reason": {}}
    assert report["rows"] == {"dicom_image_meta": 6, "dicom_state_meta": 2, "dicom_reject": 0}
    assert set(report["checks"]) == {"passed", "warned", "failed"}


def test_an_archive_goes_into_the_warehouse_it_names_unless_the_command_names_one(
    home: Path, make_database: Callable[[], Database]
) -> None:
    named, given = make_database(), make_database()
    archive = SmallArchive(home.parent / "archive")
    archive.fill(days("2024-01-01", 1))
    listed = f"archives: [{{root: {archive.root}, warehouse: research}}]\nwarehouses: {{research: }}\n"
    (home.parent / "dicom_pipeline.yaml").write_text(listed)
    environment = {
        "DICOM_PIPELINE_WAREHOUSE_RESEARCH": named.url,
        "DICOM_PIPELINE_WAREHOUSE": "postgresql://127.0.0.1:1/x",
    }
    assert run("load", archive.root, "--json", home=home, **environment).returncode == 0
    assert named.query("select count(*) from dicom_image_meta") == [(3,)]
    looked = run("doctor", home=home, **environment)
    assert (looked.returncode, "ok   warehouse research: " in looked.stdout) == (0, True), looked.stdout
    result = run("load", archive.root, "--json", "--warehouse", given.url, home=home, **environment)
    assert result.returncode == 0, result.stderr
    assert given.query("select count(*) from dicom_image_meta") == [(3,)]


def test_each_problem_of_the_settings_is_a_line(home: Path) -> None:
    (home.parent / "dicom_pipeline.yaml").write_text("reader: fast\narchives:\n  - layout: flat\n")
    result = run("load", ".", home=home)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "dicom-pipeline: dicom_pipeline.yaml line 1: reader: must be one of: auto, pure, pydicom",
        "dicom-pipeline: dicom_pipeline.yaml line 3: archives.0.root: is missing",
        "dicom-pipeline: dicom_pipeline.yaml line 3: archives.0.layout: must be one of: date_directories, any",
    ]
    looked = run("doctor", home=home, DICOM_PIPELINE_WEBHOOK="http://hooks.example/geheim")
    assert (looked.returncode, looked.stdout.count("FAIL settings: dicom_pipeline.yaml line ")) == (1, 3)


def test_an_empty_archive_is_loaded_as_such(home: Path, empty_database: Database) -> None:
    (home.parent / "archive").mkdir()
    result = run("load", "archive", "--json", home=home, DICOM_PIPELINE_WAREHOUSE=empty_database.url)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["dates"] == {"total": 0, "loaded": 0, "failed": []}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["load", "nowhere"], "nowhere"),
        (["load", ".", "--tenant", "a/b"], "1 to 64 characters"),
        (["load", ".", "--date-format", "%Y"], "date format"),
        (["load", ".", "--from", "2024-13-01"], "--from"),
        (["load", ".", "--from", "2024-02-01", "--to", "2024-01-01"], "later"),
        (["load", ".", "--warehouse", "mysql://x/y"], "postgresql"),
        (["load", ".", "--warehouse", "postgresql://u:geheim@127.0.0.1:1/db"], "127.0.0.1"),
        (["load", ".", "--layout", "flat"], "--layout"),
        (["load"], "ARCHIVE"),
        (["frobnicate"], "frobnicate"),
        (["extract", "nowhere", "--out", "x.parquet"], "nowhere"),
        (["extract", ".", "--out", "/proc/x.parquet"], "output file"),
        (["sample", "/proc/x"], "/proc"),
    ],
)
def test_usage_and_configuration_errors_are_one_line_and_exit_2(home: Path, arguments: list[str], told: str) -> None:
    result = run(*arguments, home=home)
    assert result.returncode == 2, result.stdout + result.stderr
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert "geheim" not in result.stderr


def test_extract_writes_one_row_a_file(home: Path) -> None:
    archive = SmallArchive(home.parent / "archive")
    archive.fill(days("2024-01-01", 2))
    (archive.root / "notes.txt").write_text("no image")
    result = run("extract", "archive", "--out", "out.parquet", "--tenant", "t", "--json", home=home)
    assert result.returncode == 0, result.stderr
    rows = pq.read_table(home.parent / "out.parquet").to_pylist()
    assert len(rows) == json.loads(result.stdout)["files"]["listed"] == 7
    assert {row["reason"] for row in rows} == {None, "NotDicom"}
    assert {row["tenant_id"] for row in rows if row["outcome"] == "accepted"} == {"t"}


def test_interrupt_exits_130_and_says_so(home: Path, empty_database: Database) -> None:
    archive = SmallArchive(home.parent / "archive")
    archive.fill(days("2024-01-01", 30), instances=1)
    process = subprocess.Popen(
        [COMMAND, "load", str(archive.root), "--home", str(home)],
        env={**os.environ, "DICOM_PIPELINE_WAREHOUSE": empty_database.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Tests that a shell runs in the background inherit an interrupt that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    begun = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert time.monotonic() - begun < 30


def test_help_teaches(home: Path) -> None:
    assert "dicom-pipeline load sample_archive/default" in run("--help", home=home).stdout
    assert "--on-invalid-value" in run("load", "--help", home=home).stdout


def test_doctor_says_what_to_do(home: Path, empty_database: Database) -> None:
    good = run("doctor", home=home, DICOM_PIPELINE_WAREHOUSE=empty_database.url)
    assert (good.returncode, good.stdout.count("FAIL")) == (0, 0), good.stdout
    empty_database.run("create table dicom_image_meta (tenant_id text)")
    bad = run("doctor", home=home, DICOM_PIPELINE_WAREHOUSE=empty_database.url)
    assert bad.returncode == 1
    assert "FAIL tables" in bad.stdout

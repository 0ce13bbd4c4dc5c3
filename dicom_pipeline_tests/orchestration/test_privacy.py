"""No value of a patient leaves staging and the warehouse, whatever happens."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import write_instance

CANARIES = ("CANARYNAME", "MRNCANARY77", "19330707", "1933-07-07", "CANARYDIR", "ACCCANARY", "CANARYMOD")
SECRETS = tuple(c.encode() for c in CANARIES)


def plant(loader: Loader) -> None:
    """Files that are accepted, and files that fail in every way a file can, all with the canaries in them."""
    values = {
        "PatientName": "CANARYNAME^JANE",
        "PatientID": "MRNCANARY77",
        "PatientBirthDate": "19330707",
        "AccessionNumber": "ACCCANARY",
    }
    root, date = loader.archive.root, dt.date(2024, 1, 1)
    place = root / "20240101" / "CANARYDIR^JANE"
    write_instance(place / "good.dcm", date, **values)
    write_instance(place / "time.dcm", date, **values, StudyTime="CANARYNAME")
    write_instance(place / "long.dcm", date, **{**values, "PatientName": "CANARYNAME" * 10})
    write_instance(place / "date.dcm", date, **values, StudyDate="CANARYNAME")
    write_instance(place / "other.dcm", date, **values, StudyDate="19330707")
    write_instance(place / "modality.dcm", date, **values, Modality="CANARYMOD")
    whole = write_instance(place / "whole.dcm", date, **values).read_bytes()
    (place / "cut.dcm").write_bytes(whole[: whole.index(b"MRNCANARY77") + 4])
    (place / "notes.txt").write_text("CANARYNAME MRNCANARY77")
    twice = write_instance(place / "twice.dcm", date, **values, SOPInstanceUID="1.2.3").read_bytes()
    (place / "twice_changed.dcm").write_bytes(twice + b"\0\0")


def leaks(home: Path) -> list[str]:
    found = []
    for directory, _, names in os.walk(home):
        for name in names:
            path = Path(directory) / name
            relative = path.relative_to(home)
            if relative.parts[0] in {"staging", "postgres"}:
                continue
            content = path.read_bytes() + str(relative).encode()
            found += [f"{relative}: {secret!r}" for secret in SECRETS if secret in content]
    return found


@pytest.mark.parametrize("broken", [False, True], ids=["loaded", "refused by the database"])
def test_planted_values_are_nowhere_but_in_staging_and_warehouse(loader: Loader, tmp_path: Path, broken: bool) -> None:
    plant(loader)
    if broken:
        loader()
        loader.empty()
        with psycopg.connect(loader.url) as connection:
            connection.execute("alter table dicom_image_meta add constraint c check (patient_id <> 'MRNCANARY77')")
    command = Path(sys.executable).parent / "dicom-pipeline"
    environment = {**os.environ, "DICOM_PIPELINE_WAREHOUSE": loader.url, "DICOM_PIPELINE_HOME": str(tmp_path / "home")}
    result = subprocess.run(
        [command, "load", loader.archive.root], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == (1 if broken else 0), result.stderr
    assert [c for c in CANARIES if c in result.stdout + result.stderr] == []
    assert leaks(tmp_path / "home") == []


def test_the_search_would_find_a_leak(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "log").write_text("x CANARYNAME y")
    assert len(leaks(tmp_path)) == 1

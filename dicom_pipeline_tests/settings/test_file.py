"""What is wrong in a settings file, and on which line."""

from pathlib import Path

import pytest

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.settings import Settings
from dicom_pipeline.settings.file import read_settings_file

ARCHIVE = "archives:\n  - tenant: a\n    root: /mnt/a\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(text)
    return path


def problems(tmp_path: Path, text: str, **environment: str) -> list[str]:
    environment["DICOM_PIPELINE_CONFIG"] = str(written(tmp_path, text))
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environment=environment)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("line", "number", "told"),
    [
        ("    layout: flat", 4, "archives.0.layout: must be one of: date_directories, any"),
        ("    on_invalid_value: drop", 4, "must be one of: reject, null"),
        (
            "    layot: any",
            4,
            "layot: is no setting; did you mean layout? allowed here: tenant, root, layout",
        ),
        ("    start_date: 31.1.2010", 4, "must be a calendar date such as 2010-01-31"),
        ("    start_date: 20101301", 4, "must be a calendar date"),
        ("    schedule: 25:00", 4, "must be a time of day such as 02:30 (from 00:00 to 23:59), or off"),
        ("    timezone: Europe/Berlln", 4, "time zone of the IANA database such as Europe/Berlin"),
        ("    timezone: ../../etc/passwd", 4, "time zone of the IANA database"),
        ("    quiet_minutes: soon", 4, "must be a whole number from 0 to 1440"),
        ("    reject_limit: 2", 4, "must be a number from 0 to 1"),
        ("    watch: maybe", 4, "must be true or false"),
        ("    warehouse: main", 4, "archives.0.warehouse: is no warehouse's name; allowed here: none are listed"),
        ("    date_format: '%Y'", 4, "use %Y, %m and %d once each"),
        ("    root: /mnt/b", 4, "'root' stands twice"),
        ("  - root: s3://bucket", 4, "object stores are not supported"),
        ("  - tenant: b", 4, "archives.1.root: is missing"),
        ("\n  - {tenant: a, root: /b}", 5, "would share the name 'a'"),
        ("partitions_per_run: 0", 4, "partitions_per_run: must be a whole number from 1 to 1000"),
        ("reader: fast", 4, "reader: must be one of: auto, pure, pydicom"),
        ("first_dat: x", 4, "first_dat: is no setting; allowed here: home, warehouse, warehouses, staging"),
        ("warehouses: {Main: postgresql://db/x}", 4, "warehouses.Main: a name is a small letter"),
        ("warehouses:\n  main:", 5, "warehouses.main: has no URL: give it here, or in DICOM_PIPELINE_WAREHOUSE_MAIN"),
        ("warehouses:\n  main: postgresql://u:geheim@db/x", 5, "holds a password; give the URL in"),
        ("reader: [", 5, "is not valid YAML"),
        ("reader: &a [*a]", 4, "an alias stands inside of what it is an alias of"),
        ("? [a]\n: b", 4, "must be a plain word"),
    ],
)
def test_a_wrong_line_is_told_with_its_number_and_what_is_allowed(
    tmp_path: Path, line: str, number: int, told: str
) -> None:
    [problem] = problems(tmp_path, f"{ARCHIVE}{line}\n")
    assert problem.startswith(f"{tmp_path}/pipeline.yaml line {number}: ")
    assert told in problem
    assert "geheim" not in problem


def test_each_problem_has_a_line_of_its_own_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = problems(tmp_path, "workers: 0\n" + ARCHIVE + "    layout: flat\n    colour: blue\nthreads: many\n")
    assert [problem.split(" line ")[1].split(":")[0] for problem in found] == ["1", "5", "6", "7"]


def test_a_wrong_variable_is_told_by_its_name_and_not_by_the_file(tmp_path: Path) -> None:
    wrong = {"DICOM_PIPELINE_ARCHIVE": "/b", "DICOM_PIPELINE_TENANT": "a/b", "DICOM_PIPELINE_WORKERS": "many"}
    found = problems(tmp_path, ARCHIVE, **wrong)
    assert sorted(problem.split(":")[0] for problem in found) == ["DICOM_PIPELINE_TENANT", "DICOM_PIPELINE_WORKERS"]


def test_what_is_written_is_what_is_meant(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 13:30\nb: no\nc: 007\nd: 2010-01-31\ne: ~\nf: 'null'\non_invalid_value: null\n")
    values = read_settings_file(path).values
    assert values == {
        "a": "13:30",
        "b": "no",
        "c": "007",
        "d": "2010-01-31",
        "e": None,
        "f": "null",
        "on_invalid_value": "null",
    }


def test_archives_may_share_lines_by_an_alias(tmp_path: Path) -> None:
    text = "archives:\n  - &first {tenant: a, root: /a, layout: any}\n  - {<<: *first, tenant: b}\n"
    assert read_settings_file(written(tmp_path, text)).values["archives"][1] == {
        "tenant": "b",
        "root": "/a",
        "layout": "any",
    }


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read_settings_file(written(tmp_path, "# nothing yet\n")).values == {}

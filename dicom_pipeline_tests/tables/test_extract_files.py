import csv
import datetime as dt
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.tables.extract_files import ExtractSummary, extract_to_file
from dicom_pipeline.tables.readers import PydicomMetadataReader
from dicom_pipeline.tables.schemas import metadata_schema
from dicom_pipeline_tests.corpus import CORPUS, needs_corpus
from dicom_pipeline_tests.tables.made_rows import MadeUpReader, write_dicom


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few files, and the working directory above them."""
    for name in ("a/1", "a/2", "a/b/3", "c/4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def extract(*paths: str, out: str = "out.parquet") -> list[str]:
    extract_to_file(paths, out, "t", reader=MadeUpReader())
    return pq.read_table(out).column("path").to_pylist()


def test_paths_are_the_given_ones_joined_with_what_is_below(tree: Path) -> None:
    assert extract("a", "c/4") == ["a/1", "a/2", "a/b/3", "c/4"]
    assert extract(f"{tree}/c") == [f"{tree}/c/4"]
    assert extract("./c/", "./a/b") == ["./c/4", "./a/b/3"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("a", "a"), ["a/1", "a/2", "a/b/3"]),
        (("a/b", "a"), ["a/b/3", "a/1", "a/2"]),
        (("a", "a/b", "a/1"), ["a/1", "a/2", "a/b/3"]),
        (("a/2", "./a"), ["a/2", "./a/1", "./a/b/3"]),
        (("link", "a"), ["link/1", "link/2", "link/b/3"]),
    ],
)
def test_a_file_counts_once_under_the_first_path(tree: Path, paths: tuple[str, ...], expected: list[str]) -> None:
    (tree / "link").symlink_to("a")
    assert extract(*paths) == expected


def test_the_output_is_not_read(tree: Path) -> None:
    expected = ["./a/1", "./a/2", "./a/b/3", "./c/4"]
    assert extract(".", out="a/out.parquet") == expected
    assert extract(".", out="a/out.parquet") == expected
    assert sorted(path.name for path in (tree / "a").iterdir()) == ["1", "2", "b", "out.parquet"]


def test_a_link_that_is_given_is_followed_under_its_own_name(tree: Path) -> None:
    (tree / "link").symlink_to("c/4")
    assert extract("link") == ["link"]


def test_what_is_no_file_is_a_rejected_row(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    extract_to_file(["pipe"], "out.parquet", "t", PydicomMetadataReader())
    assert pq.read_table("out.parquet").select(["path", "reason"]).to_pylist() == [
        {"path": "pipe", "reason": "NotAFile"}
    ]


def test_names_need_not_be_utf8(tree: Path) -> None:
    (tree / "c" / "\udcff\n").write_bytes(b"x")
    assert extract("c") == ["c/4", "c/\\xff\n"]


@pytest.mark.parametrize("out", ["a/1", "a"])
def test_only_parquet_is_ever_replaced(tree: Path, out: str) -> None:
    with pytest.raises(ConfigurationError, match="not a Parquet file"):
        extract("c", out=out)
    assert (tree / "a" / "1").read_bytes() == b"x"


def test_wrong_paths_are_told_by_their_number_and_write_nothing(tree: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^path 2 of 2 does not exist"):
        extract("a", "missing")
    assert not (tree / "out.parquet").exists()
    extract("a")
    with pytest.raises(ConfigurationError, match=r"^path 1 of 1 is the output file"):
        extract("out.parquet")


def test_progress_counts_files(tree: Path) -> None:
    seen: list[int] = []
    extract_to_file(["a", "c"], "out.parquet", "t", MadeUpReader(), progress=seen.append)
    assert seen == [4]


def test_one_clock_reading_for_all_rows_and_a_private_file(tree: Path) -> None:
    write_dicom(tree / "d" / "1", "1.1")
    shutil.copy(tree / "d" / "1", tree / "d" / "2")
    before = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    summary = extract_to_file(["d"], "out.parquet", "t", "pydicom")
    rows = pq.read_table("out.parquet").to_pylist()
    # No partition: neither the date nor the copy rejects a file.
    assert [row["outcome"] for row in rows] == ["accepted", "accepted"]
    clocks = {row[name] for row in rows for name in ("created_time", "updated_time")}
    assert len(clocks) == 1
    assert before <= clocks.pop() <= dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert (tree / "out.parquet").stat().st_mode & 0o077 == 0
    assert summary.bytes_written == (tree / "out.parquet").stat().st_size


def as_counts(rows: list[dict[str, Any]]) -> tuple[int, int]:
    accepted = sum(row["outcome"] == "accepted" for row in rows)
    return accepted, len(rows) - accepted


@needs_corpus
def test_the_corpus_has_one_row_a_file(tmp_path: Path) -> None:
    with (CORPUS / "manifest.csv").open() as stream:
        listed = {row["path"]: int(row["size"]) for row in csv.DictReader(stream)}
    summary: ExtractSummary = extract_to_file([CORPUS], tmp_path / "out.parquet", "t")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(metadata_schema())
    found = {os.path.relpath(row["path"], CORPUS): row for row in table.to_pylist()}
    assert len(found) == table.num_rows == summary.listed
    assert {path: found[path]["file_size"] for path in listed} == listed
    assert (summary.counts.accepted, summary.counts.rejected) == as_counts(list(found.values()))
    assert summary.as_json()["files"]["listed"] == table.num_rows
    assert ("files listed", table.num_rows) in summary.rows()

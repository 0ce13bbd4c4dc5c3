import datetime as dt
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dicom_pipeline.errors import StagingError
from dicom_pipeline.tables.rows import metadata_batch
from dicom_pipeline.tables.schemas import FILES_SCHEMA, metadata_schema
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline_tests.tables.made_rows import DATE, TENANT, entry, record

SCHEMA = pa.schema([pa.field("n", pa.int64(), False, {"comment": "a number"})], {"comment": "numbers"})
ASSET = "numbers"


def numbers(*values: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values, pa.int64())], schema=SCHEMA)


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


def write(staging: Staging, *values: int, **metadata: str) -> None:
    staging.write(TENANT, ASSET, DATE, [numbers(*values)], SCHEMA, metadata)


def names_in(staging: Staging) -> list[str]:
    return sorted(path.name for path in (staging.root / TENANT / ASSET).iterdir())


def test_rows_come_back_in_order_with_schema_and_metadata(staging: Staging) -> None:
    batches = [numbers(*range(start, start + 100)) for start in range(0, 30_000, 100)]
    staged = staging.write(TENANT, ASSET, DATE, batches, SCHEMA, {"run_id": "r1"})
    reader = staging.read(TENANT, ASSET, DATE)
    assert reader.schema.equals(SCHEMA)
    assert reader.schema.field("n").metadata == {b"comment": b"a number"}
    assert reader.read_all().column("n").to_pylist() == list(range(30_000))
    assert staged.rows == staging.rows(TENANT, ASSET, DATE) == 30_000
    assert staged.bytes == (staging.root / TENANT / ASSET / "2024-05-17.parquet").stat().st_size
    assert staging.metadata(TENANT, ASSET, DATE) == {"comment": "numbers", "run_id": "r1"}


def test_small_batches_become_large_row_groups(staging: Staging) -> None:
    staging.write(TENANT, ASSET, DATE, (numbers(n) for n in range(20_000)), SCHEMA, {})
    with pq.ParquetFile(staging.root / TENANT / ASSET / "2024-05-17.parquet") as file:
        assert file.metadata.num_row_groups == 2


def test_a_record_batch_reader_is_taken_and_no_rows_are_a_file(staging: Staging) -> None:
    reader = pa.RecordBatchReader.from_batches(SCHEMA, iter([]))
    assert staging.write(TENANT, ASSET, DATE, reader, SCHEMA, {}).rows == 0
    assert staging.read_table(TENANT, ASSET, DATE) == SCHEMA.empty_table()


def test_columns_can_be_chosen_in_any_order(staging: Staging) -> None:
    batch = metadata_batch([entry("a"), entry("b")], [record("1"), record("2")])
    staging.write(TENANT, "m", DATE, [batch], metadata_schema(), {})
    table = staging.read_table(TENANT, "m", DATE, ["sop_uid", "path"])
    assert table.to_pydict() == {"sop_uid": ["1", "2"], "path": ["a", "b"]}


def test_metadata_rows_survive_and_pandas_reads_them(staging: Staging) -> None:
    batch = metadata_batch([entry("a"), entry("b")], [record("1"), record("2", instance_number=3)])
    staging.write(TENANT, "m", DATE, [batch], metadata_schema(), {})
    table = staging.read_table(TENANT, "m", DATE)
    assert table.schema.equals(metadata_schema())
    assert table.schema.field("patient_id").metadata == metadata_schema().field("patient_id").metadata
    assert table.to_pylist() == batch.to_pylist()
    import pandas as pd

    frame = pd.read_parquet(staging.root / TENANT / "m" / "2024-05-17.parquet")
    assert list(frame["sop_uid"]) == ["1", "2"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_only_the_owner_can_read_whatever_the_umask(staging: Staging, umask: int) -> None:
    before = os.umask(umask)
    try:
        write(staging, 1)
    finally:
        os.umask(before)
    file = staging.root / TENANT / ASSET / "2024-05-17.parquet"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for directory in file.parents[:3]:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_failing_source_leaves_the_old_file_and_no_other(staging: Staging) -> None:
    write(staging, 1)

    def failing():
        yield numbers(2)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        staging.write(TENANT, ASSET, DATE, failing(), SCHEMA, {})
    assert staging.read_table(TENANT, ASSET, DATE).column("n").to_pylist() == [1]
    assert names_in(staging) == ["2024-05-17.parquet"]


def test_the_file_does_not_appear_before_it_is_whole(staging: Staging) -> None:
    def watching():
        yield numbers(1)
        assert not staging.exists(TENANT, ASSET, DATE)
        assert staging.dates(TENANT, ASSET) == []

    staging.write(TENANT, ASSET, DATE, watching(), SCHEMA, {})
    assert staging.exists(TENANT, ASSET, DATE)


KILLED_WRITER = """
import os, sys, signal
from pathlib import Path
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline_tests.tables.test_staging import ASSET, DATE, SCHEMA, TENANT, numbers

def batches():
    for n in range(40_000):
        yield numbers(n)
    print("writing", flush=True)
    if sys.argv[2] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.readline()

Staging(Path(sys.argv[1])).write(TENANT, ASSET, DATE, batches(), SCHEMA, {})
"""


def other_writer(staging: Staging, end: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", KILLED_WRITER, str(staging.root), end]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    return writer


def test_what_a_killed_writer_left_goes_with_the_next_write(staging: Staging) -> None:
    with other_writer(staging, "die") as writer:
        assert writer.wait() == -signal.SIGKILL
    assert len(names_in(staging)) == 1
    assert not staging.exists(TENANT, ASSET, DATE)
    write(staging, 1)
    assert names_in(staging) == ["2024-05-17.parquet"]


def test_a_live_writer_keeps_its_draft_and_the_last_to_finish_wins(staging: Staging) -> None:
    with other_writer(staging, "finish") as writer:
        write(staging, 1)
        assert len(names_in(staging)) == 2
        assert staging.rows(TENANT, ASSET, DATE) == 1
        writer.communicate("go on\n")
        assert writer.returncode == 0
    assert staging.rows(TENANT, ASSET, DATE) == 40_000
    assert names_in(staging) == ["2024-05-17.parquet"]


def test_a_missing_file_is_one_line_that_says_what_to_do(staging: Staging) -> None:
    for ask in (staging.read, staging.read_table, staging.metadata, staging.rows):
        with pytest.raises(StagingError, match=r"^staged numbers of tenant, 2024-05-17, is missing: run .*$"):
            ask(TENANT, ASSET, DATE)


@pytest.mark.parametrize("damage", ["cut", "no footer", "empty", "pages"])
def test_a_damaged_file_is_a_staging_error(staging: Staging, damage: str) -> None:
    write(staging, *range(100_000))
    path = staging.root / TENANT / ASSET / "2024-05-17.parquet"
    content = path.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "no footer": content[:-8] + b"\0" * 8,
        "empty": b"",
        "pages": content[:4] + b"\xff" * (len(content) // 2) + content[4 + len(content) // 2 :],
    }[damage]
    path.write_bytes(damaged)
    with pytest.raises(StagingError, match=r"^staged numbers of tenant, 2024-05-17, .*$"):
        staging.read_table(TENANT, ASSET, DATE)


def test_a_full_disk_is_a_staging_error_and_the_old_file_stays(staging: Staging) -> None:
    write(staging, 1)
    code = """
import resource, signal, sys
from pathlib import Path
from dicom_pipeline.errors import StagingError
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline_tests.tables.test_staging import ASSET, DATE, SCHEMA, TENANT, numbers
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    Staging(Path(sys.argv[1])).write(TENANT, ASSET, DATE, [numbers(*range(100_000))], SCHEMA, {})
except StagingError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(staging.root)], capture_output=True, text=True, check=True)
    assert done.stdout == "staged numbers of tenant, 2024-05-17, cannot be written: File too large\n"
    assert staging.read_table(TENANT, ASSET, DATE).column("n").to_pylist() == [1]
    assert names_in(staging) == ["2024-05-17.parquet"]


def test_dates_are_listed_and_removed(staging: Staging) -> None:
    days = [dt.date(2024, 5, 17), dt.date(1999, 12, 31), dt.date(2024, 5, 18)]
    assert staging.dates(TENANT, ASSET) == []
    for day in days:
        staging.write(TENANT, ASSET, day, [numbers(1)], SCHEMA, {})
    (staging.root / TENANT / ASSET / "notes.parquet").touch()
    assert staging.dates(TENANT, ASSET) == sorted(days)
    assert staging.dates("other", ASSET) == []
    staging.remove(TENANT, ASSET, days[0])
    staging.remove(TENANT, ASSET, days[0])
    assert staging.dates(TENANT, ASSET) == [days[1], days[2]]


def test_an_asset_without_partitions_has_one_file(staging: Staging) -> None:
    staging.write(TENANT, ASSET, None, [numbers(1)], SCHEMA, {})
    assert names_in(staging) == ["all.parquet"]
    assert staging.read_table(TENANT, ASSET, None).num_rows == 1
    assert staging.dates(TENANT, ASSET) == []
    with pytest.raises(StagingError, match=r"^staged other of tenant.* is missing"):
        staging.rows(TENANT, "other", None)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\0", "x" * 65, "a\n"])
def test_no_name_leads_out_of_the_staging_directory(staging: Staging, name: str) -> None:
    with pytest.raises(StagingError):
        staging.write(name, ASSET, DATE, [], FILES_SCHEMA, {})
    with pytest.raises(StagingError):
        staging.exists(TENANT, name, DATE)

"""Metrics of real loads, as a collector reads them."""

import datetime as dt
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.watching.metrics import collect, prometheus_text, write_textfile
from dicom_pipeline.settings import Archive
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days
from dicom_pipeline_tests.warehouse.conftest import Database

NOW = dt.datetime(2024, 1, 10, 23, 30, tzinfo=dt.UTC)
LINE = re.compile(r'dicom_pipeline_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')


def samples(text: str) -> dict[str, float]:
    """Return the samples by name and labels; each must be of a family that was announced just before."""
    found: dict[str, float] = {}
    family = ""
    for line in text.splitlines():
        if line.startswith("#"):
            family = line.split()[2]
            continue
        assert LINE.fullmatch(line), line
        name, value = line.rsplit(" ", 1)
        assert name.split("{")[0] == family
        found[name.removeprefix("dicom_pipeline_")] = float(value)
    return found


def measured(loader: Loader, *archives: Archive, now: dt.datetime = NOW) -> dict[str, float]:
    return samples(prometheus_text(collect(loader.settings, archives, now), now))


def test_numbers_are_those_of_the_tables(loader: Loader) -> None:
    dates = days("2024-01-06", 3)
    loader.archive.fill(dates)
    loader.archive.add(dates[0], "bad.dcm", StudyTime="25:00")
    (loader.archive.root / "20240106" / "readme.txt").write_text("no image")
    (loader.archive.root / "20240107" / "readme.txt").write_text("no image")
    loader(tenant="a")
    (loader.archive.root / "20240108" / "1.dcm").unlink()
    loader(tenant="a")
    archive = Archive(tenant="a", root="/a", timezone="Asia/Tokyo")
    found = measured(loader, archive, Archive(tenant="b", root="/b"))
    assert {name: value for name, value in found.items() if 'tenant="a"' in name and "seconds" not in name} == {
        'dates{tenant="a"}': 3,
        'files{tenant="a",outcome="accepted"}': 8,
        'files{tenant="a",outcome="rejected"}': 3,
        'rejected_files{tenant="a",reason="InvalidTimeFormat"}': 1,
        'rejected_files{tenant="a",reason="NotDicom"}': 2,
        'rows{tenant="a",table="dicom_image_meta"}': 8,
        'rows{tenant="a",table="dicom_state_meta"}': 3,
        'rows{tenant="a",table="dicom_reject"}': 3,
        'rows_changed_total{tenant="a",change="inserted"}': 9,
        'rows_changed_total{tenant="a",change="updated"}': 0,
        'rows_changed_total{tenant="a",change="deleted"}': 1,
        'loads_total{tenant="a"}': 6,
        'lag_days{tenant="a"}': 3,  # in Tokyo it is the 11th already
    }
    rows = {t: loader.rows(f"select count(*) from {t} where tenant_id = 'a'")[0][0] for t in ("dicom_image_meta",)}
    assert found['rows{tenant="a",table="dicom_image_meta"}'] == rows["dicom_image_meta"]
    [(seconds, last)] = loader.rows(
        "select extract(epoch from sum(finished_time - started_time))::float8, max(finished_time) from dicom_load"
    )
    assert found['load_seconds_total{tenant="a"}'] == pytest.approx(seconds, abs=0.001)
    assert isinstance(last, dt.datetime)
    assert found['last_load_timestamp_seconds{tenant="a"}'] == pytest.approx(last.replace(tzinfo=dt.UTC).timestamp())
    newest = dt.datetime(2024, 1, 8, tzinfo=dt.UTC).timestamp()
    assert found['newest_date_timestamp_seconds{tenant="a"}'] == newest
    assert (found['loads_total{tenant="b"}'], 'lag_days{tenant="b"}' in found) == (0, False)


def test_a_date_in_the_future_and_an_empty_day_hide_no_lag(loader: Loader) -> None:
    for date in (dt.date(2024, 1, 1), dt.date(2024, 1, 9), dt.date(2027, 1, 1)):
        loader.archive.fill([date], 1)
    loader()
    for file in (loader.archive.root / "20240109").iterdir():
        file.unlink()
    loader()
    found = measured(loader, Archive(root="/a"))
    assert (found['lag_days{tenant="default"}'], found['dates{tenant="default"}']) == (9, 2)


def test_each_archive_is_counted_where_it_is_loaded(loader: Loader, make_database: object) -> None:
    assert callable(make_database)
    other: Database = make_database()
    loader.archive.fill(days("2024-01-06", 2))
    loader(tenant="a")
    elsewhere = loader.settings.model_copy(update={"warehouses": {"other": other.url}})
    loader.settings = loader.settings.model_copy(update={"warehouse": other.url})
    loader(first=dt.date(2024, 1, 6), last=dt.date(2024, 1, 6), tenant="b")
    loader.settings = elsewhere
    archives = Archive(tenant="a", root="/a"), Archive(tenant="b", root="/b", warehouse="other")
    found = measured(loader, *archives)
    assert (found['dates{tenant="a"}'], found['dates{tenant="b"}']) == (2, 1)


def test_a_ledger_of_many_years_is_read_in_pieces(loader: Loader) -> None:
    loader.archive.fill(days("2024-01-01", 1), 1)
    loader()
    with psycopg.connect(loader.url) as connection:
        connection.execute(
            "insert into dicom_load select tenant_id, date '2014-01-01' + d, 'run' || r, code_version,"
            " started_time - r * interval '1 day', finished_time - r * interval '1 day', r + 1, 1, r, 2, 0, 1, digest"
            " from dicom_load, generate_series(0, 999) d, generate_series(0, 299) r"
        )
    found = measured(loader, Archive(root="/a"))
    assert found['loads_total{tenant="default"}'] == 300_001
    assert found['dates{tenant="default"}'] == 1_001
    # The latest load of each date has the number 0.
    assert found['files{tenant="default",outcome="rejected"}'] == 0
    assert found['rows_changed_total{tenant="default",change="inserted"}'] == 600_001


def test_a_collector_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "dicom_pipeline.prom"
    texts = ["a" * 100_000, "b" * 100_000]
    write_textfile(path, texts[0])
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        write_textfile(path, texts[number % 2])
    done.set()
    reader.join()
    assert seen <= set(texts)
    assert os.listdir(tmp_path) == ["dicom_pipeline.prom"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--out .*none/x.prom: cannot be written"):
        write_textfile(tmp_path / "none" / "x.prom", "")


def run(loader: Loader, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from dicom_pipeline.cli import main; main()", "metrics", *arguments]
    environment = {
        **os.environ,
        "DICOM_PIPELINE_WAREHOUSE": loader.url,
        "DICOM_PIPELINE_HOME": str(loader.settings.home),
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_prints_or_writes(loader: Loader, tmp_path: Path) -> None:
    before = run(loader)
    assert before.returncode == 0, before.stderr
    assert samples(before.stdout).keys() == {'info{version="0.1.0"}', "metrics_timestamp_seconds"}
    loader.archive.fill(days("2024-01-06", 1))
    loader()
    printed = run(loader, "--tenant", "default")
    assert (printed.returncode, samples(printed.stdout)['dates{tenant="default"}']) == (0, 1), printed.stderr
    out = tmp_path / "m.prom"
    written = run(loader, "--out", str(out))
    assert (written.returncode, written.stdout) == (0, ""), written.stderr
    assert samples(out.read_text()).keys() == samples(printed.stdout).keys()
    unknown = run(loader, "--tenant", "x")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "no archive of x is known" in unknown.stderr

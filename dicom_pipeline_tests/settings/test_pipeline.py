import datetime as dt
from pathlib import Path

import pytest

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.settings import Archive, Settings


def load(tmp_path: Path, text: str | None = None, **environment: str) -> Settings:
    path = tmp_path / "pipeline.yaml"
    if text is not None:
        path.write_text(text)
        environment["DICOM_PIPELINE_CONFIG"] = str(path)
    return Settings.load(environment={"DICOM_PIPELINE_HOME": str(tmp_path / "home"), **environment})


def test_defaults_need_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load(environment={})
    assert settings.home == Path(".dicom_pipeline")
    assert settings.staging_directory == Path(".dicom_pipeline/staging")
    assert settings.all_archives == ()


def test_file_lists_archives(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "archives:\n"
        "  - {tenant: a, root: /mnt/a, start_date: 2020-01-01}\n"
        "  - {tenant: b, root: /mnt/b, layout: any, on_invalid_value: 'null'}\n",
    )
    first, second = settings.all_archives
    assert first.first_partition == dt.date(2020, 1, 1)
    assert (second.layout, second.on_invalid_value.value) == ("any", "null")


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, "reject_limit: 0.5\nworkers: 3\n", DICOM_PIPELINE_REJECT_LIMIT="0.1")
    assert (settings.reject_limit, settings.workers) == (0.1, 3)


def test_environment_describes_one_more_archive(tmp_path: Path) -> None:
    settings = load(
        tmp_path, "archives: [{tenant: a, root: /a}]", DICOM_PIPELINE_ARCHIVE="/b", DICOM_PIPELINE_TENANT="b"
    )
    assert [a.tenant for a in settings.all_archives] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("archives: [{tenant: a, root: /x, layout: flat}]", "archives.0.layout"),
        ("archives: [{tenant: 'a/b', root: /x}]", "1 to 64 characters"),
        ("archives: [{tenant: '..', root: /x}]", "1 to 64 characters"),
        ("archives: [{tenant: a-b, root: /x}, {tenant: a.b, root: /y}]", "'a_b'"),
        ("archives: [{tenant: a, root: /x, date_format: '%Y'}]", "archives.0.date_format"),
        ("archives: [{tenant: a, root: 's3://bucket/x'}]", "object stores"),
        ("archives: [{tenant: a, root: 'gs://bucket/x'}]", "object stores"),
        ("colour: blue", "colour"),
        ("- a\n- b\n", "mapping"),
        ("archives: [{\n", "line"),
        ("warehouse: postgresql://me:secret@db/x", "password"),
        ("warehouse: postgresql://db/x?user=me&password=secret", "password"),
        ("reject_limit: 2", "reject_limit"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert told in message
    assert "\n" not in message
    assert "secret" not in message


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path, DICOM_PIPELINE_CONFIG=str(tmp_path / "none.yaml"))


def test_remembered_archives_are_seen_but_the_file_wins(tmp_path: Path) -> None:
    dates = [dt.date(2001, 2, 3), dt.date(2002, 2, 3)]
    settings = load(tmp_path)
    settings.remember(Archive(tenant="a", root="/from/shell").covering(dates))
    settings.remember(Archive(tenant="c", root="/c"))
    archives = load(tmp_path, "archives: [{tenant: a, root: /from/file}]").all_archives
    assert [(a.tenant, a.root) for a in archives] == [("a", "/from/file"), ("c", "/c")]
    assert archives[0].first_partition == dt.date(2001, 1, 1)


def test_partitions_of_an_archive_never_become_fewer() -> None:
    archive = Archive(root="/x").covering([dt.date(2001, 2, 3), dt.date(2009, 1, 1)])
    assert archive.covering([dt.date(2005, 5, 5)]) == archive
    assert archive.covering([]) == archive


def test_the_warehouse_is_not_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, DICOM_PIPELINE_WAREHOUSE="postgresql://me:secret@db/x")
    assert "secret" not in repr(settings)


def test_an_archive_is_five_lines(tmp_path: Path) -> None:
    text = (
        "  - tenant: hospital-a\n"
        "    root: /mnt/pacs/a\n"
        "    start_date: 20100101\n"
        "    timezone: Europe/Berlin\n"
        "    schedule: 13:30\n"
    )
    [archive] = load(tmp_path, f"archives:\n{text}").all_archives
    assert archive.start_date == dt.date(2010, 1, 1)
    assert (archive.timezone, archive.schedule, archive.watch) == ("Europe/Berlin", "13:30", False)


@pytest.mark.parametrize(("written", "meant"), [("2:05", "02:05"), ("00:00", "00:00"), ("off", None), ("no", None)])
def test_a_schedule_is_a_time_of_day_or_off(tmp_path: Path, written: str, meant: str | None) -> None:
    [archive] = load(tmp_path, f"archives: [{{root: /a, schedule: {written}}}]").all_archives
    assert archive.schedule == meant


def test_yesterday_is_that_of_the_archives_place() -> None:
    moment = dt.datetime(2024, 3, 31, 22, 30, tzinfo=dt.UTC)
    days = {z: Archive(root="/a", timezone=z).yesterday(moment).isoformat() for z in ("UTC", "Europe/Berlin")}
    assert days == {"UTC": "2024-03-30", "Europe/Berlin": "2024-03-31"}


def test_limits_of_an_archive_go_before_those_of_all(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "reject_limit: 0.2\npartitions_per_run: 7\n"
        "archives: [{tenant: a, root: /a, reject_limit: 0, partitions_per_run: 90}, {tenant: b, root: /b}]\n",
    )
    assert [settings.reject_limit_of(a) for a in settings.all_archives] == [0, 0.2]
    assert [settings.partitions_per_run_of(a) for a in settings.all_archives] == [90, 7]


def test_an_archive_may_name_a_warehouse_whose_url_may_come_from_the_environment(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "warehouse: postgresql://db/main\n"
        "warehouses: {research: postgresql://db/research, night_shift: }\n"
        "archives:\n"
        "  - {tenant: a, root: /a}\n"
        "  - {tenant: b, root: /b, warehouse: research}\n"
        "  - {tenant: c, root: /c, warehouse: night_shift}\n",
        DICOM_PIPELINE_WAREHOUSE_NIGHT_SHIFT="postgresql://me:secret@db/night",
    )
    urls = [settings.warehouse_of(archive) for archive in settings.all_archives]
    assert urls == ["postgresql://db/main", "postgresql://db/research", "postgresql://me:secret@db/night"]
    assert "secret" not in repr(settings)


def test_what_works_by_itself_is_not_remembered(tmp_path: Path) -> None:
    settings = load(tmp_path)
    settings.remember(
        Archive(tenant="a", root="/a", schedule="02:00", watch=True, warehouse="gone", timezone="Asia/Tokyo")
    )
    [archive] = load(tmp_path).all_archives
    assert (archive.schedule, archive.watch, archive.warehouse, archive.timezone) == (None, False, None, "Asia/Tokyo")

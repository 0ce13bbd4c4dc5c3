"""Date templates and the search for date directories."""

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.archive.entries import EntryRow, FileEntry
from dicom_pipeline.archive.layouts import DateDirectories, DateListing
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.errors import ArchiveError, ConfigurationError

TEMPLATES = [
    "%Y%m%d",
    "%Y/%m/%d",
    "%Y-%m-%d",
    "year=%Y/month=%m/day=%d",
    "%d/%m/%Y",
    "%m%d/%Y",
    "YYYYMMDD",
    "YYYY/MM/DD",
    "YYYY-MM-DD",
    "dicom/%Y/%m%d",
    "100%%/%Y.%m.%d",
    "in (%Y) [%m] %d+",
]


class TreeStore:
    """An archive of nothing but directories, and a note of which of them were listed."""

    def __init__(self, directories: Iterable[str]) -> None:
        self._tree: dict[str, set[str]] = {"": set()}
        self.listed: list[str] = []
        for directory in directories:
            parent = ""
            for name in directory.split("/"):
                self._tree[parent].add(name)
                parent = f"{parent}/{name}" if parent else name
                self._tree.setdefault(parent, set())

    def subdirectories(self, directory: str) -> list[str]:
        self.listed.append(directory)
        return sorted(self._tree[directory])

    def count_others(self, directory: str) -> int:
        return 0

    def walk(self, directory: str) -> Iterator[FileEntry]:
        raise NotImplementedError

    def rows(self, directory: str) -> Iterator[EntryRow]:
        raise NotImplementedError

    def open(self, path: str):
        raise NotImplementedError


@pytest.mark.parametrize("template", TEMPLATES)
@settings(deadline=None, max_examples=40)
@given(dates=st.sets(st.dates(), max_size=8))
def test_every_date_is_found_by_the_directory_it_is_given(template: str, dates: set[dt.date]) -> None:
    layout = DateDirectories(template)
    store = TreeStore(layout.directory(date) for date in dates)
    assert layout.dates(store) == DateListing(sorted(dates), 0)


@pytest.mark.parametrize("template", TEMPLATES)
@settings(deadline=None, max_examples=40)
@given(
    dates=st.sets(st.dates(dt.date(2022, 11, 1), dt.date(2024, 2, 28)), max_size=8),
    limits=st.tuples(
        st.dates(dt.date(2022, 6, 1), dt.date(2024, 6, 1)), st.dates(dt.date(2022, 6, 1), dt.date(2024, 6, 1))
    ),
)
def test_a_range_has_both_its_ends(template: str, dates: set[dt.date], limits: tuple[dt.date, dt.date]) -> None:
    layout = DateDirectories(template)
    listing = layout.dates(TreeStore(map(layout.directory, dates)), *limits)
    assert listing == DateListing(sorted(d for d in dates if limits[0] <= d <= limits[1]), 0)


@pytest.mark.parametrize(
    ("template", "date", "directory"),
    [
        ("%Y%m%d", dt.date(2024, 3, 5), "20240305"),
        ("%Y%m%d", dt.date(1, 1, 1), "00010101"),
        ("YYYY/MM/DD", dt.date(987, 12, 31), "0987/12/31"),
        ("year=%Y/month=%m/day=%d", dt.date(2024, 3, 5), "year=2024/month=03/day=05"),
        ("100%%/%Y.%m.%d", dt.date(2024, 3, 5), "100%/2024.03.05"),
    ],
)
def test_the_directory_of_a_date(template: str, date: dt.date, directory: str) -> None:
    assert DateDirectories(template).directory(date) == directory


@pytest.mark.parametrize(
    "name",
    [
        "20240230",
        "2024035",
        "202403051",
        "00000101",
        "20241301",
        "20240100",
        " 20240305",
        "20240305\n",
        "2024030\u0665",
        "²0240305",
        "+2024305",
        "-0240305",
        "2024 3 5",
        "2024-03-05",
        "20240305.old",
        "DOE^JANE",
    ],
)
def test_a_name_that_is_no_date_is_counted(name: str) -> None:
    listing = DateDirectories().dates(TreeStore(["20240305", name]))
    assert listing == DateListing([dt.date(2024, 3, 5)], 1)


@pytest.mark.parametrize(
    "path", ["2024/3/05", "2024/13/01", "2024/02/30", "0000/01/01", "24/01/01", "2024/01/1", "x/01/01"]
)
def test_on_every_level_what_is_no_date_is_counted(path: str) -> None:
    assert DateDirectories("%Y/%m/%d").dates(TreeStore(["2024/03/05", path])) == DateListing([dt.date(2024, 3, 5)], 1)


def test_leap_days_are_taken_strictly() -> None:
    listing = DateDirectories("%d/%m/%Y").dates(TreeStore(["29/02/2024", "29/02/2023", "29/02/1900"]))
    assert listing == DateListing([dt.date(2024, 2, 29)], 2)


def test_years_and_months_out_of_the_range_are_not_listed() -> None:
    store = TreeStore(["2022/01/01", "2023/11/01", "2023/12/31", "2024/01/01", "2024/02/01", "2025/01/01"])
    listing = DateDirectories("%Y/%m/%d").dates(store, dt.date(2023, 12, 5), dt.date(2024, 1, 1))
    assert listing.dates == [dt.date(2023, 12, 31), dt.date(2024, 1, 1)]
    assert store.listed == ["", "2023", "2023/12", "2024", "2024/01"]


def test_files_among_the_directories_are_counted(tmp_path: Path) -> None:
    for name in ("2024/03/05/a.dcm", "2024/03/note.txt", "2024/note.txt", "README", "DICOMDIR", "misc/deep/er/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "2024/03/06").symlink_to("/tmp")
    assert DateDirectories("%Y/%m/%d").dates(LocalStore(tmp_path)) == DateListing([dt.date(2024, 3, 5)], 6)


def test_files_of_a_date_are_its_directorys_alone(tmp_path: Path) -> None:
    for name in ("20240305/b/x", "20240305/a", "20240306/a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    layout, store = DateDirectories(), LocalStore(tmp_path)
    assert [path for path, *_ in layout.rows(store, dt.date(2024, 3, 5))] == [b"20240305/a", b"20240305/b/x"]
    assert list(layout.rows(store, dt.date(2024, 3, 7))) == []


def test_a_missing_root_is_not_a_date_without_files(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "unmounted")
    with pytest.raises(ArchiveError):
        list(DateDirectories().rows(store, dt.date(2024, 3, 5)))
    with pytest.raises(ArchiveError):
        DateDirectories().dates(store)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "%Y",
        "%Y%m",
        "%Y%m%d%d",
        "%Y/%Y%m%d",
        "%y%m%d",
        "%Y%j",
        "%F",
        "%Y%m%d%",
        "%Y%m%d%H",
        "%-d%Y%m",
        "YYYYMM",
        "YYYYMMDDDD",
        "YYYY%m%d",
        "yyyymmdd",
        "/%Y%m%d",
        "%Y%m%d/",
        "%Y//%m%d",
        "../%Y%m%d",
        "%Y/./%m%d",
        "%Y%m%d\0",
    ],
)
def test_other_templates_are_refused_in_one_line(template: str) -> None:
    with pytest.raises(ConfigurationError, match="such as") as caught:
        DateDirectories(template)
    assert "\n" not in str(caught.value)

"""The date index: what it asks, what it remembers, and that no accident makes it lie."""

import datetime as dt
import multiprocessing
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dicom_pipeline.archive import index_file
from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.index import ArchiveIndex, DateAnswer, IndexChange
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.errors import ArchiveError

DAY = dt.date(2024, 3, 5)
NOTHING = IndexChange(0, 0, 0, frozenset())


class FakeArchive:
    """A store whose listing is a dictionary, and what its files would say when read."""

    def __init__(self) -> None:
        self.entries: dict[str, FileEntry] = {}
        self.answers: dict[str, DateAnswer] = {}
        self.asked: list[list[str]] = []

    def put(self, path: str, answer: DateAnswer, size: int = 1, mtime_ns: int = 1, problem: str | None = None) -> None:
        known = problem is None
        self.entries[path] = FileEntry(path, size if known else None, mtime_ns if known else None, problem)
        self.answers[path] = answer

    def walk(self, directory: str) -> Iterator[FileEntry]:
        assert directory == ""
        return iter([self.entries[path] for path in sorted(self.entries)])

    def read_dates(self, entries: Sequence[FileEntry]) -> list[DateAnswer]:
        self.asked.append([entry.path for entry in entries])
        return [self.answers[entry.path] for entry in entries]

    def update(self, index: ArchiveIndex) -> IndexChange:
        self.asked.clear()
        return index.update(self, self.read_dates)  # type: ignore[arg-type]

    @property
    def asked_paths(self) -> list[str]:
        return [path for batch in self.asked for path in batch]


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive()


@pytest.fixture
def index(tmp_path: Path) -> ArchiveIndex:
    return ArchiveIndex(tmp_path / "state" / "index.parquet")


def _file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "index.parquet"


def test_entries_are_found_by_date(archive: FakeArchive, index: ArchiveIndex) -> None:
    archive.put("b", DAY, 2, 3)
    archive.put("a", DAY, 4, 5)
    archive.put("c", dt.date(1, 1, 1))
    archive.put("d", dt.date(9999, 12, 31))
    archive.put("note", None)
    archive.put("pipe", None, problem="NotAFile")
    change = archive.update(index)
    assert change == IndexChange(6, 0, 0, frozenset({DAY, dt.date(1, 1, 1), dt.date(9999, 12, 31), None}))
    assert index.dates() == [dt.date(1, 1, 1), DAY, dt.date(9999, 12, 31)]
    assert list(index.files(DAY)) == [FileEntry("a", 4, 5), FileEntry("b", 2, 3)]
    assert [e.path for e in index.files(dt.date(9999, 12, 31))] == ["d"]
    assert list(index.files(dt.date(2024, 3, 6))) == []
    assert list(index.undated()) == [FileEntry("note", 1, 1), FileEntry("pipe", None, None, "NotAFile")]


def test_only_new_and_changed_files_are_read(archive: FakeArchive, index: ArchiveIndex) -> None:
    for path in ("grown", "note", "same", "touched", "gone"):
        archive.put(path, None if path == "note" else DAY)
    archive.put("pipe", DAY, problem="NotAFile")
    archive.update(index)
    assert archive.asked_paths == ["gone", "grown", "note", "same", "touched"]
    other = dt.date(2024, 3, 6)
    archive.put("grown", DAY, size=2)
    archive.put("touched", other, mtime_ns=2)
    archive.put("new", other)
    del archive.entries["gone"]
    assert archive.update(index) == IndexChange(1, 2, 1, frozenset({DAY, other}))
    assert archive.asked_paths == ["grown", "new", "touched"]
    assert [e.path for e in index.files(other)] == ["new", "touched"]
    assert archive.update(index) == NOTHING
    assert archive.asked == []


def test_the_dates_touched_are_the_old_and_the_new(archive: FakeArchive, index: ArchiveIndex) -> None:
    old, new, gone, untouched = (dt.date(2024, 1, day) for day in (1, 2, 3, 4))
    for path, date in (("moves", old), ("goes", gone), ("stays", untouched), ("junk", None)):
        archive.put(path, date)
    archive.update(index)
    archive.put("moves", new, size=9)
    del archive.entries["goes"]
    assert archive.update(index).dates_touched == {old, new, gone}
    del archive.entries["junk"]
    assert archive.update(index).dates_touched == {None}


def test_a_file_that_could_not_be_read_is_tried_again(archive: FakeArchive, index: ArchiveIndex) -> None:
    archive.put("a", "PermissionDenied", 7, 8)
    archive.put("b", None)
    assert archive.update(index) == IndexChange(2, 0, 0, frozenset({None}))
    assert list(index.undated()) == [FileEntry("a", 7, 8, "PermissionDenied"), FileEntry("b", 1, 1)]
    # Still the same: asked, but nothing has changed.
    assert archive.update(index) == NOTHING
    assert archive.asked_paths == ["a"]
    # Permissions are mended without a change of size or time.
    archive.answers["a"] = DAY
    assert archive.update(index) == IndexChange(0, 1, 0, frozenset({None, DAY}))
    assert list(index.files(DAY)) == [FileEntry("a", 7, 8)]
    assert archive.update(index) == NOTHING
    assert archive.asked == []


def test_a_problem_that_comes_or_goes_is_a_change(archive: FakeArchive, index: ArchiveIndex) -> None:
    archive.put("a", DAY)
    archive.update(index)
    archive.put("a", DAY, problem="PermissionDenied")
    assert archive.update(index) == IndexChange(0, 1, 0, frozenset({None, DAY}))
    assert archive.asked == []
    archive.put("a", DAY, problem="Vanished")
    assert archive.update(index) == IndexChange(0, 1, 0, frozenset({None}))
    archive.put("a", DAY)
    assert archive.update(index) == IndexChange(0, 1, 0, frozenset({None, DAY}))


def test_files_are_read_in_batches(archive: FakeArchive, index: ArchiveIndex) -> None:
    for number in range(1200):
        archive.put(f"{number:05}", DAY)
    archive.update(index)
    assert [len(batch) for batch in archive.asked] == [512, 512, 176]
    # Few changes far apart still come together.
    for number in range(0, 1200, 100):
        archive.put(f"{number:05}", DAY, size=2)
    archive.update(index)
    assert [len(batch) for batch in archive.asked] == [12]


def test_too_few_answers_are_an_error_and_change_nothing(archive: FakeArchive, index: ArchiveIndex) -> None:
    archive.put("a", DAY)
    archive.update(index)
    archive.put("b", DAY)
    with pytest.raises(ValueError, match="zip"):
        index.update(archive, lambda entries: [])  # type: ignore[arg-type]
    assert [e.path for e in index.files(DAY)] == ["a"]


def test_an_empty_archive_has_an_empty_index(archive: FakeArchive, index: ArchiveIndex) -> None:
    assert archive.update(index) == NOTHING
    assert (index.dates(), list(index.files(DAY)), list(index.undated())) == ([], [], [])
    archive.put("a", DAY)
    archive.update(index)
    del archive.entries["a"]
    assert archive.update(index) == IndexChange(0, 0, 1, frozenset({DAY}))
    assert index.dates() == []


def test_an_index_that_is_not_there_is_an_error(index: ArchiveIndex) -> None:
    for ask in (index.dates, lambda: list(index.files(DAY)), lambda: list(index.undated())):
        with pytest.raises(ArchiveError, match="update the index"):
            ask()


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes:
    return data[:60] + bytes([data[60] ^ 0xFF]) + data[61:]


@pytest.mark.parametrize("damage", [_cut, _flip, lambda _: b"", lambda _: b"PAR1 not at all"])
def test_a_damaged_index_is_made_anew(archive: FakeArchive, index: ArchiveIndex, tmp_path: Path, damage) -> None:
    for number in range(50):
        archive.put(f"{number:03}", DAY)
    archive.update(index)
    _file(tmp_path).write_bytes(damage(_file(tmp_path).read_bytes()))
    with pytest.raises(ArchiveError, match="damaged"):
        list(index.files(DAY))
    assert archive.update(index) == IndexChange(50, 0, 0, frozenset({DAY}))
    assert len(archive.asked_paths) == 50
    assert len(list(index.files(DAY))) == 50


def test_a_changed_byte_among_the_rows_is_never_believed(
    archive: FakeArchive, index: ArchiveIndex, tmp_path: Path
) -> None:
    for number in range(50):
        archive.put(f"{number * 7919:06}", DAY, size=number * 104729 % 1000)
    archive.update(index)
    expected = list(index.files(DAY))
    data = _file(tmp_path).read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    refused = 0
    for place in range(4, footer, 2):
        _file(tmp_path).write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        try:
            assert list(index.files(DAY)) == expected
        except ArchiveError:
            refused += 1
    assert refused > footer / 4


@pytest.mark.parametrize("change", ["version", "schema"])
def test_an_index_of_another_version_is_made_anew(
    archive: FakeArchive, index: ArchiveIndex, tmp_path: Path, change: str
) -> None:
    archive.put("a", DAY)
    archive.update(index)
    table = pq.read_table(_file(tmp_path))
    if change == "version":
        table = table.replace_schema_metadata({b"dicom_pipeline.archive_index": b"0"})
    else:
        table = table.drop_columns(["problem"])
    pq.write_table(table, _file(tmp_path))
    with pytest.raises(ArchiveError, match="damaged"):
        index.dates()
    assert archive.update(index).added == 1
    assert index.dates() == [DAY]


def test_a_failed_listing_leaves_the_old_index(archive: FakeArchive, index: ArchiveIndex, tmp_path: Path) -> None:
    archive.put("a", DAY)
    archive.update(index)
    before = _file(tmp_path).read_bytes()
    archive.put("b", DAY)

    def walk(directory: str) -> Iterator[FileEntry]:
        yield archive.entries["b"]
        raise ArchiveError("the archive has gone")

    archive.walk = walk  # type: ignore[method-assign]
    with pytest.raises(ArchiveError, match="has gone"):
        archive.update(index)
    assert _file(tmp_path).read_bytes() == before


def test_an_update_killed_before_its_end_leaves_the_old_index(
    archive: FakeArchive, index: ArchiveIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.put("a", DAY)
    archive.update(index)
    archive.put("b", DAY)

    def killed() -> None:
        # All is written but for the rename: the worst moment.
        monkeypatch.setattr(os, "fsync", lambda _: os._exit(9))
        archive.update(index)

    process = multiprocessing.get_context("fork").Process(target=killed)
    process.start()
    process.join()
    assert process.exitcode == 9
    assert [e.path for e in index.files(DAY)] == ["a"]
    assert archive.update(index).added == 1
    assert [e.path for e in index.files(DAY)] == ["a", "b"]
    assert sorted(os.listdir(tmp_path / "state")) == [".index.parquet.lock", "index.parquet"]


def test_the_index_is_private_and_not_written_without_need(
    archive: FakeArchive, index: ArchiveIndex, tmp_path: Path
) -> None:
    archive.put("a", DAY)
    old = os.umask(0)
    try:
        archive.update(index)
    finally:
        os.umask(old)
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    written = _file(tmp_path).stat()
    archive.update(index)
    assert _file(tmp_path).stat().st_ino == written.st_ino
    archive.put("a", DAY, size=2)
    archive.update(index)
    assert _file(tmp_path).stat().st_ino != written.st_ino


def test_a_reader_keeps_what_it_began_with(archive: FakeArchive, index: ArchiveIndex) -> None:
    archive.put("a", DAY)
    archive.put("b", DAY)
    archive.update(index)
    reader = index.files(DAY)
    assert next(reader).path == "a"
    archive.entries.clear()
    archive.update(index)
    assert [e.path for e in reader] == ["b"]


def test_updates_of_one_index_wait_for_each_other(archive: FakeArchive, index: ArchiveIndex, tmp_path: Path) -> None:
    archive.put("a", DAY)
    log = tmp_path / "log"

    def slow(entries: Sequence[FileEntry]) -> list[dt.date]:
        # Were two at it at once, their marks would be mixed.
        for mark in ("begun ", "done "):
            with log.open("a") as file:
                file.write(mark)
            time.sleep(0.05)
        return [DAY] * len(entries)

    context = multiprocessing.get_context("fork")
    changes = context.Queue()
    processes = [context.Process(target=lambda: changes.put(index.update(archive, slow))) for _ in range(3)]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    found = sorted(changes.get(timeout=30).added for _ in processes)
    for process in processes:
        process.join()
    # The first did the work, the others found it done.
    assert found == [0, 0, 1]
    assert log.read_text() == "begun done "


def test_rows_beyond_one_stretch_and_group_stay_in_order(
    archive: FakeArchive, index: ArchiveIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_file, "_ROWS_AT_ONCE", 700)
    monkeypatch.setattr(index_file, "_SPILL_GROUP", 64)
    monkeypatch.setattr(index_file, "_ROW_GROUP", 128)
    monkeypatch.setattr("dicom_pipeline.archive.index._LISTED_AT_ONCE", 300)
    dates = [None, *(dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(9))]
    for number in range(5000):
        archive.put(f"{number:05}", dates[number * 7919 % 10], size=number)
    archive.update(index)
    assert index.dates() == dates[1:]
    for place, date in enumerate(dates):
        found = list(index.undated() if date is None else index.files(date))
        assert found == [archive.entries[f"{n:05}"] for n in range(5000) if n * 7919 % 10 == place]
    assert archive.update(index) == NOTHING


def test_real_files_of_any_name(tmp_path: Path, index: ArchiveIndex) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    names = [b"\xff\n.dcm", "ümläut".encode(), b"\xc3"]
    for name in names:
        with open(os.fsencode(root) + b"/" + name, "wb") as file:
            file.write(name)
    (root / "link").symlink_to("/etc/hostname")
    store = LocalStore(root)
    index.update(store, lambda entries: [DAY for _ in entries])
    assert sorted(os.fsencode(e.path) for e in index.files(DAY)) == sorted(names)
    for entry in index.files(DAY):
        with store.open(entry.path) as stream:
            assert stream.read() == os.fsencode(entry.path)
    assert [e.problem for e in index.undated()] == ["LinkOutsideArchive"]


_PATHS = st.sampled_from(["a", "a/b", "c", "é", os.fsdecode(b"\xff"), "x" * 300])
_ANSWERS = st.one_of(st.none(), st.sampled_from([DAY, dt.date(1999, 12, 31), dt.date(1, 1, 1)]), st.just("ReadError"))


class IndexAgainstModel(RuleBasedStateMachine):
    """Any order of changes and updates: the index says what a dictionary says."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.index = ArchiveIndex(Path(self.home.name) / "index")
        self.archive = FakeArchive()
        self.model: dict[str, tuple[FileEntry, dt.date | None]] = {}
        self.archive.update(self.index)

    def teardown(self) -> None:
        self.home.cleanup()

    @rule(path=_PATHS, answer=_ANSWERS, size=st.integers(0, 2), mtime_ns=st.integers(-1, 1))
    def put(self, path: str, answer: DateAnswer, size: int, mtime_ns: int) -> None:
        self.archive.put(path, answer, size, mtime_ns)

    @rule(path=_PATHS, problem=st.sampled_from(["Vanished", "ReadError"]))
    def break_(self, path: str, problem: str) -> None:
        self.archive.put(path, None, problem=problem)

    @rule(path=_PATHS)
    def remove(self, path: str) -> None:
        self.archive.entries.pop(path, None)

    @rule()
    def update(self) -> None:
        before, self.model = self.model, self._expected()
        touched: set[dt.date | None] = set()
        for path in before.keys() | self.model.keys():
            if before.get(path) != self.model.get(path):
                touched |= {row[1] for row in (before.get(path), self.model.get(path)) if row is not None}
        both = before.keys() & self.model.keys()
        assert self.archive.update(self.index) == IndexChange(
            added=len(self.model.keys() - before.keys()),
            changed=sum(before[path] != self.model[path] for path in both),
            removed=len(before.keys() - self.model.keys()),
            dates_touched=frozenset(touched),
        )

    def _expected(self) -> dict[str, tuple[FileEntry, dt.date | None]]:
        rows: dict[str, tuple[FileEntry, dt.date | None]] = {}
        for path, entry in self.archive.entries.items():
            old = self.model.get(path)
            answer = None if entry.problem else self.archive.answers[path]
            if old is not None and old[0] == entry:
                rows[path] = old
            elif isinstance(answer, str):
                rows[path] = (replace(entry, problem=answer), None)
            else:
                rows[path] = (entry, answer)
        return rows

    @invariant()
    def says_what_the_model_says(self) -> None:
        rows = sorted(self.model.items())
        assert self.index.dates() == sorted({date for _, (_, date) in rows if date is not None})
        for date in self.index.dates():
            assert list(self.index.files(date)) == [entry for _, (entry, day) in rows if day == date]
        assert list(self.index.undated()) == [entry for _, (entry, day) in rows if day is None]


TestIndexAgainstModel = IndexAgainstModel.TestCase
TestIndexAgainstModel.settings = settings(deadline=None, max_examples=25, stateful_step_count=20)

"""Listing and opening local archives: links, permissions, names of any bytes, what changes meanwhile."""

import errno
import inspect
import os
import pickle
import socket
import sys
from pathlib import Path

import pytest

from dicom_pipeline.archive import local, problems, tree
from dicom_pipeline.archive.entries import DirectoryVanished, FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.errors import ArchiveError, ConfigurationError

NAME = "DOE^JANE"


def _write(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _paths(store: LocalStore, directory: str = "") -> list[str]:
    return [entry.path for entry in store.walk(directory)]


def _problems(store: LocalStore, directory: str = "") -> dict[str, str | None]:
    return {entry.path: entry.problem for entry in store.walk(directory)}


def test_every_problem_is_a_reason_code() -> None:
    codes = {value for name, value in vars(problems).items() if name.isupper() and isinstance(value, str)}
    assert len(codes) == 5
    assert codes <= {reason.value for reason in Reason}


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (errno.EACCES, "PermissionDenied"),
        (errno.ENOENT, "Vanished"),
        (errno.ELOOP, "Vanished"),
        (errno.EISDIR, "NotAFile"),
        (errno.EIO, "ReadError"),
        (errno.ESTALE, "ReadError"),
    ],
)
def test_errors_of_the_system_have_a_code(code: int, problem: str) -> None:
    assert problems.problem_of(OSError(code, "text")) == problem


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_shortage_is_no_files_fault(code: int) -> None:
    with pytest.raises(ArchiveError, match="files cannot be opened any more"):
        problems.problem_of(OSError(code, "text"))


def test_walk_tells_path_size_and_time(tmp_path: Path) -> None:
    file = _write(tmp_path / "20240101" / "a" / "b.dcm", b"12345")
    os.utime(file, ns=(1, 1_700_000_000_123_456_789))
    assert list(LocalStore(tmp_path).walk("20240101")) == [
        FileEntry("20240101/a/b.dcm", 5, 1_700_000_000_123_456_789, None)
    ]


def test_walk_lists_every_name_there_can_be_and_open_opens_it(tmp_path: Path) -> None:
    names = [
        b"plain.dcm",
        b"no extension",
        b"two\nlines\r",
        b" blank ",
        b"\xff\xfe.dcm",
        b"half\xc3",
        "ümläut ☃ 😀".encode(),
        b"x" * 255,
        b"-rf",
        b"*",
        b"\\xff",
        b"\x01\x7f",
    ]
    folder = os.fsencode(tmp_path) + b"/d\xe9p\xf4t"
    os.mkdir(folder)
    for number, name in enumerate(names):
        with open(folder + b"/" + name, "wb") as file:
            file.write(b"%d" % number)
    store = LocalStore(tmp_path)
    listed = [os.fsencode(path) for path in _paths(store)]
    assert listed == [b"d\xe9p\xf4t/" + name for name in sorted(names)]
    for path in listed:
        with store.open(os.fsdecode(path)) as stream:
            assert stream.read() == b"%d" % names.index(path.split(b"/")[1])


def test_walk_is_ordered_by_the_bytes_of_each_component(tmp_path: Path) -> None:
    # "a-b" sorts before "a/..." as a whole path, and U+E000 before a stray byte as text; neither counts.
    for name in (b"a/z", b"a-b", b"B", b"\xee\x80\x80", b"\xff"):
        path = os.fsencode(tmp_path) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").close()
    assert [os.fsencode(p) for p in _paths(LocalStore(tmp_path))] == [b"B", b"a/z", b"a-b", b"\xee\x80\x80", b"\xff"]


def test_links_inside_the_archive_are_followed(tmp_path: Path) -> None:
    _write(tmp_path / "store" / "one.dcm", b"123")
    day = tmp_path / "20240101"
    day.mkdir()
    (day / "file").symlink_to("../store/one.dcm")
    (day / "absolute").symlink_to(tmp_path / "store" / "one.dcm")
    (day / "folder").symlink_to("../store")
    entries = list(LocalStore(tmp_path).walk("20240101"))
    assert [e.path for e in entries] == ["20240101/absolute", "20240101/file", "20240101/folder/one.dcm"]
    assert {(e.size, e.problem) for e in entries} == {(3, None)}


def test_loops_end_and_each_directory_is_entered_once(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "b" / "one.dcm")
    (tmp_path / "a" / "b" / "up").symlink_to("../..")
    (tmp_path / "a" / "b" / "self").symlink_to(".")
    (tmp_path / "a" / "again").symlink_to("b")
    (tmp_path / "z").symlink_to("a/b")
    assert _paths(LocalStore(tmp_path)) == ["a/again/one.dcm"]
    # From further down the same links lead up, and round to where the walk began.
    assert _paths(LocalStore(tmp_path), "a/b") == ["a/b/one.dcm"]


def test_links_that_lead_outside_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    _write(tmp_path / "outside" / "secret.dcm")
    _write(tmp_path / "archive2" / "sibling.dcm")  # The root's name is the beginning of this one's.
    root.mkdir()
    (root / "file").symlink_to(tmp_path / "outside" / "secret.dcm")
    (root / "folder").symlink_to("../outside")
    (root / "sibling").symlink_to("../archive2")
    (root / "twice").symlink_to("folder/secret.dcm")
    (root / "nowhere").symlink_to("/nonexistent/place")
    store = LocalStore(root)
    assert set(_problems(store).values()) == {"LinkOutsideArchive"}
    assert _paths(store) == ["file", "folder", "nowhere", "sibling", "twice"]
    assert all(entry.size is None and entry.mtime_ns is None for entry in store.walk(""))
    assert store.subdirectories("") == []
    assert store.count_others("") == 5


def test_links_to_nothing_and_in_a_circle_have_vanished(tmp_path: Path) -> None:
    (tmp_path / "broken").symlink_to("gone.dcm")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "under").symlink_to("file/below")
    _write(tmp_path / "file")
    assert _problems(LocalStore(tmp_path)) == {
        "broken": "Vanished",
        "circle": "Vanished",
        "file": None,
        "under": "Vanished",
    }


def test_what_is_no_file_is_listed_and_never_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "linked").symlink_to("pipe")
    monkeypatch.chdir(tmp_path)  # A socket's path may have some hundred bytes only.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        store = LocalStore(tmp_path)
        assert _problems(store) == dict.fromkeys(["linked", "pipe", "socket"], "NotAFile")
        for name in ("linked", "pipe", "socket"):
            with pytest.raises(OSError, match=r"^\[Errno 6\]") as caught:
                store.open(name)
            assert problems.problem_of(caught.value) == "NotAFile"


def test_walk_goes_on_behind_an_unreadable_directory(open_tree: Path, unprivileged) -> None:
    closed = open_tree / "20240101" / "b"
    _write(closed / "hidden.dcm")
    unsearchable = open_tree / "20240101" / "c"
    _write(unsearchable / "known by name.dcm")
    for path in (open_tree / "20240101" / "a.dcm", open_tree / "20240101" / "d.dcm"):
        _write(path)
    (open_tree / "20240101" / "d.dcm").chmod(0)
    closed.chmod(0)
    unsearchable.chmod(0o444)
    store = LocalStore(open_tree)
    with unprivileged():
        assert _problems(store, "20240101") == {
            "20240101/a.dcm": None,
            "20240101/b": "PermissionDenied",
            "20240101/c/known by name.dcm": "PermissionDenied",
            "20240101/d.dcm": None,
        }
        with pytest.raises(PermissionError) as caught:
            store.open("20240101/d.dcm")
    assert str(caught.value) == "[Errno 13] Permission denied"


@pytest.mark.parametrize(("place", "told"), [("20240101", True), ("2024/03", True), (NAME, False), ("12345678", False)])
def test_an_unreadable_start_is_an_error_that_names_dates_only(
    open_tree: Path, unprivileged, place: str, told: bool
) -> None:
    (open_tree / place).mkdir(parents=True)
    (open_tree / place).chmod(0)
    store = LocalStore(open_tree)
    with unprivileged():
        for call in (store.walk, store.subdirectories, store.count_others):
            with pytest.raises(ArchiveError, match="read and search permission") as caught:
                call(place)
            assert (place in str(caught.value)) is told
            assert not isinstance(caught.value, DirectoryVanished)


def test_a_level_that_can_be_read_but_not_searched_is_an_error(open_tree: Path, unprivileged) -> None:
    (open_tree / "2024" / "03").mkdir(parents=True)
    (open_tree / "2024").chmod(0o444)
    with unprivileged(), pytest.raises(ArchiveError, match="2024 cannot be listed"):
        LocalStore(open_tree).subdirectories("2024")


@pytest.mark.parametrize(("place", "told"), [("20240101", True), ("year=2024/month=03/day=05", True), (NAME, False)])
def test_a_missing_start_has_vanished(tmp_path: Path, place: str, told: bool) -> None:
    with pytest.raises(DirectoryVanished) as caught:
        LocalStore(tmp_path).walk(place)
    assert (place in str(caught.value)) is told
    assert "\n" not in str(caught.value)


def test_a_missing_root_is_no_vanished_date(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="does not exist") as caught:
        LocalStore(tmp_path / "unmounted").walk("20240101")
    assert not isinstance(caught.value, DirectoryVanished)


@pytest.mark.parametrize("place", ["../other", "/etc", "link", "a/../../other"])
def test_a_start_outside_the_archive_is_refused(tmp_path: Path, place: str) -> None:
    root = tmp_path / "archive"
    (root / "a").mkdir(parents=True)
    _write(tmp_path / "other" / "x.dcm")
    (root / "link").symlink_to("../other")
    store = LocalStore(root)
    if place == "/etc":  # Taken relative to the root, as every path is.
        with pytest.raises(DirectoryVanished):
            store.walk(place)
        return
    with pytest.raises(ArchiveError, match="leads outside"):
        store.walk(place)


def test_what_vanishes_during_the_walk_is_an_entry(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.dcm", "c/d.dcm"):
        _write(tmp_path / name)
    walk = LocalStore(tmp_path).walk("")
    assert next(walk).path == "a.dcm"
    (tmp_path / "b.dcm").unlink()
    (tmp_path / "c" / "d.dcm").unlink()
    (tmp_path / "c").rmdir()
    assert [(e.path, e.size, e.problem) for e in walk] == [("b.dcm", None, "Vanished"), ("c", None, "Vanished")]


@pytest.mark.parametrize(
    ("code", "problem"),
    [(errno.ENOENT, "Vanished"), (errno.ENAMETOOLONG, "ReadError"), (errno.EACCES, "PermissionDenied")],
)
def test_a_directory_of_its_own_trouble_is_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, problem: str
) -> None:
    _fail_below(tmp_path, monkeypatch, code)
    assert _problems(LocalStore(tmp_path)) == {f"{NAME}": problem, "z.dcm": None}


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_disk_error_below_fails_the_listing_and_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    _fail_below(tmp_path, monkeypatch, code)
    with pytest.raises(ArchiveError, match=os.strerror(code)) as caught:
        _paths(LocalStore(tmp_path))
    assert NAME not in str(caught.value)


def _fail_below(root: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    _write(root / NAME / "hidden.dcm")
    _write(root / "z.dcm")
    real = os.listdir

    def listdir(path: bytes) -> list[bytes]:
        if os.fsencode(NAME) in path:
            raise OSError(code, os.strerror(code), path)
        return real(path)

    monkeypatch.setattr(local.os, "listdir", listdir)


def test_a_directory_of_many_names_is_walked_like_any_other(tmp_path: Path) -> None:
    names = [f"{number:03d}" for number in range(3 * tree._MANY_NAMES)]
    for name in names:
        _write(tmp_path / "day" / name, b"12")
    for name in ("010b", "020b"):
        _write(tmp_path / "day" / name / "x")
    (tmp_path / "day" / "030b").symlink_to("001")
    before = os.listdir("/proc/self/fd")
    walk = LocalStore(tmp_path).walk("day")
    entries = [next(walk) for _ in range(5)]
    (tmp_path / "day" / "040").unlink()
    entries += walk
    expected = sorted([*names, "010b/x", "020b/x", "030b"])
    assert [entry.path for entry in entries] == [f"day/{name}" for name in expected]
    assert {entry.path for entry in entries if entry.problem == "Vanished"} == {"day/040"}
    assert {entry.size for entry in entries} == {1, 2, None}
    abandoned = LocalStore(tmp_path).rows("day")
    next(abandoned), next(abandoned)
    del abandoned
    assert os.listdir("/proc/self/fd") == before


def test_depth_takes_none_of_pythons_stack(tmp_path: Path) -> None:
    _write(tmp_path / Path(*["d"] * 300) / "deep.dcm")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        (entry,) = LocalStore(tmp_path).walk("")
    finally:
        sys.setrecursionlimit(limit)
    assert entry.problem is None
    assert entry.path.endswith("d/deep.dcm")


def test_open_gives_the_bytes_unbuffered_and_seekable(tmp_path: Path) -> None:
    _write(tmp_path / "a.dcm", b"0123456789")
    with LocalStore(tmp_path).open("a.dcm") as stream:
        assert stream.read(2) == b"01"
        # Unbuffered: the descriptor stands exactly where we have read to.
        assert os.lseek(stream.fileno(), 0, os.SEEK_CUR) == 2
        stream.seek(8)
        assert stream.read() == b"89"
        assert not os.get_inheritable(stream.fileno())


@pytest.mark.parametrize("path", ["../outside", "link", "folder/outside", "day/../../outside", "within/../outside"])
def test_open_refuses_what_lies_outside(tmp_path: Path, path: str) -> None:
    root = tmp_path / "archive"
    (root / "day").mkdir(parents=True)
    _write(tmp_path / "outside")
    (root / "link").symlink_to("../outside")
    (root / "folder").symlink_to("..")
    (root / "within").symlink_to("day/..")
    with pytest.raises(PermissionError, match=r"^\[Errno 13\] outside the archive$"):
        LocalStore(root).open(path)


@pytest.mark.parametrize("path", [f"{NAME}/gone.dcm", NAME, "", "a\0b", f"{NAME}/" + "x" * 300])
def test_no_error_of_open_tells_a_path(tmp_path: Path, path: str) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(OSError, match=r"^\[Errno \d+\] ") as caught:
        LocalStore(tmp_path).open(path)
    error = caught.value
    assert error.filename is None
    assert error.__suppress_context__
    assert not any(part in str(error) for part in (NAME, str(tmp_path), "xxx"))


def test_failed_opens_leave_no_descriptor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    store = LocalStore(tmp_path)
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with pytest.raises(OSError, match="not a regular file"):
            store.open("pipe")
    assert os.listdir("/proc/self/fd") == before


def test_without_proc_links_outside_are_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "archive"
    _write(root / "in")
    _write(tmp_path / "out")
    (root / "link").symlink_to("../out")
    real = os.readlink

    def readlink(path: bytes) -> bytes:
        if path.startswith(b"/proc"):
            raise FileNotFoundError(errno.ENOENT, "no proc")
        return real(path)

    monkeypatch.setattr(local.os, "readlink", readlink)
    store = LocalStore(root)
    store.open("in").close()
    with pytest.raises(PermissionError):
        store.open("link")


def test_subdirectories_are_sorted_and_the_rest_counted(tmp_path: Path) -> None:
    for name in ("20240102", "20240101", "z"):
        (tmp_path / name).mkdir()
    _write(tmp_path / "README")
    (tmp_path / "20240103").symlink_to("20240101")
    (tmp_path / "20240104").symlink_to("gone")
    store = LocalStore(tmp_path)
    assert store.subdirectories("") == ["20240101", "20240102", "20240103", "z"]
    assert store.count_others("") == 2
    assert store.subdirectories("z") == []


def test_check_says_what_is_wrong_with_the_root(open_tree: Path, unprivileged) -> None:
    LocalStore(open_tree).check()
    _write(open_tree / "file")
    for name, mode in (("closed", 0), ("unsearchable", 0o444)):
        (open_tree / name).mkdir()
        (open_tree / name).chmod(mode)
    with unprivileged():
        for name, text in [
            ("gone", "does not exist"),
            ("file", "is not a directory"),
            ("closed", "read and search permission"),
            ("unsearchable", "read and search permission"),
            ("two\nlines", "does not exist"),
        ]:
            with pytest.raises(ArchiveError, match=text) as caught:
                LocalStore(open_tree / name).check()
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("root", ["", "a\0b"])
def test_a_root_that_is_no_path_is_a_wrong_setting(root: str) -> None:
    with pytest.raises(ConfigurationError):
        LocalStore(root)


def test_the_root_may_be_a_link_relative_and_of_any_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9el"))
    _write(real / "day" / "a.dcm")
    (tmp_path / "link").symlink_to(real)
    monkeypatch.chdir(tmp_path)
    store = LocalStore("link")
    monkeypatch.chdir("/")
    assert _paths(store) == ["day/a.dcm"]
    store.open("day/a.dcm").close()


def test_a_store_can_be_sent_to_another_process(tmp_path: Path) -> None:
    _write(tmp_path / "a.dcm")
    assert _paths(pickle.loads(pickle.dumps(LocalStore(tmp_path)))) == ["a.dcm"]

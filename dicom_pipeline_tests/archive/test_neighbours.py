"""Files that lie beside each other: opened within their directory, refused as the store refuses them."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.archive.neighbours import Neighbours


def contents(files: Neighbours, path: bytes) -> bytes:
    """Return what is in a file; raises what opening it raises."""
    descriptor = files.open(path)
    try:
        return os.pread(descriptor, 100, 0)
    finally:
        os.close(descriptor)


def refuses(files: Neighbours, path: bytes) -> bool:
    try:
        os.close(files.open(path))
    except OSError:
        return True
    return False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive of two directories of three files, each of which holds its own path."""
    root = tmp_path / "root"
    for directory in ("", "one", "one/two"):
        (root / directory).mkdir(exist_ok=True)
        for name in "abc":
            path = f"{directory}/{name}".lstrip("/")
            (root / path).write_bytes(path.encode())
    return root


def test_paths_lead_to_their_own_files_in_any_order(root: Path) -> None:
    paths = [f"{directory}{name}".encode() for directory in ("one/", "one/two/", "") for name in "abc"]
    with Neighbours(LocalStore(root)) as files:
        for path in paths + paths[::-1] + paths[::4] + paths[::2]:
            assert contents(files, path) == path


def test_a_directory_is_asked_once_where_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, right = [], os.readlink
    monkeypatch.setattr(os, "readlink", lambda path: asked.append(path) or right(path))
    with Neighbours(LocalStore(root)) as files:
        for path in (b"one/a", b"one/b", b"one/c", b"one/a", b"one/b"):
            contents(files, path)
    assert len(asked) == 2, "the first file, and then the directory for all others"


def test_links_lead_to_files_inside_only(root: Path) -> None:
    outside = root.parent / "root-2"
    outside.mkdir()
    for name in "abc":
        (outside / name).write_bytes(b"outside")
    (root / "link").symlink_to(outside)
    (root / "own").symlink_to("one/two")
    (root / "one" / "out").symlink_to(outside / "a")
    (root / "one" / "in").symlink_to("two/b")
    with Neighbours(LocalStore(root)) as files:
        for name in (b"a", b"b", b"c"):
            assert refuses(files, b"link/" + name)
            assert refuses(files, b"../root-2/" + name)
        assert [contents(files, b"own/" + name) for name in (b"a", b"b")] == [b"one/two/a", b"one/two/b"]
        assert contents(files, b"one/a") == b"one/a"
        assert refuses(files, b"one/out")
        assert contents(files, b"one/in") == b"one/two/b"
        (root / "one" / "b").unlink()
        (root / "one" / "b").symlink_to(outside / "b")
        assert refuses(files, b"one/b")


def test_what_is_missing_or_has_no_name_is_refused(root: Path) -> None:
    with Neighbours(LocalStore(root)) as files:
        for path in (b"one/a", b"one/missing", b"one/", b"one/a\0b", b"one/" + b"n" * 256, b"one/a/a", b"gone/a"):
            assert refuses(files, path) == (path != b"one/a")
        assert refuses(files, b"gone/b")


def test_no_error_tells_the_path(root: Path) -> None:
    with Neighbours(LocalStore(root)) as files:
        for path in (b"DOE/JANE", b"DOE/JANE", b"one/JANE", b"one/JANE"):
            with pytest.raises(FileNotFoundError) as caught:
                files.open(path)
            assert "DOE" not in str(caught.value)
            assert "JANE" not in str(caught.value)


def test_a_directory_need_not_be_readable(
    open_tree: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    (open_tree / "shut").mkdir()
    for name in "abc":
        (open_tree / "shut" / name).write_bytes(name.encode())
    (open_tree / "shut").chmod(0o711 if os.geteuid() == 0 else 0o111)
    with unprivileged(), Neighbours(LocalStore(open_tree)) as files:
        assert [contents(files, b"shut/" + name) for name in (b"a", b"b", b"c")] == [b"a", b"b", b"c"]


def test_nothing_stays_open(root: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with Neighbours(LocalStore(root)) as files:
        for path in (b"one/a", b"one/b", b"one/two/a", b"one/two/b", b"one/two/missing", b"a", b"b", b"c"):
            refuses(files, path)
            assert len(os.listdir("/proc/self/fd")) <= len(before) + 1
    assert os.listdir("/proc/self/fd") == before

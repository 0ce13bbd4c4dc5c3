"""Files between listing and reading: what has changed, cannot be opened or lies outside is left; nothing is raised."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_pipeline.dicom.header import Header
from dicom_pipeline.dicom.scanner.files import FileBatch
from dicom_pipeline_tests.dicom.scanner.batches import batch, scan, scanned, scanner_names
from dicom_pipeline_tests.dicom.streams import (
    DEFLATED_UID,
    PATIENT_ID,
    SOP_UID,
    deflate,
    dicom_file,
    element,
    plain_data_set,
    read,
    text,
    values,
)

ORDINARY = dicom_file(plain_data_set())
LONG = dicom_file(plain_data_set()[:-76] + element(0x0029_1001, "OB", bytes(20_000)) + text(0x0040_0275, "LO", "far"))
DEFLATED = dicom_file(deflate(plain_data_set()), DEFLATED_UID)
LISTED_AT = 1_500_000_000_123_456_789
every_kind = pytest.mark.parametrize("data", [ORDINARY, LONG, DEFLATED], ids=["ordinary", "long", "deflated"])


@pytest.fixture(params=scanner_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def listed(root: Path, *paths: bytes, size: int | None = None) -> FileBatch:
    """Return the batch of files as they are now."""
    found = {path: os.stat(os.fsencode(root) + b"/" + path) for path in paths}
    return batch(root, {path: (size or status.st_size, status.st_mtime_ns) for path, status in found.items()})


def takes(name: str, files: FileBatch) -> list[bool]:
    return [header is not None for header in scan(name, files)]


def test_headers_of_files_are_the_careful_readers(name: str, tmp_path: Path) -> None:
    files = [ORDINARY, LONG, DEFLATED] * 70
    assert scanned(name, tmp_path, files) == [read(data) for data in files]


@every_kind
def test_a_file_that_is_not_as_listed_is_left(name: str, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    os.utime(tmp_path / "a", ns=(0, LISTED_AT))
    size = len(data)
    assert takes(name, batch(tmp_path, {b"a": (size, LISTED_AT)})) == [True]
    for other in ((size - 1, LISTED_AT), (size + 1, LISTED_AT), (-1, LISTED_AT), (0, LISTED_AT), (1 << 40, LISTED_AT)):
        assert takes(name, batch(tmp_path, {b"a": other})) == [False]
    for other in ((size, LISTED_AT + 1), (size, LISTED_AT - 1), (size, -1), (size, LISTED_AT // 1000 * 1000)):
        assert takes(name, batch(tmp_path, {b"a": other})) == [False]


@every_kind
def test_a_file_that_vanished_or_was_replaced_is_left(name: str, tmp_path: Path, data: bytes) -> None:
    for path in ("a", "b", "c", "d"):
        (tmp_path / path).write_bytes(data)
    files = listed(tmp_path, b"a", b"b", b"c", b"d")
    (tmp_path / "a").unlink()
    (tmp_path / "b").unlink()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").unlink()
    os.mkfifo(tmp_path / "c")
    assert takes(name, files) == [False, False, False, True]


def test_devices_sockets_and_directories_are_left(name: str, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    assert takes(name, listed(tmp_path, b"dir", b"dir/..", b".")) == [False] * 3


def test_names_may_be_any_bytes(name: str, tmp_path: Path) -> None:
    names = [b"\xff\xfe", b"a b\nc", "\N{SNOWMAN}".encode(), b"-", b"d/\xe9/x", b"n" * 255]
    os.makedirs(os.fsencode(tmp_path) + b"/d/\xe9")
    for path in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + path)).write_bytes(ORDINARY)
    assert takes(name, listed(tmp_path, *names)) == [True] * len(names)


def test_names_that_no_file_can_have_are_left(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(ORDINARY)
    status = os.stat(tmp_path / "a")
    as_listed = (status.st_size, status.st_mtime_ns)
    paths = [b"", b"a\0b", b"n" * 256, b"n" * 5000, b"x/" * 2500, b"a/", b"a/a", b"../" + os.fsencode(tmp_path.name)]
    assert takes(name, batch(tmp_path, dict.fromkeys(paths, as_listed))) == [False] * len(paths)
    assert takes(name, batch(tmp_path, {b"a": as_listed})) == [True]


def test_links_lead_to_files_inside_only(name: str, tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "root-2"
    root.mkdir()
    outside.mkdir()
    for folder in (root, outside):
        (folder / "file").write_bytes(ORDINARY)
    (root / "inside").symlink_to("file")
    (root / "absolute").symlink_to(root / "file")
    (root / "outside").symlink_to(outside / "file")
    (root / "beside").symlink_to("../root-2/file")
    (root / "folder").symlink_to(outside)
    (root / "broken").symlink_to("nothing")
    (root / "loop").symlink_to("loop")
    (root / "process").symlink_to("/proc/self/fd/0")
    status = os.stat(root / "file")
    names = [b"inside", b"outside", b"beside", b"folder/file", b"broken", b"loop", b"process", b"../root-2/file"]
    files = batch(root, dict.fromkeys(names, (status.st_size, status.st_mtime_ns)))
    assert takes(name, files) == [True] + [False] * 7
    for path in (outside / "file", root / "file"):
        os.utime(path, ns=(0, LISTED_AT))
    files = batch(root, dict.fromkeys(names, (status.st_size, LISTED_AT)))
    assert takes(name, files) == [True] + [False] * 7
    # An absolute link to a file inside is for the careful reader, unless the scanner follows it as that does.
    absolute = scan(name, batch(root, {b"absolute": (status.st_size, LISTED_AT)}))
    assert absolute in ([None], [read(ORDINARY)])


def test_the_root_may_be_a_link_and_may_be_gone(name: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(ORDINARY)
    (tmp_path / "link").symlink_to("real")
    files = listed(tmp_path / "link", b"a")
    assert takes(name, files) == [True]
    (tmp_path / "real" / "a").unlink()
    (tmp_path / "real").rmdir()
    assert takes(name, files) == [False]


EXHAUSTED = """
import os, resource, sys
from pathlib import Path
from dicom_pipeline_tests.dicom.scanner.test_files import listed, takes

name, root = sys.argv[1], Path(sys.argv[2])
files = listed(root, *[b"%d" % number for number in range(100)])
assert takes(name, files) == [True] * 100
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
for free in range(3):
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for file in held[:free]:
        os.close(file)
    taken = takes(name, files)
    print(sum(taken))
    for file in held[free:]:
        os.close(file)
resource.setrlimit(resource.RLIMIT_NOFILE, limits)
assert takes(name, files) == [True] * 100
"""


def test_files_are_left_where_no_descriptor_is_free(name: str, tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).write_bytes(LONG if number % 10 == 0 else ORDINARY)
    command = [sys.executable, "-c", EXHAUSTED, name, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] == "0"


UNREADABLE = """
import os, sys
from pathlib import Path
from dicom_pipeline_tests.dicom.scanner.test_files import listed, takes

name, root = sys.argv[1], Path(sys.argv[2])
files = listed(root, b"a", b"closed", b"shut/a")
if os.geteuid() == 0:
    os.setuid(65534)
print(takes(name, files))
"""


@pytest.fixture
def open_tree() -> Iterator[Path]:
    """A directory that every user may enter; pytest's own is closed to all but the user who runs it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_files_that_may_not_be_read_are_left(name: str, open_tree: Path) -> None:
    (open_tree / "shut").mkdir()
    for path in ("a", "closed", "shut/a"):
        (open_tree / path).write_bytes(ORDINARY)
    (open_tree / "closed").chmod(0)
    (open_tree / "shut").chmod(0)
    command = [sys.executable, "-c", UNREADABLE, name, str(open_tree)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    (open_tree / "shut").chmod(0o755)
    assert (done.stdout, done.stderr) == ("[True, False, False]\n", "")


def test_a_file_that_is_written_to_meanwhile_is_left(name: str, tmp_path: Path) -> None:
    """Its last value is only read after thousands of blocks: time enough for somebody to write it anew."""
    path, blocks = tmp_path / "a", 2500
    before, after = b"BEFORE", b"AFTER!"
    start = dicom_file(text(SOP_UID, "UI", "1.2.3"))
    filler = [element(0x0009_1001 + number, "OB", b"", length=17_000) for number in range(blocks)]
    last = element(PATIENT_ID, "LO", before)
    with path.open("wb") as stream:
        stream.write(start)
        for number, head in enumerate(filler):
            stream.seek(len(start) + number * 17_012)
            stream.write(head)
        stream.seek(len(start) + blocks * 17_012)
        stream.write(last)
    taken: list[Header | None] = []
    for attempt in range(25):
        _write(path, -6, before)
        os.utime(path, ns=(0, LISTED_AT))
        writer = threading.Thread(target=lambda delay=attempt / 2000: (time.sleep(delay), _write(path, -6, after)))
        files = batch(tmp_path, {b"a": (path.stat().st_size, LISTED_AT)})
        writer.start()
        taken += scan(name, files)
        writer.join()
    assert all(header is None or values(header)[PATIENT_ID] == before for header in taken)
    assert None in taken, "nobody wrote while the file was read"


def test_a_file_that_is_written_to_while_its_first_block_is_read_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(ORDINARY)
    files = listed(tmp_path, b"a")
    right = os.preadv

    def read_and_touch(handle: int, buffers: list[memoryview], offset: int) -> int:
        count = right(handle, buffers, offset)
        os.utime(handle, ns=(0, LISTED_AT))
        return count

    monkeypatch.setattr(os, "preadv", read_and_touch)
    assert takes("pure", files) == [False]


def _write(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset, os.SEEK_END)
        stream.write(data)

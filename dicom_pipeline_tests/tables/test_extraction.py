import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.errors import ConfigurationError, PipelineError
from dicom_pipeline.tables.crew import CHUNK_FILES
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.readers import PydicomMetadataReader
from dicom_pipeline.tables.schemas import metadata_schema
from dicom_pipeline_tests.corpus import CORPUS, needs_corpus
from dicom_pipeline_tests.tables.made_rows import LoadedModulesReader, MadeUpReader, entry, job, listed


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Extractor]:
    """One pool for the tests that leave it alive: it is made to be used again."""
    scratch = str(tmp_path_factory.mktemp("scratch"))
    with Extractor(MadeUpReader(scratch), workers=2, file_seconds=2.0) as shared:
        yield shared


def extract(extractor: Extractor, names: list[str]) -> list[tuple[str, str | None]]:
    batches = list(extractor.extract(listed((entry(name) for name in names), CHUNK_FILES), job()))
    assert all(batch.schema.equals(metadata_schema()) for batch in batches)
    assert max(batch.num_rows for batch in batches) <= CHUNK_FILES
    table = pa.Table.from_batches(batches)
    return list(zip(table.column("path").to_pylist(), table.column("reason").to_pylist(), strict=True))


def test_rows_come_in_the_order_of_the_files(extractor: Extractor) -> None:
    names = [str(number) for number in range(4 * CHUNK_FILES + 1)]
    assert extract(extractor, names) == [(name, None) for name in names]


def test_no_files_start_no_process() -> None:
    before = multiprocessing.active_children()
    with Extractor(MadeUpReader(), workers=1) as idle:
        assert list(idle.extract([], job())) == []
        assert multiprocessing.active_children() == before


def test_the_workers_serve_many_dates(extractor: Extractor) -> None:
    extract(extractor, ["a"])
    before = {process.pid for process in multiprocessing.active_children()}
    assert extract(extractor, ["b", "reject"]) == [("b", None), ("reject", "NotDicom")]
    assert {process.pid for process in multiprocessing.active_children()} == before


def test_a_file_that_kills_hangs_or_upsets_its_worker_costs_itself_only(extractor: Extractor) -> None:
    names = [str(number) for number in range(CHUNK_FILES + 20)]
    cases = {3: ("kill", "LimitExceeded"), 7: ("raise", "Unreadable"), CHUNK_FILES + 5: ("bomb", "LimitExceeded")}
    for position, (name, _) in cases.items():
        names[position] = name
    rows = extract(extractor, names)
    assert [name for name, _ in rows] == names
    assert {name: reason for name, reason in rows if reason} == dict(cases.values())


ARENA_AND_LIMIT = """
import pyarrow as pa
from dicom_pipeline.tables import workers

workers._HEADROOM_BYTES = 1500 << 20
workers.initialize_worker()
pa.array(range(10))
bytearray(1200 << 20)
try:
    bytearray(1600 << 20)
except MemoryError:
    print("limited")
"""


def test_what_arrow_reserves_is_not_taken_from_the_memory_a_file_may_cost() -> None:
    done = subprocess.run([sys.executable, "-c", ARENA_AND_LIMIT], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("limited\n", "")


def test_a_file_that_hangs_is_rejected_in_bounded_time(extractor: Extractor) -> None:
    started = time.monotonic()
    assert extract(extractor, ["1", "hang", "2"]) == [("1", None), ("hang", "LimitExceeded"), ("2", None)]
    # Two seconds alone, four among the three, and the start of two workers on a busy machine.
    assert time.monotonic() - started < 30


def test_a_worker_killed_from_outside_costs_no_file(extractor: Extractor) -> None:
    for killed in ("kill-once", "kill-twice"):
        names = ["1", killed, "2"]
        assert extract(extractor, names) == [(name, None) for name in names]


def test_workers_killed_at_any_moment_cost_no_file() -> None:
    names = [str(number) for number in range(4 * CHUNK_FILES)]
    before = set(multiprocessing.active_children())
    with Extractor(MadeUpReader(), workers=2) as extractor:
        rows: list[str] = []
        for batch in extractor.extract(listed((entry(name) for name in names), CHUNK_FILES), job()):
            rows += batch.column("path").to_pylist()
            assert set(batch.column("outcome").to_pylist()) == {"accepted"}
            # Right after an answer a worker is busy taking the next request: the worst of moments.
            for process in set(multiprocessing.active_children()) - before:
                os.kill(process.pid or 0, signal.SIGKILL)
    assert rows == names


def test_a_bounded_number_of_files_is_under_way(extractor: Extractor) -> None:
    taken = 0

    def files() -> Iterator[FileEntry]:
        nonlocal taken
        for number in range(20 * CHUNK_FILES):
            taken += 1
            yield entry(str(number))

    done = 0
    for batch in extractor.extract(listed(files(), CHUNK_FILES), job()):
        done += batch.num_rows
        assert taken - done <= 5 * CHUNK_FILES


def test_what_a_consumer_does_not_wait_for_is_given_up() -> None:
    names = [*(str(number) for number in range(CHUNK_FILES)), "hang"]
    with Extractor(MadeUpReader(), workers=1, file_seconds=60) as extractor:
        rows = extractor.extract(listed((entry(name) for name in names), CHUNK_FILES), job())
        next(rows)
        rows.close()
        started = time.monotonic()
        assert extract(extractor, ["a"]) == [("a", None)]
        assert time.monotonic() - started < 60


def test_workers_load_neither_dagster_nor_pandas_nor_a_database() -> None:
    names = ("dagster", "pandas", "psycopg", "matplotlib", "sqlalchemy", "pytest", "pyarrow")
    with Extractor(LoadedModulesReader(names), workers=1) as extractor:
        batch = next(extractor.extract(listed([entry("a")]), job()))
    assert batch.column("patient_id").to_pylist() == ["pyarrow"]


def test_workers_that_cannot_start_are_an_error_and_not_an_endless_loop(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(MadeUpReader, "__module__", "nowhere")
    monkeypatch.setitem(sys.modules, "nowhere", sys.modules[LoadedModulesReader.__module__])
    with Extractor(MadeUpReader(), workers=1) as extractor, pytest.raises(PipelineError, match="cannot be started"):
        list(extractor.extract(listed([entry("a")]), job()))
    capfd.readouterr()


def test_a_damaged_installation_blames_no_file(extractor: Extractor) -> None:
    with pytest.raises(PipelineError, match="install dicom-pipeline again"):
        extract(extractor, ["1", "import"])


def test_workers_are_started_as_they_are_needed() -> None:
    before = set(multiprocessing.active_children())
    with Extractor(MadeUpReader(), workers=3) as extractor:
        for chunks, workers in ((1, 1), (2, 2), (1, 2)):
            names = [str(number) for number in range(chunks * CHUNK_FILES)]
            # Work that takes a while: who comes next finds nobody idle.
            names[::CHUNK_FILES] = ["nap"] * chunks
            extract(extractor, names)
            assert len(set(multiprocessing.active_children()) - before) == workers


def test_ending_before_the_workers_have_started_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        with Extractor(MadeUpReader(), workers=4) as extractor:
            next(
                extractor.extract(listed((entry(str(number)) for number in range(4 * CHUNK_FILES)), CHUNK_FILES), job())
            )
    assert capfd.readouterr().err == ""


def test_unknown_readers_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        Extractor("gdcm")


SCRIPT = """
import multiprocessing, sys
from dicom_pipeline.tables.crew import CHUNK_FILES
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline_tests.tables.made_rows import MadeUpReader, entry, job, listed

assert __name__ == "__main__", "a worker ran the main script"
with Extractor(MadeUpReader(), workers=2) as extractor:
    for batch in list(extractor.extract(listed((entry(str(number)) for number in range(2 * CHUNK_FILES)), CHUNK_FILES), job()))[:1]:
        print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    for batch in extractor.extract(listed((entry(name) for name in sys.argv[1:]), CHUNK_FILES), job()):
        print("done", flush=True)
"""


def start_script(directory: Path, *names: str) -> "tuple[subprocess.Popen[str], list[int]]":
    """Start a script without a guard around its main part; return it and its workers once they are at work."""
    (directory / "unguarded.py").write_text(SCRIPT)
    with (directory / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(directory / "unguarded.py"), *names],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            # Tests that a shell runs in the background inherit an interrupt that is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def wait_for(process: "subprocess.Popen[str]") -> str:
    """Wait for the end of the script and return what else it printed."""
    assert process.stdout is not None
    with process.stdout:
        printed = process.stdout.read()
    process.wait(timeout=60)
    return printed


def wait_until_gone(pids: list[int], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while any(_is_running(pid) for pid in pids):
        assert time.monotonic() < end, "orphans"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_do_not_run_the_main_script(tmp_path: Path) -> None:
    process, workers = start_script(tmp_path, "1")
    assert (wait_for(process), process.returncode) == ("done\n", 0)
    assert (tmp_path / "stderr").read_text() == ""
    assert len(workers) == 2
    wait_until_gone(workers)


def test_ctrl_c_ends_promptly_and_quietly(tmp_path: Path) -> None:
    process, workers = start_script(tmp_path, "hang", "hang")
    time.sleep(0.3)
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    wait_for(process)
    assert time.monotonic() - started < 10
    assert process.returncode == -signal.SIGINT
    told = (tmp_path / "stderr").read_text()
    assert told.count("Traceback") == 1
    assert told.endswith("KeyboardInterrupt\n")
    wait_until_gone(workers)


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent(tmp_path: Path, death: signal.Signals) -> None:
    process, workers = start_script(tmp_path, "hang", "hang")
    time.sleep(0.3)
    process.send_signal(death)
    wait_for(process)
    wait_until_gone(workers)


def test_threads_may_start_workers_at_the_same_time() -> None:
    main, counts = sys.modules["__main__"], []
    file, spec = getattr(main, "__file__", None), main.__spec__

    def run() -> None:
        with Extractor(MadeUpReader(), workers=1) as extractor:
            counts.append(sum(batch.num_rows for batch in extractor.extract(listed([entry("a")]), job())))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1, 1, 1]
    assert (getattr(main, "__file__", None), main.__spec__) == (file, spec)


@needs_corpus
def test_real_files_give_the_rows_the_reader_gives() -> None:
    entries = list(LocalStore(CORPUS / "pydicom+pydicom").walk(""))
    assert entries
    with Extractor(workers=2) as extractor:
        table = pa.Table.from_batches(extractor.extract(listed(entries), job(CORPUS / "pydicom+pydicom")))
    table.validate(full=True)
    direct = PydicomMetadataReader().read_batch(entries, job(CORPUS / "pydicom+pydicom"))
    assert table.to_pylist() == direct.to_pylist()

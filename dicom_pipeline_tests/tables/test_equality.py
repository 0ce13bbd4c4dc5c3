"""Whole tables: every reader makes the same rows of every file, under both policies.

The number of made-up batches is hypothesis's: ``pytest --hypothesis-profile=thorough`` makes a hundred times more.
"""

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.records import OnInvalidValue
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.listing import files_batch
from dicom_pipeline.tables.readers import ReadJob
from dicom_pipeline_tests.corpus import CORPUS, needs_corpus
from dicom_pipeline_tests.fuzz.compare import CLOCK, Comparer, write_files
from dicom_pipeline_tests.fuzz.generate import made_up_file
from dicom_pipeline_tests.fuzz.mutate import mutant
from dicom_pipeline_tests.fuzz.seeds import traced

SIZES = (1, 2, 7, 9, 64, 300)
FILES = 8
made_up = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
both_policies = pytest.mark.parametrize("policy", list(OnInvalidValue))


def batches(entries: Sequence[FileEntry], sizes: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """Yield the listing in batches of these sizes, in turn."""
    start = 0
    for size in itertools.cycle(sizes):
        if start >= len(entries):
            return
        yield files_batch(entries[start : start + size])
        start += size


def rows(reader: str, root: Path, entries: Sequence[FileEntry], policy: OnInvalidValue, *sizes: int) -> pa.Table:
    with Extractor(reader) as extractor:
        job = ReadJob(str(root), "tenant", policy, CLOCK)
        return pa.Table.from_batches(list(extractor.extract(batches(entries, sizes or (1000,)), job))).combine_chunks()


def check(root: Path, policy: OnInvalidValue) -> pa.Table:
    """Read everything below a folder with every reader, and return the table."""
    entries = list(LocalStore(root).walk(""))
    careful = rows("pydicom", root, entries, policy)
    for reader in ("auto", "pure"):
        assert rows(reader, root, entries, policy).equals(careful, check_metadata=True)
        # Whose neighbour a file is changes nothing; SIZES are on both sides of what is walked together.
        assert rows(reader, root, entries[::-1], policy, *SIZES).equals(
            careful.take(pa.array(range(len(entries))[::-1]))
        )
    return careful


@both_policies
def test_every_file_that_pydicom_ships(policy: OnInvalidValue) -> None:
    import pydicom

    table = check(Path(pydicom.__file__).parent / "data", policy)
    assert table.num_rows > 100


@needs_corpus
@both_policies
def test_every_file_of_the_corpus(policy: OnInvalidValue) -> None:
    table = check(CORPUS, policy)
    assert table.column("outcome").to_pylist().count("accepted") > 100


@both_policies
def test_made_up_and_damaged_files(tmp_path: Path, policy: OnInvalidValue) -> None:
    random = Random(77)
    files = [made_up_file(random) for _ in range(150)]
    seeds = [seed for number, data in enumerate(files) for seed in traced(str(number), data)]
    files += [mutant(random, random.choice(seeds), seeds).data for _ in range(450)]
    write_files(tmp_path, files)
    outcomes = check(tmp_path, policy).column("outcome").to_pylist()
    assert min(outcomes.count("accepted"), outcomes.count("rejected")) > 50


@pytest.fixture(scope="module")
def comparer() -> Comparer:
    return Comparer()


def check_files(comparer: Comparer, files: Sequence[bytes], policy: OnInvalidValue) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert comparer.rows(Path(folder), files, policy).differences == []


@made_up
@given(st.integers(0, 1 << 64), st.sampled_from(OnInvalidValue))
def test_any_file_by_the_book_and_beside_it(comparer: Comparer, start: int, policy: OnInvalidValue) -> None:
    random = Random(start)
    check_files(comparer, [made_up_file(random) for _ in range(FILES)], policy)


@made_up
@given(st.randoms(use_true_random=False), st.integers(0, 1 << 64), st.sampled_from(OnInvalidValue))
def test_any_damage(comparer: Comparer, random: Random, start: int, policy: OnInvalidValue) -> None:
    """The file is one of chance, its damage hypothesis's, so that what fails shrinks to few changes."""
    seeds = list(traced("made up", made_up_file(Random(start))))
    if seeds:
        check_files(comparer, [mutant(random, seeds[0], seeds).data for _ in range(FILES)], policy)

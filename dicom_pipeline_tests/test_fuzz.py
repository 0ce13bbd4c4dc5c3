"""The fuzzer itself: the same files for the same seed, and no difference goes by in silence."""

import sys
from pathlib import Path
from random import Random

import pytest

from dicom_pipeline.dicom.header import Header
from dicom_pipeline.dicom.records import OnInvalidValue
from dicom_pipeline.tables import scanned
from dicom_pipeline_tests.dicom.streams import ROWS, dicom_file, plain_data_set
from dicom_pipeline_tests.fuzz import __main__ as command
from dicom_pipeline_tests.fuzz.compare import Comparer, all_scanners
from dicom_pipeline_tests.fuzz.generate import made_up_file
from dicom_pipeline_tests.fuzz.mutate import Mutant, mutant
from dicom_pipeline_tests.fuzz.seeds import Seed, traced

FILE = dicom_file(plain_data_set())


def made_up_seeds() -> list[Seed]:
    random = Random(5)
    return [seed for number in range(9) for seed in traced(str(number), made_up_file(random))]


def mutants(seed: int) -> list[Mutant]:
    random, seeds = Random(seed), made_up_seeds()
    return [mutant(random, random.choice(seeds), seeds) for _ in range(50)]


def test_the_same_seed_makes_the_same_files() -> None:
    assert mutants(1) == mutants(1)
    assert mutants(1) != mutants(2)
    assert all(made.changes for made in mutants(1))


def test_places_are_those_of_elements() -> None:
    (seed,) = traced("plain", FILE)
    assert seed.data_set_at == FILE.index(b"\x08\0\x16\0")
    assert FILE.index(b"\x28\0\x10\0US") in [place.begin for place in seed.boundaries]
    assert FILE.index(b"\x02\0\x10\0UI") in [place.begin for place in seed.boundaries]


def wrong(self: Header) -> Header:
    """What a reader that loses the rows would have made of a header."""
    return Header({t: e for t, e in self.elements.items() if t != ROWS}, self.little_endian, self.transfer_syntax_uid)


def test_a_difference_is_found_told_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = Comparer._read
    monkeypatch.setattr(
        Comparer,
        "_read",
        lambda self, data: wrong(header) if isinstance(header := right(self, data), Header) else header,
    )
    compared = Comparer().notes([b"", FILE])
    assert {difference.file for difference in compared.differences} == {1}
    assert len(compared.differences) == len(all_scanners())
    arguments = ["fuzz", "--minutes", "0.01", "--seed", "s", "--batch", "1", "--keep", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(command, "seeds", lambda random, made_up: made_up_seeds())
    assert command.main() == 1
    told = capsys.readouterr().out
    kept = next(tmp_path.iterdir())
    assert "seed s" in told
    assert f"kept as {kept}" in told or len(list(tmp_path.iterdir())) > 1


def test_rows_are_compared_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = dicom_file(plain_data_set()[:-76])
    assert Comparer().rows(tmp_path, [file], OnInvalidValue.NULL).differences == []
    columns = scanned.value_columns

    def none_is_odd(*arguments: object) -> object:
        made = columns(*arguments)  # type: ignore[arg-type]
        made.odd[:] = False
        return made

    monkeypatch.setattr(scanned, "value_columns", none_is_odd)
    assert {found.file for found in Comparer().rows(tmp_path, [file], OnInvalidValue.NULL).differences} == {0}


def test_what_takes_the_careful_reader_too_long_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    comparer = Comparer()
    monkeypatch.setattr(Comparer, "_read", lambda self, data: None)
    compared = comparer.notes([FILE])
    assert (compared.slow, compared.differences) == (1, [])

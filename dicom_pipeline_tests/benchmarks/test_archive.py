"""The archives that benchmarks measure with: their promises, on small ones."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pydicom
import pytest
from click.testing import CliRunner
from pydicom.dataset import Dataset

from benchmarks.archive.__main__ import main
from benchmarks.archive.broken import Fault, spoil
from benchmarks.archive.plan import ArchiveSpec, plan_archive
from benchmarks.archive.shapes import load_shapes
from benchmarks.archive.template import IMPLICIT_LE, Template
from benchmarks.archive.writer import series_files, write_archive

FILES = 1200
SPEC = ArchiveSpec(FILES, dates=12, seed=3, pixel_bytes=64, broken_per_mille=0)


def contents(spec: ArchiveSpec) -> Iterator[tuple[str, bytes]]:
    for study in plan_archive(spec):
        for series in study.series:
            for instance, data in series_files(spec, study, series):
                yield instance.uid, data


def digest(spec: ArchiveSpec) -> str:
    total = hashlib.sha256()
    for uid, data in contents(spec):
        total.update(uid.encode() + data)
    return total.hexdigest()


@pytest.fixture(scope="module")
def datasets() -> list[Dataset]:
    return [pydicom.dcmread(io.BytesIO(data)) for _, data in contents(SPEC)]


def test_the_same_seed_gives_the_same_bytes() -> None:
    small = ArchiveSpec(200, dates=3, seed=5, pixel_bytes=64, broken_per_mille=50)
    assert digest(small) == digest(small)
    assert digest(small) != digest(ArchiveSpec(200, dates=3, seed=6, pixel_bytes=64, broken_per_mille=50))


def test_files_on_the_disk_are_those_of_the_plan(tmp_path: Path) -> None:
    spec = ArchiveSpec(150, dates=4, seed=2, pixel_bytes=64)
    assert sum(write_archive(tmp_path, spec, processes=1)) == 150
    written = {path.stem: path.read_bytes() for path in tmp_path.rglob("*.dcm")}
    assert written == dict(contents(spec))
    assert len(list(tmp_path.glob("hospital/*"))) == 4


def test_a_path_says_what_is_in_the_file(tmp_path: Path) -> None:
    list(write_archive(tmp_path, ArchiveSpec(60, dates=2, pixel_bytes=64, broken_per_mille=0), processes=1))
    for path in tmp_path.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        place = (dataset.StudyDate, dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
        assert path.relative_to(tmp_path / "hospital").with_suffix("").parts == place


def test_it_has_exactly_as_many_files_and_dates_as_asked_for() -> None:
    studies = list(plan_archive(SPEC))
    assert sum(study.files for study in studies) == FILES
    assert len({study.date for study in studies}) == 12


def test_uids_are_unique_and_no_longer_than_the_standard_allows(datasets: list[Dataset]) -> None:
    assert len({dataset.SOPInstanceUID for dataset in datasets}) == FILES
    assert max(len(dataset.SOPInstanceUID) for dataset in datasets) <= 64


def test_every_transfer_syntax_has_its_share(datasets: list[Dataset]) -> None:
    found = Counter(str(dataset.file_meta.TransferSyntaxUID) for dataset in datasets)
    wanted = load_shapes().transfer_syntaxes
    for uid, share in zip(wanted.things, wanted.weights, strict=True):
        assert found[uid] / FILES == pytest.approx(share, rel=0.35, abs=0.02)
        assert found[uid] > 0


def test_headers_are_as_large_as_real_ones(datasets: list[Dataset]) -> None:
    sizes = sorted(len(dataset) for dataset in datasets)
    assert sizes[0] >= 100
    assert sizes[-1] <= 320


@pytest.mark.filterwarnings("error")
def test_every_value_is_what_its_representation_allows(datasets: list[Dataset]) -> None:
    for dataset in datasets[::20]:
        for element in dataset.iterall():
            assert element.value is not None or element.VM == 0


def test_decoys_are_in_items_only(datasets: list[Dataset]) -> None:
    assert not any(dataset.PatientID.startswith("DECOY") for dataset in datasets)
    items = [item for dataset in datasets[::20] for item in dataset.ReferencedSeriesSequence]
    assert {item.SeriesInstanceUID for item in items} == {"2.25.999999999"}


def test_names_are_in_several_character_sets(datasets: list[Dataset]) -> None:
    names = {str(dataset.get("SpecificCharacterSet", "")): str(dataset.PatientName) for dataset in datasets}
    assert len(names) >= 3
    assert not any("\ufffd" in name or "\x1b" in name for name in names.values())


@pytest.mark.parametrize("fault", list(Fault))
def test_a_broken_file_is_broken_as_it_says(fault: Fault) -> None:
    study = next(plan_archive(SPEC))
    series = study.series[0]
    instance, good = next(series_files(SPEC, study, series))
    contradicting = Template([], "1.2.840.10008.5.1.4.1.1.2", series.transfer_syntax, b"", really=IMPLICIT_LE)
    bad = spoil(fault, good, contradicting, instance, Random(1))
    match fault:
        case Fault.TRUNCATED:
            assert good.startswith(bad)
            assert 0 < len(bad) < len(good)
        case Fault.EMPTY:
            assert bad == b""
        case Fault.NOT_DICOM:
            assert b"DICM" not in bad[:200]
        case Fault.CONTRADICTION:
            assert bad != good
            assert bad[128:132] == b"DICM"


def test_as_many_files_are_broken_as_asked_for() -> None:
    good = dict(contents(SPEC))
    spoiled = dict(contents(ArchiveSpec(FILES, 12, 3, 64, broken_per_mille=100)))
    assert good.keys() == spoiled.keys()
    changed = sum(good[uid] != spoiled[uid] for uid in good)
    assert 60 < changed < 180


def test_the_command_writes_an_archive_and_never_over_something(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "new"), "--files", "30", "--dates", "3"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert len(list((tmp_path / "new").rglob("*.dcm"))) == 30
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 1
    assert "is not empty: name a new directory" in again.output


def test_sizes_that_cannot_be_are_refused_in_one_line(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, [str(tmp_path / "new"), "--files", "3", "--dates", "9"])
    assert refused.exit_code == 1
    assert refused.output.strip() == "Error: an archive needs a date, and at least as many files as dates"

"""Texts of real files: ours are pydicom's, on every file at hand.

Documented differences: blanks at the end of every value go, not only at the end of the last (pydicom keeps those of
code strings). The files hold no other class of difference.
"""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_pipeline.dicom.charsets import parse_charsets
from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.header import Element
from dicom_pipeline.dicom.values import get_text
from dicom_pipeline_tests.corpus import CORPUS, needs_corpus

COMPARED_VRS = ("LO", "SH", "PN", "CS", "AS", "UI")


def bundled_files() -> list[Path]:
    from pydicom.data import get_charset_files

    return [Path(name) for name in get_charset_files("*.dcm")]


def corpus_files() -> list[Path]:
    return sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.name not in ("manifest.csv", "LICENSE"))


def texts_of(path: Path) -> Iterator[tuple[str, str | None, str]]:
    """Yield keyword, our text and pydicom's of every compared attribute of a file."""
    from pydicom import config, dcmread
    from pydicom.datadict import dictionary_VR
    from pydicom.multival import MultiValue

    config.settings.reading_validation_mode = config.IGNORE
    data_set = dcmread(path, force=True, stop_before_pixels=True)
    declared = data_set.get("SpecificCharacterSet") or ""
    names = declared if isinstance(declared, str) else "\\".join(declared)
    charsets = parse_charsets(names.encode("latin_1"))
    for tag in {f.tag for f in HEADER_FIELDS if f.tag in data_set and f.vr in COMPARED_VRS}:
        raw = data_set.get_item(tag)
        assert raw is not None
        vr = dictionary_VR(tag) if raw.VR in (None, "UN") else raw.VR
        ours = get_text(Element(vr, raw.value or b""), charsets, little_endian=True)
        value = data_set[tag].value
        values = value if isinstance(value, MultiValue) else ["" if value is None else value]
        yield data_set[tag].keyword, ours, "\\".join(str(v).rstrip(" \0") for v in values)


def compared_texts(paths: list[Path]) -> int:
    """Compare every file that pydicom can read; return how many texts were equal."""
    equal = 0
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for keyword, ours, theirs in texts_of(path):
                assert ours == theirs, (path.name, keyword)
                equal += 1
    return equal


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    from pydicom import config

    before = config.settings.reading_validation_mode
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
    config.settings.reading_validation_mode = before


def test_texts_of_the_files_that_pydicom_ships_are_pydicoms() -> None:
    assert compared_texts(bundled_files()) > 100


@needs_corpus
def test_texts_of_the_corpus_are_pydicoms() -> None:
    assert compared_texts(corpus_files()) > 5000

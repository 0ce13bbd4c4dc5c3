"""Files to begin with: real ones where they are at hand, and made-up ones; with the places where their elements are.

Scope: bytes and boundaries. A file's pixels are cut off: no reader looks at them.
"""

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from dicom_pipeline.dicom.element_header import EXPLICIT_LITTLE, LONG_HEADER_BYTES, Encoding, regular
from dicom_pipeline.dicom.encoding import find_beginning, starts
from dicom_pipeline.dicom.header import HeaderError
from dicom_pipeline.dicom.source import Deadline, FileSource
from dicom_pipeline.dicom.walker import Walk
from dicom_pipeline_tests.corpus import CORPUS
from dicom_pipeline_tests.fuzz.generate import made_up_file

FIRST_ELEMENT = 132
_SECONDS = 1.0
_PIXELS_KEPT = 256
_LARGEST = 100_000


class Boundary(NamedTuple):
    """Where an element, an item or a delimiter begins, where the next one does, and how it is encoded."""

    begin: int
    end: int
    encoding: Encoding


class Seed(NamedTuple):
    """A file: where it is from, its bytes, what is where in it, and where its data set begins."""

    name: str
    data: bytes
    boundaries: list[Boundary]
    data_set_at: int


def real_paths() -> list[Path]:
    """Return the corpus, where it is, and the files that come with pydicom."""
    import pydicom

    bundled = Path(pydicom.__file__).parent / "data"
    return sorted(path for folder in (bundled, CORPUS) for path in folder.rglob("*") if _may_be_dicom(path))


def _may_be_dicom(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".py", ".pyc", ".csv", ".txt", ".json")


def seeds(random: Random, made_up: int) -> list[Seed]:
    """Return every real file and some made up ones; what is no DICOM file at all is left out."""
    files = [(path.name, path.read_bytes()[: 4 * _LARGEST]) for path in real_paths()]
    files += [(f"made up {number}", made_up_file(random)) for number in range(made_up)]
    return [seed for name, data in files for seed in traced(name, data)]


def traced(name: str, data: bytes) -> Iterator[Seed]:
    """Yield the file, cut behind its header, if the careful walk finds anything in it."""
    source = FileSource(io.BytesIO(data), len(data))
    try:
        inner, candidates = starts(source, find_beginning(source))
        tracing = _Tracing(inner, candidates, Deadline(_SECONDS))
    except (HeaderError, StopIteration):
        return
    if inner is not source:
        yield Seed(name, data[:_LARGEST], list(_file_meta(data, len(data))), 0)
        return
    with suppress(HeaderError):
        tracing.run()
    marks = sorted(dict(tracing.marks).items())
    if marks and marks[-1][0] < _LARGEST:
        begins = [position for position, _ in marks]
        end = min(len(data), begins[-1] + _PIXELS_KEPT)
        boundaries = [Boundary(b, e, c) for (b, c), e in zip(marks, [*begins[1:], end], strict=True)]
        yield Seed(name, data[:end], [*_file_meta(data, begins[0]), *boundaries], begins[0])


def _file_meta(data: bytes, end: int) -> Iterator[Boundary]:
    """Yield the boundaries of the File Meta Information as far as it is by the book."""
    position = FIRST_ELEMENT
    while position < end:
        header = regular(data[position : position + LONG_HEADER_BYTES], position, EXPLICIT_LITTLE)
        following = header.offset + header.length if header else end
        yield Boundary(position, min(end, following), EXPLICIT_LITTLE)
        position = following


class _Tracing(Walk):
    """The careful walk, step by step, remembering where it was and how it read."""

    def __init__(self, source: FileSource, candidates: Iterator[tuple[int, Encoding]], deadline: Deadline) -> None:
        super().__init__(source, candidates, deadline)
        self.marks: dict[int, Encoding] = {}

    def _skim(self) -> None:
        """Pass nothing at once: every element is a place to change."""

    def _step(self) -> None:
        self.marks[self._state.position] = self._state.frame.encoding
        super()._step()

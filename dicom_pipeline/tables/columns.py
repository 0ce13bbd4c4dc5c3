"""From noted places to the value columns of ``dicom_metadata``, a batch of files at a time.

Scope: which way of reading each rule of the field table takes, single values that no column code decides, and the
columns that follow from others. What a plain value is stands in ``column_texts.py``, ``column_numbers.py`` and
``column_moments.py``; the measure of all is ``build_record``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.dicom.fields import HEADER_FIELDS, Field, Rule
from dicom_pipeline.dicom.hashes import accession_fallback
from dicom_pipeline.dicom.records import JUDGED_ORDER
from dicom_pipeline.dicom.rules import IMAGE_STATUS, IMPLICIT_VR_LITTLE_ENDIAN, Finding, OnInvalidValue
from dicom_pipeline.dicom.scanner.noted import Noted
from dicom_pipeline.tables.column_bytes import Mask
from dicom_pipeline.tables.column_cells import Cells, Changes
from dicom_pipeline.tables.column_moments import plain_dates, plain_times
from dicom_pipeline.tables.column_numbers import plain_decimals, plain_integers
from dicom_pipeline.tables.column_singles import single_values
from dicom_pipeline.tables.column_texts import plain_texts, uid_hashes
from dicom_pipeline.tables.schemas import ARROW_TYPES

if TYPE_CHECKING:
    from dicom_pipeline.tables.readers import ReadJob

Plain: TypeAlias = Callable[[Cells], tuple[pa.Array, Mask]]
_READ_TOGETHER: tuple[tuple[Plain, frozenset[Rule]], ...] = (
    (plain_texts, frozenset({Rule.TEXT, Rule.REQUIRED, Rule.STUDY_DATE_TEXT, Rule.ACCESSION, Rule.TRANSFER_SYNTAX})),
    (plain_integers, frozenset({Rule.INTEGER})),
    (plain_decimals, frozenset({Rule.DECIMAL})),
    (plain_dates, frozenset({Rule.DATE, Rule.STUDY_DATE})),
    (plain_times, frozenset({Rule.TIME})),
)
"""Rules whose columns are read together: one pass over the cells of all of them costs little more than over one's."""

_JUDGED = {name: place for place, name in enumerate(JUDGED_ORDER)}
_REFUSING_NULL = frozenset({Rule.REQUIRED, Rule.STUDY_DATE})


@dataclass(frozen=True, slots=True)
class ValueColumns:
    """The value columns of ``n`` files.

    Attributes:
        arrays: One array of length n for each of ``HEADER_FIELDS``, in their order, of the types of
            ``metadata_schema()``.
        odd: Files that the columns do not decide, because they are refused, or their accession number is replaced;
            shape (n,). What the arrays hold for them means nothing.
        findings: The findings of reading a file's values, in the order of a record's, by the file's number from 0 to n;
            only files that have some.
    """

    arrays: list[pa.Array]
    odd: Mask
    findings: dict[int, tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column over all files, and the cells it came from: their values, and for each file its cell."""

    array: pa.Array
    cells: pa.Array
    rows: npt.NDArray[np.int32]

    def derive(self, what: Callable[[pa.Array], pa.Array]) -> pa.Array:
        """Return the column that follows from this one by a function of its values, called for each cell once."""
        first, last = int(self.rows[0]), int(self.rows[-1])
        return what(self.cells.slice(first, last + 1 - first)).take(pa.array(self.rows - first))


def value_columns(noted: Noted, files: npt.NDArray[np.int64], job: "ReadJob") -> ValueColumns:
    """Return the columns of these files: what ``build_record`` makes of each file's header, where no file is odd.

    Args:
        noted: A batch after the walk.
        files: Indices of PLAIN files of it.
        job: What all files have in common.
    """
    if not len(files):
        empty = [pa.nulls(0, ARROW_TYPES[field.kind]) for field in HEADER_FIELDS]
        return ValueColumns(empty, np.zeros(0, np.bool_), {})
    odd, found = np.zeros(len(files), np.bool_), _Findings()
    columns = dict(_read(Changes(noted, files), job.policy, odd, found))
    arrays = [_array(field, columns, noted, files, job) for field in HEADER_FIELDS]
    for field, array in zip(HEADER_FIELDS, arrays, strict=True):
        if field.rule in _REFUSING_NULL and array.null_count:
            odd |= array.is_null().to_numpy(zero_copy_only=False)
    return ValueColumns(arrays, odd, found.by_file())


class _Findings:
    """Findings of cells, on their way to the files that have these cells."""

    def __init__(self) -> None:
        self._found: list[tuple[int, range, tuple[Finding, ...]]] = []

    def add(self, cells: Cells, found: Mapping[int, tuple[Finding, ...]]) -> None:
        """Take the findings of some cells, by the cell's number."""
        for cell, findings in found.items():
            column = int(cells.columns[cell])
            # The files of one cell follow each other.
            first, end = np.searchsorted(cells.rows[column], [cell, cell + 1]).tolist()
            self._found.append((_JUDGED[cells.fields[column].name], range(first, end), findings))

    def by_file(self) -> dict[int, tuple[Finding, ...]]:
        """Return all findings of each file that has some, in the order of a record's."""
        by_file: dict[int, tuple[Finding, ...]] = {}
        for _, files, findings in sorted(self._found, key=lambda found: found[0]):
            for file in files:
                by_file[file] = (*by_file.get(file, ()), *findings)
        return by_file


def _read(changes: Changes, policy: OnInvalidValue, odd: Mask, found: _Findings) -> Iterator[tuple[str, _Column]]:
    """Read every column that has a tag; mark the files with a value that is refused, and keep findings."""
    for plain, rules in _READ_TOGETHER:
        cells = changes.cells([field for field in HEADER_FIELDS if field.rule in rules])
        values, known = plain(cells)
        if not known.all():
            singles = single_values(cells, np.flatnonzero(~known), policy)
            values = pc.replace_with_mask(values, pa.array(~known), pa.array(singles.values, values.type))
            if singles.refused.any():
                odd |= singles.refused[cells.rows].any(axis=0)
            found.add(cells, singles.findings)
        # One call for all columns: the calls cost more than the copying.
        spread = values.take(pa.array(cells.rows.ravel()))
        for number, field in enumerate(cells.fields):
            yield field.name, _Column(spread.slice(number * len(odd), len(odd)), values, cells.rows[number])


def _array(
    field: Field, columns: Mapping[str, _Column], noted: Noted, files: npt.NDArray[np.int64], job: "ReadJob"
) -> pa.Array:
    """Return a column over all files: read, or following from one that was, or the same for all."""
    if field.rule is Rule.UID_HASH:
        return columns[field.name.removesuffix("_hash")].derive(uid_hashes)
    if field.name not in columns:
        return _constant(field, noted, files, job)
    array = columns[field.name].array
    if field.rule is Rule.ACCESSION and array.null_count:
        return pc.coalesce(array, columns["study_uid"].derive(partial(_fallbacks, job.tenant_id)))
    if field.rule is Rule.TRANSFER_SYNTAX:
        return array.fill_null(IMPLICIT_VR_LITTLE_ENDIAN)
    return array


def _fallbacks(tenant_id: str, studies: pa.StringArray) -> pa.StringArray:
    """Return what stands in for the accession numbers of these studies; null where the study has no UID."""
    uids = studies.to_pylist()
    return pa.array([None if uid is None else accession_fallback(tenant_id, uid) for uid in uids], pa.string())


def _constant(field: Field, noted: Noted, files: npt.NDArray[np.int64], job: "ReadJob") -> pa.Array:
    """Return a column that no element decides."""
    kind = ARROW_TYPES[field.kind]
    if field.rule is Rule.FILE_SIZE:
        return pa.array(noted.sizes[files], kind)
    if field.rule is Rule.UNFILLED:
        return pa.nulls(len(files), kind)
    values = {Rule.TENANT: job.tenant_id, Rule.STATUS: IMAGE_STATUS, Rule.CLOCK: job.clock}
    return pa.repeat(pa.scalar(values[field.rule], kind), len(files))

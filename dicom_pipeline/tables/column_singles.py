"""Cells that no column code decides, one at a time by the rules that rows go through.

Scope: the way from a cell to ``dicom/rules.py`` and back, with the findings of reading it. Equal cells are read once a
batch; nothing is remembered beyond it, since these are values of patients.
"""

import datetime as dt
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.fields import SPECIFIC_CHARACTER_SET, Rule
from dicom_pipeline.dicom.header import Element, Header
from dicom_pipeline.dicom.rules import READERS, Finding, OnInvalidValue, Reading, Refused
from dicom_pipeline.dicom.scanner.noted import ABSENT, vr_of
from dicom_pipeline.tables.column_bytes import Mask
from dicom_pipeline.tables.column_cells import SLOT_OF, Cells

_CHARSET = SLOT_OF[SPECIFIC_CHARACTER_SET]
# Neither is asked for by a rule that reads an element.
_NO_SIZE, _NO_CLOCK = 0, dt.datetime(1, 1, 1)  # noqa: DTZ001 - UTC without a zone, like every clock reading

_Key: TypeAlias = tuple[int, int, bytes, bytes | None, bool]


class Singles(NamedTuple):
    """What became of cells that were read by themselves.

    Attributes:
        values: Their values; None where a cell is refused.
        refused: Which of all cells are refused, or depend on more than themselves, shape (r,).
        findings: The findings of reading a cell, by its number, where there are any.
    """

    values: list[object]
    refused: Mask
    findings: dict[int, tuple[Finding, ...]]


class _Outcome(NamedTuple):
    """The value of a cell and the findings of reading it, or that it is refused."""

    value: object
    refused: bool = False
    findings: tuple[Finding, ...] = ()


def single_values(cells: Cells, which: npt.NDArray[np.intp], policy: OnInvalidValue) -> Singles:
    """Read these cells by the rules of single values."""
    singles = Singles([], np.zeros(len(cells.files), np.bool_), {})
    outcomes: dict[_Key, _Outcome] = {}
    for cell in which.tolist():
        key = _key(cells, cell)
        if key not in outcomes:
            outcomes[key] = _judge(cells, cell, key, policy)
        outcome = outcomes[key]
        singles.values.append(outcome.value)
        singles.refused[cell] = outcome.refused
        if outcome.findings:
            singles.findings[cell] = outcome.findings
    return singles


def _key(cells: Cells, cell: int) -> _Key:
    """Return everything that decides the value of a cell: column, VR, bytes, character set and byte order."""
    noted, file = cells.noted, int(cells.files[cell])
    charset = None
    if (length := int(noted.lengths[_CHARSET, file])) != ABSENT:
        begin = int(noted.offsets[_CHARSET, file])
        charset = noted.buffer[begin : begin + length].tobytes()
    begin = int(cells.offsets[cell])
    value = noted.buffer[begin : begin + int(cells.lengths[cell])].tobytes()
    return int(cells.columns[cell]), int(cells.codes[cell]), value, charset, bool(noted.big_endian[file])


def _judge(cells: Cells, cell: int, key: _Key, policy: OnInvalidValue) -> _Outcome:
    number, code, value, charset, big_endian = key
    column = cells.fields[number]
    assert column.tag is not None  # only such columns have cells
    # The stand-in for an accession number is the study's and not the cell's.
    is_accession = column.rule is Rule.ACCESSION
    read = READERS[Rule.TEXT if is_accession else column.rule]
    elements = {column.tag: Element(vr_of(column.tag, code), value)}
    if charset is not None:
        elements[SPECIFIC_CHARACTER_SET] = Element("CS", charset)
    syntax = None
    if column.rule is Rule.TRANSFER_SYNTAX:
        syntax = cells.noted.header(int(cells.files[cell])).transfer_syntax_uid
    header = Header(elements, not big_endian, syntax)
    reading = Reading(header, "", _NO_SIZE, OnInvalidValue.REJECT if is_accession else policy, _NO_CLOCK)
    try:
        return _Outcome(read(reading, column), findings=tuple(reading.findings))
    except Refused:
        return _Outcome(None, refused=True)

"""From noted places back to one file's header."""

import numpy as np
import pytest

from dicom_pipeline.dicom.fields import WANTED_TAGS
from dicom_pipeline.dicom.header import Element, Header
from dicom_pipeline.dicom.scanner.grammar import Layout, grammar
from dicom_pipeline.dicom.scanner.noted import SLOTS, vr_of
from dicom_pipeline_tests.dicom.streams import MODALITY, PATIENT_ID, ROWS
from dicom_pipeline_tests.tables.made_noted import NO_VR, noted_of


def test_every_wanted_tag_has_a_slot_in_order() -> None:
    assert list(SLOTS) == sorted(WANTED_TAGS)
    assert SLOTS[0] == 0x0002_0010


def test_a_header_is_what_was_noted() -> None:
    headers = [
        Header({PATIENT_ID: Element("LO", b"ID"), ROWS: Element("US", b"\2\0")}, True, "1.2.840.10008.1.2.1"),
        Header({MODALITY: Element("CS", b"")}, False, None),
        Header({}, True, "1.2"),
    ]
    noted = noted_of(headers)
    assert [noted.header(number) for number in range(3)] == headers


@pytest.mark.parametrize("vr", [NO_VR, "UN"])
def test_a_vr_that_is_not_told_is_the_dictionarys(vr: str) -> None:
    noted = noted_of([Header({PATIENT_ID: Element(vr, b"ID"), ROWS: Element(vr, b"\2\0")}, True, None)])
    assert {tag: found.vr for tag, found in noted.header(0).elements.items()} == {PATIENT_ID: "LO", ROWS: "US"}


def test_a_vr_that_nobody_knows_is_unknown() -> None:
    assert vr_of(0x0009_1001, 0) == "UN"
    assert vr_of(PATIENT_ID, int.from_bytes(b"SH", "big")) == "SH"


def test_the_grammar_is_that_of_the_careful_reader() -> None:
    tables = grammar()
    assert (np.diff(tables.known.astype(np.int64)) > 0).all()
    assert tables.vr_lengths.sum() == 21 * 2 + 13 * 4
    assert tables.syntaxes[b"1.2.840.10008.1.2"] is Layout.IMPLICIT_LITTLE
    assert tables.syntaxes[b"1.2.840.10008.1.2.1.99"] is Layout.DEFLATED

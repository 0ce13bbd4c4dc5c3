"""Whole columns against the measure of all readers: ``build_record`` of each file's header."""

import datetime as dt
import struct
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.dictionary import dictionary_vr
from dicom_pipeline.dicom.fields import HEADER_FIELDS, SPECIFIC_CHARACTER_SET, Field, Rule
from dicom_pipeline.dicom.hashes import accession_fallback, hash_uid
from dicom_pipeline.dicom.header import Element, Header, HeaderError
from dicom_pipeline.dicom.pydicom_reader import PydicomReader
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import OnInvalidValue, Record, build_record
from dicom_pipeline.dicom.scanner.noted import Noted
from dicom_pipeline.tables.columns import ValueColumns, value_columns
from dicom_pipeline.tables.readers import ReadJob
from dicom_pipeline.tables.schemas import arrow_field
from dicom_pipeline_tests.corpus import CORPUS, needs_corpus
from dicom_pipeline_tests.tables.made_noted import NO_VR, noted_of

CLOCK = dt.datetime(2024, 5, 6, 7, 8, 9, 101112)  # noqa: DTZ001 - UTC without a zone, as the tables store it
JOB = ReadJob("/archive", "tenant", OnInvalidValue.NULL, CLOCK)
SCHEMA = pa.schema([arrow_field(field, nullable=True) for field in HEADER_FIELDS])
FIELDS = {field.name: field for field in HEADER_FIELDS}
READ = [field for field in HEADER_FIELDS if field.tag is not None and field.rule is not Rule.STUDY_DATE_TEXT]
ORDINARY: Mapping[str, str] = {
    "patient_id": "P1 ",
    "patient_name": "Doe^Jane",
    "study_uid": "1.2.3",
    "series_uid": "1.2.3.4\0",
    "sop_uid": "1.2.3.4.5",
    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
    "study_date": "20230115",
}


def header_of(values: Mapping[str, str | bytes | Element], *, charset: bytes | None = b"ISO_IR 100") -> Header:
    """Return an ordinary header with these values by column."""
    elements = {} if charset is None else {SPECIFIC_CHARACTER_SET: Element("CS", charset)}
    for name, value in {**ORDINARY, **values}.items():
        tag, vr = FIELDS[name].tag, FIELDS[name].vr
        assert tag is not None
        assert vr is not None
        raw = value.encode() if isinstance(value, str) else value
        elements[tag] = raw if isinstance(raw, Element) else Element(vr, raw)
    return Header(elements, little_endian=True, transfer_syntax_uid="1.2.840.10008.1.2.1")


def without(header: Header, name: str) -> Header:
    elements = {tag: element for tag, element in header.elements.items() if tag != FIELDS[name].tag}
    return Header(elements, header.little_endian, header.transfer_syntax_uid)


def bits(value: object) -> object:
    return (float, struct.pack("<d", value)) if isinstance(value, float) else (type(value), value)


def check(noted: Noted, files: Iterable[int] | None = None) -> ValueColumns:
    """Read the columns of these files, hold them to their records, and return them."""
    indices = np.array(list(range(noted.status.size) if files is None else files), np.int64)
    columns = value_columns(noted, indices, JOB)
    batch = pa.RecordBatch.from_arrays(columns.arrays, schema=SCHEMA)
    batch.validate(full=True)
    for row, file in enumerate(indices.tolist()):
        record = build_record(
            noted.header(file),
            tenant_id=JOB.tenant_id,
            file_size=int(noted.sizes[file]),
            policy=JOB.policy,
            clock=JOB.clock,
        )
        decided = isinstance(record, Record) and Reason.ACCESSION_REPLACED not in [f.reason for f in record.findings]
        assert columns.odd[row] == (not decided)
        if isinstance(record, Record) and decided:
            assert columns.findings.get(row, ()) == record.findings
            found = {name: bits(batch.column(name)[row].as_py()) for name in SCHEMA.names}
            assert found == dict(zip(SCHEMA.names, map(bits, record.values), strict=True))
    return columns


def values_of(name: str, texts: Sequence[str | bytes | Element], **options: bytes) -> list[object]:
    """Return what stands in a column for each of these values, None also where the file is odd."""
    columns = check(noted_of([header_of({name: text}, **options) for text in texts]))
    column = columns.arrays[SCHEMA.names.index(name)].to_pylist()
    return [None if odd else value for value, odd in zip(column, columns.odd.tolist(), strict=True)]


@pytest.fixture(scope="module")
def corpus_headers() -> list[Header]:
    reader, headers = PydicomReader(), []
    store = LocalStore(CORPUS)
    for entry in store.walk(""):
        if entry.problem is None:
            with store.open(entry.path) as stream:
                try:
                    headers.append(reader.read(stream, entry.size or 0))
                except HeaderError:
                    continue
    return headers


@needs_corpus
@pytest.mark.parametrize("batch", [5, 400])
def test_every_readable_file_of_the_corpus_gives_its_record(corpus_headers: list[Header], batch: int) -> None:
    assert len(corpus_headers) > 300
    for start in range(0, len(corpus_headers), batch):
        check(noted_of(corpus_headers[start : start + batch]))


def test_no_files_give_empty_columns() -> None:
    columns = check(noted_of([header_of({})]), [])
    assert [len(array) for array in columns.arrays] == [0] * len(HEADER_FIELDS)


def test_any_files_of_the_batch_may_be_asked_for_in_any_order() -> None:
    noted = noted_of([header_of({"sop_uid": f"1.2.{number}", "modality": "CT"}) for number in range(9)])
    columns = check(noted, [7, 2, 2, 0])
    assert columns.arrays[SCHEMA.names.index("sop_uid")].to_pylist() == ["1.2.7", "1.2.2", "1.2.2", "1.2.0"]


def test_the_columns_decide_ordinary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """No value of them is read by itself, which would be right but slow."""
    monkeypatch.delattr("dicom_pipeline.tables.columns.single_values")
    values = {
        "image_type": "ORIGINAL\\PRIMARY\\AXIAL ",
        "image_position_patient": "-1.5\\0\\1e-3",
        "slice_location": " -12.50 ",
        "slice_thickness": "1.25E+01",
        "series_number": "007",
        "width": b"\x00\x02",
        "bits_stored": Element(NO_VR, b"\x0c\x00"),
        "high_bit": Element("SS", b"\xff\xff"),
        "content_time": "235959.1234",
        "study_time": "0718",
        "series_time": "07",
        "series_date": "20240229",
        "patient_birth_date": " " * 8,
        "patient_age": "",
        "series_description": Element("UN", b"x  "),
    }
    columns = check(noted_of([header_of(values), header_of({})]))
    assert not columns.odd.any()


def test_the_values_of_one_file_never_stand_in_another() -> None:
    """Also not where only the last byte, the length, the character set, the VR or the byte order differ."""
    names = [b"Abcdefgh^Xyz", b"Abcdefgh^Xyw", b"Abcdefgh^Xy", b"Bbcdefgh^Xy", b"Abcdefgh^\xe4y"]
    headers = [header_of({"patient_name": name}) for name in names]
    headers += [header_of({"patient_name": names[-1]}, charset=charset) for charset in (b"ISO_IR 144", b"", None)]
    headers += [header_of({"width": Element(vr, b"\xff\xff")}) for vr in ("US", "SS", "OB")]
    headers += [Header(headers[-2].elements, little, None) for little in (False, True)]
    for values in ({"width": b"\x00\x01"}, {"slice_location": Element("FL", b"\x3f\x80\0\0")}):
        headers += [header_of(values), Header(header_of(values).elements, False, "")]
    check(noted_of(headers, gap=0))


@pytest.mark.parametrize("length", [*range(0, 20), 63, 64, 65, 127, 128, 129, 250, 260])
def test_values_are_compared_to_their_last_byte(length: int) -> None:
    texts = ["a" * length, "a" * length, "b" + "a" * (length - 1), "a" * length, "a" * (length - 1) + "b"]
    kept = [text[:256] for text in texts]
    for gap in (0, 1):
        noted = noted_of([header_of({"series_description": text}) for text in texts], gap=gap)
        column = check(noted).arrays[SCHEMA.names.index("series_description")].to_pylist()
        assert column == ([text or None for text in kept] if length else [None, None, "b", None, "b"])


def test_the_transfer_syntax_is_a_uid_whatever_its_vr() -> None:
    noted = noted_of([header_of({}), header_of({}), Header(header_of({}).elements, True, None)])
    noted.vrs[0, 1] = int.from_bytes(b"OB", "big")
    column = check(noted).arrays[SCHEMA.names.index("transfer_syntax_uid")].to_pylist()
    assert column == ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]


def test_accession_numbers_are_filled_in_by_study() -> None:
    studies = ["1.2.3", "1.2.3", "1.2.4", "1.2.4", "1.2.3"]
    given_numbers = ["A1", "", " ", "A1", ""]
    headers = [
        header_of({"study_uid": uid, "accession_number": text})
        for uid, text in zip(studies, given_numbers, strict=True)
    ]
    columns = check(noted_of([*headers, without(header_of({}), "study_uid")]))
    first, second = (accession_fallback("tenant", uid) for uid in ("1.2.3", "1.2.4"))
    found = columns.arrays[SCHEMA.names.index("accession_number")].to_pylist()
    assert found[:5] == ["A1", first, second, "A1", first]


def test_an_over_long_accession_number_is_odd() -> None:
    assert check(noted_of([header_of({"accession_number": "A" * n}) for n in (16, 17)])).odd.tolist() == [False, True]


@pytest.mark.parametrize("name", ["patient_id", "study_uid", "series_uid", "sop_uid", "sop_class_uid", "study_date"])
def test_a_file_without_a_required_value_is_odd(name: str) -> None:
    headers = [header_of({}), without(header_of({}), name), header_of({name: " "}), header_of({name: "1" * 65})]
    assert check(noted_of(headers)).odd.tolist() == [False, True, True, True]


def test_hashes_of_uids_of_every_length() -> None:
    uids = ["1" * length for length in range(1, 65)]
    assert values_of("study_uid", uids) == uids
    columns = check(noted_of([header_of({"series_uid": uid}) for uid in uids]))
    assert columns.arrays[SCHEMA.names.index("series_uid_hash")].to_pylist() == [hash_uid(uid) for uid in uids]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("series_number", "+5", 5),
        ("series_number", "0000000000007", 7),
        ("series_number", "2147483647", 2147483647),
        ("series_number", "2147483648", None),
        ("series_number", "-2147483648", -2147483648),
        ("series_number", "1_0", None),
        ("series_number", "0x10", None),
        ("series_number", "5\n", 5),
        ("series_number", "3\\4", 3),
        ("series_number", "\u0663", None),
        ("width", b"\x01\x00\x02\x00", 1),
        ("width", b"\x01", None),
        ("width", Element("UL", b"\xff\xff\xff\x7f"), 2147483647),
        ("width", Element("UL", b"\xff\xff\xff\xff"), None),
        ("width", Element("SL", b"\xff\xff\xff\xff"), -1),
        ("width", Element("FL", struct.pack("<f", 5)), None),
        ("slice_location", "-0", -0.0),
        ("slice_location", "5.", 5.0),
        ("slice_location", ".5", 0.5),
        ("slice_location", "+5", 5.0),
        ("slice_location", "1e400", None),
        ("slice_location", "1e-400", 0.0),
        ("slice_location", "9" * 400, None),
        ("slice_location", "NaN", None),
        ("slice_location", "inf", None),
        ("slice_location", "1,5", None),
        ("slice_location", "0.1\\0.2", 0.1),
        ("slice_location", "1\n", 1.0),
        ("slice_location", Element("FD", struct.pack("<d", 0.1)), 0.1),
        ("content_time", "235960", dt.time(23, 59, 59)),
        ("content_time", "240000", None),
        ("content_time", "07180", None),
        ("content_time", "071860.5", dt.time(7, 18, 59, 500000)),
        ("content_time", "071830.", dt.time(7, 18, 30)),
        ("content_time", "071830.000001", dt.time(7, 18, 30, 1)),
        ("content_time", "071830.0000001", None),
        ("content_time", "07:18:30", None),
        ("content_time", "071830,5", None),
        ("content_date", "20230229", None),
        ("content_date", "00000101", None),
        ("content_date", "00010101", dt.date(1, 1, 1)),
        ("content_date", "99991231", dt.date(9999, 12, 31)),
        ("content_date", "20231301", None),
        ("content_date", "20230100", None),
        ("content_date", "2023.01.15", None),
        ("patient_name", "Doe^Jane==", "Doe^Jane"),
        ("patient_name", "Doe^Jane= ", "Doe^Jane"),
        ("patient_name", "Doe =\\Roe", "Doe\\Roe"),
        ("patient_name", "a" * 65, "a" * 64),
        ("image_type", "A \\B\0\\ C ", "A\\B\\ C"),
        ("image_type", "A \\B", "A\\B"),
        ("image_type", "A\0B", "A"),
        ("image_type", "A\tB", "A\tB"),
        ("image_type", "A" + " " * 100, "A"),
        ("patient_sex", Element("US", b"\x05\x00"), "5"),
        ("patient_sex", Element("OB", b"F"), None),
        ("modality", Element("LT", b"A \\B"), "A \\B"),
    ],
)
def test_special_values(name: str, text: str | bytes | Element, value: object) -> None:
    assert bits(values_of(name, ["", text, text])[2]) == bits(value)


def test_many_decimals_are_pythons_to_the_last_bit() -> None:
    random = np.random.default_rng(7)
    numbers = random.standard_normal(1500) * 10.0 ** random.integers(-30, 30, 1500)
    texts = [repr(number) for number in numbers.tolist()]
    texts += [f"{number:.{digits}f}" for number, digits in zip(random.uniform(-1e4, 1e4, 500), range(500), strict=True)]
    assert values_of("slice_location", texts) == [float(text) for text in texts]


def test_the_attributes_vrs_are_the_dictionarys() -> None:
    """A value without a VR, or of UN, is read by the column's: by the dictionary's, that is."""
    assert {field.name: field.vr for field in READ} == {
        field.name: dictionary_vr(field.tag) for field in READ if field.tag is not None
    }


NUMBERS = ("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV")
OTHERS = ("AE", "AS", "AT", "CS", "DA", "DS", "IS", "LO", "LT", "OB", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
VRS = st.sampled_from([NO_VR, "UN", *NUMBERS, *OTHERS])
TEXTS = st.one_of(
    st.from_regex(r"\A *[+-]?[0-9]{0,12}(\.[0-9]{0,8})?([eE][+-]?[0-9]{1,3})? *\Z"),
    st.from_regex(r"\A[0-2]?[0-9]{1,7}(\.[0-9]{0,7})? *\Z"),
    st.from_regex(r"\A(0000|0001|1900|2023|2024)(0[0-9]|1[0-3])([0-2][0-9]|3[0-2])\Z"),
    st.text(st.sampled_from("A1.^=\\ \0\t\u00e4\u00a0\u0663\x1b\x7f"), max_size=20),
    st.integers(0, 300).map(lambda count: "a" * count),
    st.sampled_from(["NaN", "inf", "1e400", "+5", "007", "1_0", "235960", "  ", "\\2", "=", "==\\= ="]),
).map(lambda text: text.encode("utf_8"))
BYTES = st.one_of(TEXTS, st.binary(max_size=20), st.sampled_from([b"\x1b$)C\xb1\xe8", b"\x1b(J\xb1", b"\xe4\xf6"]))
CHARSETS = st.sampled_from(
    [None, b"", b"ISO_IR 100", b"ISO_IR 192", b"\\ISO 2022 IR 149", b"GB18030", b"ISO_IR 144 ", b"junk"]
)


@st.composite
def batches(draw: st.DrawFn) -> list[Header]:
    """A few files that share most values, as those of a series do, and differ in some."""
    headers = [header_of({}, charset=draw(CHARSETS))]
    for _ in range(draw(st.integers(0, 5))):
        elements = dict(headers[-1].elements)
        for field in draw(st.lists(st.sampled_from(READ), max_size=6)):
            vr = draw(st.one_of(st.just(field.vr or NO_VR), VRS))
            elements[field.tag or 0] = Element(vr, draw(BYTES))
        gone = draw(st.sampled_from([*(field.tag for field in READ), 0, 0, 0]))
        elements.pop(gone or 0, None)
        syntax = draw(st.sampled_from([None, "", "1.2.840.10008.1.2.1", "1.2 \\3", "1" * 65, "\xe4\0 "]))
        headers.append(Header(elements, draw(st.booleans()), syntax))
    return headers


@settings(max_examples=400, deadline=None)
@given(batches(), st.integers(0, 2))
def test_random_batches_give_their_records(headers: list[Header], gap: int) -> None:
    check(noted_of(headers, gap=gap))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(READ), st.lists(st.tuples(VRS, BYTES), min_size=1, max_size=30), CHARSETS)
def test_random_values_of_one_column_give_their_records(
    field: Field, values: list[tuple[str, bytes]], charset: bytes | None
) -> None:
    check(noted_of([header_of({field.name: Element(vr, value)}, charset=charset) for vr, value in values]))

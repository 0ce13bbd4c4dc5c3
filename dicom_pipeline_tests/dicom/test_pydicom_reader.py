"""The reader as a whole: against pydicom, against damage of every kind, and what it may cost."""

import io
import logging
import os
import random
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement

from dicom_pipeline.dicom.element_header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicom_pipeline.dicom.fields import SPECIFIC_CHARACTER_SET, WANTED_TAGS
from dicom_pipeline.dicom.header import MAX_VALUE_BYTES, Header, HeaderError
from dicom_pipeline.dicom.pydicom_reader import PydicomReader
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline_tests.corpus import CORPUS, needs_corpus
from dicom_pipeline_tests.dicom.streams import (
    DEFLATED_UID,
    EXPLICIT_UID,
    MODALITY,
    PATIENT_ID,
    PIXEL_DATA,
    RESCALE_TYPE,
    SERIES_SEQUENCE,
    SERIES_UID,
    UID_OF,
    deflate,
    dicom_file,
    element,
    item,
    length_bytes,
    plain_data_set,
    plain_values,
    read,
    sequence,
    tag_bytes,
    text,
    values,
)

BUNDLED = Path(pydicom.__file__).parent / "data"
NO_ELEMENT_AT_ITS_BEGINNING = "no_meta.dcm"
"""A bundled file that begins with half an element; nothing can be read of it, by pydicom either."""


def real_files() -> list[Path]:
    roots = [root for root in (CORPUS, BUNDLED) if root.is_dir()]
    return sorted(path for root in roots for path in root.rglob("*") if path.is_file())


def by_pydicom(data: bytes) -> tuple[dict[int, bytes], str | None]:
    """Return the wanted elements' values and the transfer syntax as pydicom reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(io.BytesIO(data), force=True, stop_before_pixels=True)
        found = {}
        for tag in sorted(WANTED_TAGS & {int(tag) for tag in data_set._dict}):
            raw = data_set._dict[pydicom.tag.Tag(tag)]
            if isinstance(raw, RawDataElement):
                found[tag] = bytes(raw.value or b"")
            elif raw.VR != "SQ":
                joined = raw.value if isinstance(raw.value, str) else "\\".join(raw.value or ())
                found[tag] = joined.encode()
        uid = data_set.file_meta.get("TransferSyntaxUID")
    return found, str(uid) if uid else None


def without_pad(found: dict[int, bytes]) -> dict[int, bytes]:
    """Return the values with the character set's trailing blanks cut: pydicom decodes that one at once."""
    return {tag: value.rstrip() if tag == SPECIFIC_CHARACTER_SET else value for tag, value in found.items()}


@needs_corpus
def test_real_files_are_read_as_pydicom_reads_them() -> None:
    compared = 0
    for path in real_files():
        data = path.read_bytes()
        expected, uid = by_pydicom(data)
        found = outcome(data)
        if isinstance(found, Reason):
            assert (found, expected) == (Reason.NOT_DICOM, {}), path
            assert path.suffix != ".dcm" or path.name == NO_ELEMENT_AT_ITS_BEGINNING, path
            continue
        assert without_pad(values(found)) == without_pad(expected), path
        assert found.transfer_syntax_uid == uid, path
        compared += 1
    assert compared > 700


def small_files(largest: int = 12_000) -> list[Path]:
    return [path for path in real_files() if path.is_relative_to(BUNDLED) and path.stat().st_size < largest]


def outcome(data: bytes) -> Header | Reason:
    """Return what reading gives, nothing but a header or a reason."""
    try:
        return read(data, seconds=60)
    except HeaderError as error:
        return error.reason


@pytest.mark.parametrize("name", ["ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm", "empty_charset_LEI.dcm"])
def test_a_real_file_cut_anywhere_is_refused_or_right(name: str) -> None:
    data = next(path for path in real_files() if path.name == name).read_bytes()
    check_cuts(data, range(len(data)))


def test_real_files_cut_here_and_there_are_refused_or_right() -> None:
    chance = random.Random(11)
    for path in small_files():
        data = path.read_bytes()
        check_cuts(data, sorted(chance.sample(range(len(data)), 20)))


def check_cuts(data: bytes, cuts: Any) -> None:
    whole = outcome(data)
    if isinstance(whole, Reason):
        return
    full, shortened = values(whole), set()
    for cut in cuts:
        found = outcome(data[:cut])
        if isinstance(found, Header):
            highest = max(found.elements, default=0)
            expected = {tag: value for tag, value in full.items() if tag <= highest}
            assert values(found) == expected, cut
            if expected != full:
                shortened.add(cut)
        else:
            assert found in (Reason.UNREADABLE, Reason.NOT_DICOM, Reason.EMPTY_FILE), cut
    ends = {cut for cut in shortened if any(data[:cut].endswith(value) for value in full.values() if value)}
    assert len(shortened) <= len(ends) + len(data) // 50, "values were lost at cuts that are no ends of elements"


def mutations(data: bytes, chance: random.Random) -> Iterator[bytes]:
    limit = min(len(data), 4000)
    for _ in range(12):
        broken = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 5))):
            broken[chance.randrange(limit)] = chance.choice((0, 0xFF, chance.randrange(256)))
        yield bytes(broken)
    for _ in range(6):
        begin, end = sorted((chance.randrange(limit), chance.randrange(limit)))
        yield data[:begin] + data[end:]
        yield data[:begin] + data[begin:end] * 2 + data[end:]
        yield data[:begin] + chance.randbytes(end - begin) + data[end:]
        yield data[:begin] + bytes(end - begin) + data[end:]


def test_damaged_real_files_end_in_a_header_or_a_reason() -> None:
    chance = random.Random(5)
    for path in small_files():
        for broken in mutations(path.read_bytes(), chance):
            outcome(broken)


def test_spliced_real_files_end_in_a_header_or_a_reason() -> None:
    chance = random.Random(6)
    contents = [path.read_bytes() for path in small_files()]
    for _ in range(500):
        first, second = chance.choice(contents), chance.choice(contents)
        outcome(first[: chance.randrange(len(first))] + second[chance.randrange(len(second)) :])


# -- data sets made up

WANTED = [tag for tag in sorted(WANTED_TAGS) if tag > 0x0002_FFFF]
OTHERS = [0x0008_0000, 0x0008_0070, 0x0009_0010, 0x0009_1001, 0x0010_4000, 0x0018_9073, 0x0028_0106, 0x0040_0275]
SEQUENCES = [0x0008_1110, 0x0008_1115, 0x0010_1002, 0x0018_1800, 0x0028_9145, 0x0040_0275]
plain = st.dictionaries(st.sampled_from(WANTED + OTHERS), st.binary(max_size=20), max_size=6)
contents = st.recursive(
    plain,
    lambda inner: st.dictionaries(
        st.sampled_from(SEQUENCES),
        st.binary(max_size=20) | st.tuples(st.lists(st.tuples(inner, st.booleans()), max_size=3), st.booleans()),
        max_size=6,
    ).flatmap(lambda sequences: plain.map(lambda others: others | sequences)),
    max_leaves=12,
)


def written(content: dict[int, Any], encoding: Encoding) -> bytes:
    parts = []
    for tag, value in sorted(content.items()):
        if isinstance(value, bytes):
            parts.append(element(tag, "UT" if len(value) % 3 == 0 else "LO", value, encoding))
        else:
            items = [item(written(inner, encoding), encoding, defined=defined) for inner, defined in value[0]]
            parts.append(sequence(tag, *items, encoding=encoding, defined=value[1]))
    return b"".join(parts)


def expected_of(content: dict[int, Any]) -> dict[int, bytes]:
    return {tag: value for tag, value in content.items() if isinstance(value, bytes) and tag in WANTED_TAGS}


encodings = st.sampled_from([EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG])


@given(contents, encodings)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_only_the_top_level_is_read(content: dict[int, Any], encoding: Encoding) -> None:
    assert values(read(dicom_file(written(content, encoding), UID_OF[encoding]))) == expected_of(content)


@given(contents, encodings, st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_cut_data_set_is_refused_or_right(content: dict[int, Any], encoding: Encoding, data: st.DataObject) -> None:
    whole = written(content, encoding)
    cut = data.draw(st.integers(0, len(whole)))
    ends = {len(written(dict(sorted(content.items())[:n]), encoding)): n for n in range(len(content) + 1)}
    found = outcome(dicom_file(whole[:cut], UID_OF[encoding]))
    if cut in ends:
        assert isinstance(found, Header)
        assert values(found) == expected_of(dict(sorted(content.items())[: ends[cut]]))
    elif isinstance(found, Header):
        assert values(found) == expected_of(content)
    else:
        assert found is Reason.UNREADABLE


@given(st.binary(max_size=400), st.sampled_from([EXPLICIT_UID, DEFLATED_UID, *UID_OF.values()]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_behind_file_meta_end_in_a_header_or_a_reason(data: bytes, uid: str) -> None:
    outcome(dicom_file(data, uid))
    outcome(dicom_file(text(MODALITY, "CS", "CT") + data, uid))


# -- what it may cost


class Counting(io.BytesIO):
    """A file of many gigabytes, of which only the beginning is there to be read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.given = 0

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self.given += len(piece)
        return piece


def test_big_values_are_passed_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "big.dcm"
    gigabytes = 3 << 30
    head = dicom_file(text(MODALITY, "CS", "CT") + element(0x0009_1010, "OB", b"", length=gigabytes))
    tail = text(PATIENT_ID, "LO", "ID") + element(PIXEL_DATA, "OW", b"", length=gigabytes)
    with path.open("wb") as file:
        file.write(head)
        file.seek(gigabytes, os.SEEK_CUR)
        file.write(tail)
        file.truncate(2 * gigabytes + 1000)
    size = path.stat().st_size
    tracemalloc.start()
    with path.open("rb", buffering=0) as stream:
        header = PydicomReader().read(stream, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values(header) == {MODALITY: b"CT", PATIENT_ID: b"ID"}
    assert peak < 1_000_000


def test_no_more_of_a_file_is_read_than_its_header() -> None:
    data = dicom_file(plain_data_set() + bytes(5_000_000))
    stream = Counting(data)
    PydicomReader().read(stream, len(data))
    assert stream.given <= 16 * 1024


def test_values_are_capped() -> None:
    data_set = element(PATIENT_ID, "UT", b"x" * (MAX_VALUE_BYTES + 10)) + text(SERIES_UID, "UI", "1.2")
    found = values(read(dicom_file(data_set)))
    assert found == {PATIENT_ID: b"x" * MAX_VALUE_BYTES, SERIES_UID: b"1.2\0"}


def test_a_file_that_shrinks_while_it_is_read_is_unreadable() -> None:
    data = dicom_file(
        text(MODALITY, "CS", "CT") + element(PATIENT_ID, "UT", b"x" * 100_000) + text(SERIES_UID, "UI", "1")
    )
    with pytest.raises(HeaderError) as caught:
        PydicomReader().read(io.BytesIO(data[:50_000]), len(data))
    assert caught.value.reason is Reason.UNREADABLE


def test_operating_system_errors_come_through() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        PydicomReader().read(Failing(b"x"), 1)


def test_a_deflate_bomb_in_front_of_wanted_elements_exceeds_the_limit() -> None:
    bomb = text(MODALITY, "CS", "CT") + element(0x0009_1010, "OB", bytes(80_000_000)) + text(PATIENT_ID, "LO", "ID")
    assert outcome(dicom_file(deflate(bomb), DEFLATED_UID)) is Reason.LIMIT_EXCEEDED


def test_a_deflate_bomb_behind_everything_wanted_is_no_defect() -> None:
    bomb = plain_data_set()[: -(12 + 64)] + element(0x0040_A168, "OB", bytes(80_000_000))
    assert values(read(dicom_file(deflate(bomb), DEFLATED_UID))) == plain_values()
    pixels = plain_data_set()[: -(12 + 64)] + element(PIXEL_DATA, "OB", bytes(80_000_000))
    assert values(read(dicom_file(deflate(pixels), DEFLATED_UID))) == plain_values()


def test_a_cut_deflate_stream_follows_the_rule_for_cut_files() -> None:
    filler = element(0x0009_1010, "OB", random.Random(3).randbytes(5000))
    packed = deflate(text(MODALITY, "CS", "CT") + filler + text(PATIENT_ID, "LO", "ID"))
    assert outcome(dicom_file(packed[:-40], DEFLATED_UID)) is Reason.UNREADABLE
    pixels = plain_data_set()[: -(12 + 64)] + element(PIXEL_DATA, "OB", random.Random(3).randbytes(50_000))
    packed = deflate(pixels)
    assert values(read(dicom_file(packed[: len(packed) // 2], DEFLATED_UID))) == plain_values()


def forking_stream(count: int) -> bytes:
    """Nonsense VRs whose every reading leads to another one."""
    head = text(MODALITY, "CS", "CT")
    strange = b"".join(tag_bytes(0x0009_1000 + n) + b"\x04\0\0\0" + bytes(4) for n in range(count))
    return head + strange + tag_bytes(PATIENT_ID) + b"LO" + length_bytes(9)


def test_many_forks_are_bounded() -> None:
    assert outcome(dicom_file(forking_stream(4000))) in (Reason.UNREADABLE, Reason.LIMIT_EXCEEDED)


def test_nothing_reaches_the_terminal(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    chance = random.Random(9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in small_files(3000):
            data = path.read_bytes()
            outcome(data)
            outcome(next(mutations(data, chance)))
        outcome(dicom_file(plain_data_set(), "not a UID at all" * 9))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_fresh_interpreter_reads_without_a_word_under_strict_warnings(tmp_path: Path) -> None:
    path = tmp_path / "strange.dcm"
    path.write_bytes(dicom_file(plain_data_set(), "1.2..3 no uid"))
    code = (
        "import sys, os\n"
        "from dicom_pipeline.dicom.pydicom_reader import PydicomReader\n"
        "with open(sys.argv[1], 'rb') as stream:\n"
        "    sys.exit(len(PydicomReader().read(stream, os.path.getsize(sys.argv[1])).elements))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, str(path)], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (len(plain_values()), b"", b"")


def test_one_reader_serves_many_files_and_forgets_them() -> None:
    reader = PydicomReader()
    first, second = dicom_file(plain_data_set()), dicom_file(text(RESCALE_TYPE, "LO", "HU"))
    for data, expected in ((first, plain_values()), (second, {RESCALE_TYPE: b"HU"}), (first, plain_values())):
        assert values(reader.read(io.BytesIO(data), len(data))) == expected
    nested = sequence(SERIES_SEQUENCE, item(text(PATIENT_ID, "LO", "DECOY ")))
    assert values(reader.read(io.BytesIO(dicom_file(nested)), len(dicom_file(nested)))) == {}

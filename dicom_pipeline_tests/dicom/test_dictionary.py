import subprocess
import sys

import pydicom.datadict
import pydicom.uid
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, STANDARD_VR

from dicom_pipeline.dicom.dictionary import dictionary_vr, is_group_length, known_tags, vr_length_bytes
from dicom_pipeline.dicom.encoding import DEFLATED_SYNTAXES, SPECIAL_ENCODINGS

CATCH_ALL = (0x1000, 0x1010)


def expected_vr(tag: int) -> str | None:
    if is_group_length(tag):
        return "UL"
    try:
        return None if tag >> 16 in CATCH_ALL else pydicom.datadict.dictionary_VR(tag)
    except KeyError:
        return None


def test_every_vr_of_the_standard_has_the_length_pydicom_gives_it() -> None:
    assert vr_length_bytes() == {vr.value.encode(): 4 if vr in EXPLICIT_VR_LENGTH_32 else 2 for vr in STANDARD_VR}


def test_every_attribute_of_the_dictionary_is_known() -> None:
    assert known_tags() == sorted(tag for tag in pydicom.datadict.DicomDictionary if tag >> 16 not in CATCH_ALL)
    assert all(dictionary_vr(tag) == expected_vr(tag) for tag in known_tags())


REPEATING = st.builds(
    lambda group, element: group << 16 | element,
    st.one_of(*(st.integers(low, low + 0xFF) for low in (0x5000, 0x6000, 0x7F00)), st.sampled_from([0x0020, 0x0028])),
    st.one_of(st.integers(0, 0xFFFF), st.sampled_from([0x0010, 0x3101, 0x0402, 0x0808, 0x3000])),
)


@given(st.one_of(st.integers(0, 0xFFFFFFFF), REPEATING))
def test_any_tag_has_the_vr_pydicom_gives_it(tag: int) -> None:
    assert dictionary_vr(tag) == expected_vr(tag)


@pytest.mark.parametrize("uid", sorted(DEFLATED_SYNTAXES))
def test_deflated_transfer_syntaxes_are_those_of_the_standard(uid: str) -> None:
    assert "Deflate" in pydicom.uid.UID(uid).name


def test_no_other_transfer_syntax_is_deflated_or_laid_out_in_another_way() -> None:
    syntaxes = {
        uid: entry[0] for uid, entry in pydicom.uid.UID_dictionary.items() if entry[1].startswith("Transfer Syntax")
    }
    named = {uid for uid, name in syntaxes.items() if name.startswith("Deflated Explicit") or name.endswith("Deflate")}
    assert named == DEFLATED_SYNTAXES
    unusual = {uid for uid, name in syntaxes.items() if name.startswith(("Implicit VR", "Explicit VR Big"))}
    assert unusual == SPECIAL_ENCODINGS.keys() - {"1.2.840.113619.5.2"}


def test_reading_headers_does_not_import_pydicom() -> None:
    script = (
        "import sys, io; from dicom_pipeline.dicom.pydicom_reader import PydicomReader;"
        "from dicom_pipeline.dicom.header import HeaderError\n"
        "meta = b'DICM' + bytes.fromhex('0200100055490200') + b'1\\0'\n"
        "data = bytes(128) + meta + bytes.fromhex('08006000435302004354')\n"
        "assert PydicomReader().read(io.BytesIO(data), len(data)).elements\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('pydicom', 'numpy')))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

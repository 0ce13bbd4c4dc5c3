"""The published vectors of both derived identifiers, and what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_pipeline.dicom.hashes import accession_fallback, hash_uid, hash_words


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        ("", "14492805990617963705"),
        ("1", "02929670310044459792"),
        ("1.2.3", "14152512315557983588"),
        ("1" * 8, "04792351811130202481"),
        ("1" * 9, "14052442465292800871"),
        ("1" * 28, "13719855371666244384"),
        ("1" * 29, "00037355922788566274"),
        ("1" * 32, "02957017420377927821"),
        ("1.2.80759", "00000137283202881781"),
        ("1.2.3.4.5.6.7.8.9", "04285450645024165787"),
        ("1.2.3.4.5.6.7.8.9.1", "10292882961843122481"),
        ("2.25.340282366920938463463374607431768211455", "11492850080393807306"),
        ("1.2.826.0.1.3680043.8.498.12345678901234567890123456789012345678", "14460988099581331692"),
        ("to be or not to be", "01988685042348123509"),
    ],
)
def test_hash_uid_vectors(uid: str, expected: str) -> None:
    assert hash_uid(uid) == expected


@given(st.lists(st.text(max_size=24), max_size=8), st.integers(0, (1 << 64) - 1))
def test_many_hashes_are_those_of_each(texts: list[str], beyond: int) -> None:
    """Texts of up to 96 bytes, also beside longer ones: what stands past the end of a text does not count."""
    raw = [text.encode() for text in texts]
    words = [
        [int.from_bytes(value[at : at + 8], "little") if at < len(value) else beyond for value in raw]
        for at in range(0, 96, 8)
    ]
    numbers = hash_words(np.array(words, np.uint64), np.array([len(value) for value in raw], np.int32))
    assert [f"{number:020d}" for number in numbers.tolist()] == [hash_uid(text) for text in texts]


@given(st.text(max_size=80))
def test_hash_uid_is_twenty_digits_of_a_64_bit_number(text: str) -> None:
    digits = hash_uid(text)
    assert len(digits) == 20
    assert digits.isascii()
    assert int(digits) < 1 << 64


@pytest.mark.parametrize(
    ("tenant", "study_uid", "expected"),
    [
        ("", "", "X32CRC3265854109"),
        ("1234567890", "", "X32CRC1740612860"),
        ("1234567890", "1.2.3", "X32CRC3610635598"),
        ("1234567890", "1.2.3.4.5.6.7.8.9", "X32CRC292005989"),
        ("tenant1", "", "X32CRC3399733849"),
        ("tenant1", "1.2.3.4.5.6.7.8.9", "X32CRC484197562"),
        ("tenant", "11.2.3.4.5.6.7.8.9", "X32CRC484197562"),
        ("tenant1", "1.2.142906", "X32CRC52471"),
        ("hospital-a", "1.2.826.0.1.3680043.8.498.1", "X32CRC3900489445"),
        ("t" * 64, "1." + "2" * 62, "X32CRC2967852150"),
        ("患者", "1.2.3", "X32CRC1820212680"),
    ],
)
def test_accession_fallback_vectors(tenant: str, study_uid: str, expected: str) -> None:
    assert accession_fallback(tenant, study_uid) == expected


@given(st.text("0123456789abc", max_size=64), st.text("0123456789.", max_size=64))
def test_accession_fallback_fits_its_column(tenant: str, study_uid: str) -> None:
    assert 7 <= len(accession_fallback(tenant, study_uid)) <= 16


def test_accession_fallback_refuses_what_the_buffer_cannot_hold() -> None:
    with pytest.raises(ValueError, match="128 bytes"):
        accession_fallback("t" * 64, "1" * 65)

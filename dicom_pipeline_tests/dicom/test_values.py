"""The published vectors of texts, numbers, dates and times, and hostile bytes."""

import math
import struct
from datetime import date, time
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_pipeline.dicom.header import Element
from dicom_pipeline.dicom.values import (
    cut,
    exceeds,
    get_decimal,
    get_integer,
    get_text,
    is_empty,
    parse_date,
    parse_decimal,
    parse_integer,
    parse_time,
)

TEXT_VRS = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
BINARY_VRS = ("AT", "FD", "FL", "OB", "OF", "OW", "SL", "SQ", "SS", "SV", "UL", "UN", "US", "UV")


def text_of(vr: str, value: bytes, *charsets: str, little_endian: bool = True) -> str | None:
    return get_text(Element(vr, value), charsets, little_endian=little_endian)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b"40\\80", "40\\80"),
        (b"40 \\80 ", "40\\80"),
        (b" 40\\ 80", " 40\\ 80"),
        (b"ORIGINAL\\PRIMARY\\AXIAL ", "ORIGINAL\\PRIMARY\\AXIAL"),
        (b"Doe^John \0", "Doe^John"),
        (b" lead ", " lead"),
        (b"tab\t", "tab\t"),
        (b"  ", ""),
        (b"", ""),
        (b"A\\\\B", "A\\\\B"),
        (b"\\2", "\\2"),
        (b"1.000000", "1.000000"),
        (b"a\0b\0", "a\0b"),
        (b"line\r\n", "line\r\n"),
    ],
)
@pytest.mark.parametrize("vr", ["LO", "CS", "DS"])
def test_texts(vr: str, stored: bytes, expected: str) -> None:
    assert text_of(vr, stored) == expected


@pytest.mark.parametrize(
    ("vr", "layout", "numbers", "expected"),
    [
        ("US", "2H", (1, 2), "1\\2"),
        ("SS", "h", (-1,), "-1"),
        ("UL", "L", (4294967295,), "4294967295"),
        ("SL", "l", (-5,), "-5"),
        ("UV", "Q", (2**64 - 1,), "18446744073709551615"),
        ("SV", "q", (-(2**63),), "-9223372036854775808"),
        ("FL", "2f", (40.0, 0.1), "40\\0.1"),
        ("FL", "f", (3.4028234663852886e38,), "340282350000000000000000000000000000000"),
        ("FL", "f", (1e-45,), "0." + "0" * 44 + "1"),
        ("FL", "f", (16777216.0,), "16777216"),
        ("FD", "d", (40.0,), "40"),
        ("FD", "d", (0.1,), "0.1"),
        ("FD", "d", (1e22,), "1" + "0" * 22),
        ("FD", "d", (-1.5e-7,), "-0.00000015"),
        ("FD", "d", (-0.0,), "-0"),
        ("FD", "d", (math.nan,), "NaN"),
        ("FD", "d", (-math.inf,), "-inf"),
    ],
)
@pytest.mark.parametrize("little_endian", [True, False])
def test_binary_numbers_print_in_default_form(
    vr: str, layout: str, numbers: tuple[float, ...], expected: str, little_endian: bool
) -> None:
    value = struct.pack(("<" if little_endian else ">") + layout, *numbers)
    assert text_of(vr, value, little_endian=little_endian) == expected


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_printed_singles_mean_the_same_number_without_an_exponent(number: float) -> None:
    text = text_of("FL", struct.pack("<f", number))
    assert text is not None
    assert "e" not in text
    assert struct.pack("<f", float(text)) == struct.pack("<f", number)


@pytest.mark.parametrize("vr", ["OB", "OW", "OF", "SQ", "AT", "UN"])
def test_bytes_without_a_text_have_none(vr: str) -> None:
    assert text_of(vr, b"abcd") is None


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b"Doe^John=", "Doe^John"),
        (b"Doe^John==", "Doe^John"),
        (b"Doe^John= ", "Doe^John"),
        (b"Doe^John^^^", "Doe^John^^^"),
        (b"=A^B=C", "=A^B=C"),
        (b"==", ""),
        (b"A=\\B= ", "A\\B"),
    ],
)
def test_person_names_lose_empty_groups_and_keep_empty_components(stored: bytes, expected: str) -> None:
    assert text_of("PN", stored) == expected


def test_an_equals_sign_ends_other_texts() -> None:
    assert text_of("LO", b"a=") == "a="


@pytest.mark.parametrize("charset", ["GBK", "GB18030"])
def test_a_backslash_within_a_character_separates_nothing(charset: str) -> None:
    assert text_of("LO", "乗 \\乗 ".encode(charset.lower()), charset) == "乗\\乗"
    assert b"\\" in "乗".encode(charset.lower())


def test_a_text_of_one_value_keeps_its_backslashes() -> None:
    assert text_of("LT", b"a \\b ") == "a \\b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        (" 1 ", 1),
        ("007", 7),
        ("+5", 5),
        ("-3", -3),
        ("-0", 0),
        ("0", 0),
        ("000", 0),
        ("1\0", 1),
        ("\t1\n", 1),
        ("2147483647", 2147483647),
        ("-2147483648", -2147483648),
        ("0000000000000002147483647", 2147483647),
        ("2147483648", None),
        ("-2147483649", None),
        ("99999999999", None),
        ("1.0", None),
        ("1e3", None),
        ("0x10", None),
        ("1,000", None),
        ("1_000", None),
        ("\uff11", None),
        ("\u0661", None),
        ("- 3", None),
        ("+", None),
        ("--1", None),
        ("", None),
    ],
)
def test_integers(text: str, expected: int | None) -> None:
    assert parse_integer(text) == expected


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("IS", b"1\\2", 1),
        ("IS", b"\\2", None),
        ("LO", b" 12 ", 12),
        ("US", struct.pack("<H", 65535), 65535),
        ("US", struct.pack("<2H", 512, 7), 512),
        ("US", b"\1", None),
        ("US", b"\0\2\3", 512),
        ("US", b"", None),
        ("SS", struct.pack("<h", -1), -1),
        ("UL", struct.pack("<L", 4294967295), None),
        ("UL", struct.pack("<L", 2147483647), 2147483647),
        ("SL", struct.pack("<l", -2147483648), -2147483648),
        ("UV", struct.pack("<Q", 5), 5),
        ("SV", struct.pack("<q", -5), -5),
        ("SV", struct.pack("<q", 2**40), None),
        ("FL", struct.pack("<f", 1.5), None),
        ("FD", struct.pack("<d", 1.0), None),
        ("OB", b"\1\0", None),
        ("AT", b"\1\0\2\0", None),
    ],
)
def test_first_integer_of_an_element(vr: str, value: bytes, expected: int | None) -> None:
    assert get_integer(Element(vr, value), little_endian=True) == expected


def test_integers_follow_the_byte_order() -> None:
    assert get_integer(Element("US", b"\2\0"), little_endian=False) == 512


@given(st.one_of(st.integers().map(str), st.from_regex(r"\A[ +-]{0,2}[0-9]{0,14}[ .e]?\Z"), st.text(max_size=12)))
def test_integers_agree_with_exact_arithmetic(text: str) -> None:
    trimmed = text.strip("\0\t\n\v\f\r \x85\xa0")
    digits = trimmed[1:] if trimmed[:1] in ("+", "-") else trimmed
    is_number = digits.isascii() and digits.isdigit()
    exact = int(trimmed) if is_number else None
    assert parse_integer(text) == (exact if exact is not None and -(2**31) <= exact < 2**31 else None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", 1.5),
        (" 1.5 ", 1.5),
        ("+1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1.5E+2", 150.0),
        ("1.e2", 100.0),
        ("1e-400", 0.0),
        ("NaN", None),
        ("inf", None),
        ("-inf", None),
        ("Infinity", None),
        ("1.797e400", None),
        ("1,5", None),
        ("abc", None),
        ("1_0", None),
        ("1.5.2", None),
        (".", None),
        ("e3", None),
        ("1e", None),
        ("\u0661", None),
        ("", None),
    ],
)
def test_decimals(text: str, expected: float | None) -> None:
    assert parse_decimal(text) == expected


def test_a_negative_zero_stays_negative() -> None:
    number = parse_decimal("-0")
    assert number is not None
    assert math.copysign(1, number) == -1


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("DS", b"1.5\\2.5", 1.5),
        ("DS", b"\\2.5", None),
        ("FL", struct.pack("<f", 1.5), 1.5),
        ("FD", struct.pack("<d", -2.25), -2.25),
        ("FD", struct.pack("<d", math.nan), None),
        ("FL", struct.pack("<f", math.inf), None),
        ("US", struct.pack("<H", 3), 3.0),
        ("UV", struct.pack("<Q", 2**64 - 1), 2.0**64),
        ("FD", b"\0" * 7, None),
        ("OB", b"\1\0", None),
    ],
)
def test_first_decimal_of_an_element(vr: str, value: bytes, expected: float | None) -> None:
    assert get_decimal(Element(vr, value), little_endian=True) == expected


@given(st.floats())
def test_decimals_keep_every_finite_number(number: float) -> None:
    assert parse_decimal(repr(number)) == (number if math.isfinite(number) else None)


@pytest.mark.parametrize("tail", ["", "x", ".", "e", "e5x"])
@pytest.mark.parametrize("digit", ["0", "7"])
def test_many_digits_are_read_in_linear_time(digit: str, tail: str) -> None:
    text = digit * (1 << 14) + tail
    started = perf_counter()
    parse_integer(text)
    parse_decimal(text)
    assert perf_counter() - started < 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20230115", date(2023, 1, 15)),
        ("20240229", date(2024, 2, 29)),
        ("00010101", date(1, 1, 1)),
        ("99991231", date(9999, 12, 31)),
        *(
            (text, None)
            for text in (
                "2023115",
                "2023 1 5",
                "  20230115",
                "+2023 0115",
                "-2023 0115",
                "20230230",
                "20230132",
                "20230229",
                "00000000",
                "202311",
                "2023-01-15",
                "2023.01.15",
                "20230115\\20230116",
                "202301151",
                "INVALID",
                "2023",
                "202301",
                "2023011",
                "20230115ABC",
                "20230115-20230116",
                " 20230115",
                "19",
                "",
                "20231301",
                "20230000",
                "20230100",
                "20230115\n",
                "\uff12\uff10\uff12\uff130115",
            )
        ),
    ],
)
def test_dates(text: str, expected: date | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120000", time(12)),
        ("000000", time(0)),
        ("235959.999999", time(23, 59, 59, 999999)),
        ("143025.123", time(14, 30, 25, 123000)),
        ("143025.123456", time(14, 30, 25, 123456)),
        ("143025.5", time(14, 30, 25, 500000)),
        ("143025.12", time(14, 30, 25, 120000)),
        ("143025.000001", time(14, 30, 25, 1)),
        ("143025.", time(14, 30, 25)),
        ("1430", time(14, 30)),
        ("14", time(14)),
    ],
)
def test_times(text: str, expected: time) -> None:
    assert parse_time(text) == (expected, False)


@pytest.mark.parametrize(
    "text",
    [
        "143025.1234567",
        "143025.1234567890",
        "12000",
        "1",
        "1 2 3",
        "12 3456",
        " 120000",
        "240000",
        "236060",
        "126000",
        "120061",
        "12:30:00",
        "120000-130000",
        "120000\\130000",
        "1430.5",
        "14.",
        "120000\n",
        "\uff11\uff12",
        "",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_time(text) is None


def test_a_leap_second_is_the_second_before_with_its_fraction() -> None:
    assert parse_time("235960") == (time(23, 59, 59), True)
    assert parse_time("235960.25") == (time(23, 59, 59, 250000), True)


@given(st.times())
def test_times_survive_being_written(moment: time) -> None:
    assert parse_time(moment.strftime("%H%M%S.%f")) == (moment, False)


@pytest.mark.parametrize(("vr", "value"), [("LO", b" \0 "), ("LO", b""), ("US", b""), ("IS", b"  ")])
def test_empty_elements(vr: str, value: bytes) -> None:
    assert is_empty(Element(vr, value))


@pytest.mark.parametrize(("vr", "value"), [("LO", b"\t"), ("US", b"\0\0"), ("FL", b"\0\0\0\0"), ("OB", b"\0")])
def test_elements_that_are_not_empty(vr: str, value: bytes) -> None:
    assert not is_empty(Element(vr, value))


@given(st.text(max_size=30), st.integers(0, 40))
def test_exceeds_counts_bytes(text: str, bound: int) -> None:
    assert exceeds(text, bound) == (len(text.encode()) > bound)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0 ")), st.integers(0, 40))
def test_a_cut_keeps_whole_characters_and_as_many_as_fit(text: str, bound: int) -> None:
    beginning = cut(text, bound)
    assert text.startswith(beginning)
    assert not exceeds(beginning, bound)
    assert beginning == text or exceeds(text[: len(beginning) + 1], bound)


@pytest.mark.parametrize(
    ("text", "bound", "expected"),
    [("a\0b", 9, "a"), ("\0b", 9, ""), ("ab cd", 3, "ab"), ("山田", 4, "山"), ("😀", 3, ""), ("é", 2, "é")],
)
def test_a_cut_ends_before_a_nul_and_in_no_blank(text: str, bound: int, expected: str) -> None:
    assert cut(text, bound) == expected


@given(
    st.sampled_from(TEXT_VRS + BINARY_VRS),
    st.binary(max_size=40),
    st.sampled_from(("ISO_IR 192", "GBK", "ISO 2022 IR 87")),
)
def test_no_element_raises(vr: str, value: bytes, charset: str) -> None:
    element = Element(vr, value)
    for little_endian in (True, False):
        text = get_text(element, (charset,), little_endian=little_endian)
        get_integer(element, little_endian=little_endian)
        get_decimal(element, little_endian=little_endian)
        if text is not None:
            text.encode()


@given(st.text(max_size=20))
def test_no_text_raises(text: str) -> None:
    for parse in (parse_integer, parse_decimal, parse_date, parse_time):
        parse(text)

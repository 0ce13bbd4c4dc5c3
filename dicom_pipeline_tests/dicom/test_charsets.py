"""Names of character sets and the text they govern: the standard's examples, pydicom's readings, hostile bytes."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_pipeline.dicom.charsets import decode_text, parse_charsets

SINGLE_NAMES = (
    *(f"ISO_IR {n}" for n in (6, 13, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 192)),
    "GB18030",
    "GBK",
)
EXTENSION_NAMES = tuple(
    f"ISO 2022 IR {n}" for n in (6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166)
)
TEXT_VRS = ("LO", "SH", "PN", "UC", "LT", "ST", "UT")
OTHER_VRS = ("CS", "AE", "AS", "DA", "TM", "DS", "IS", "UI", "DT", "UR")

KOREAN = b"\x1b$)C"
KANJI = b"\x1b$B"
KANJI_2 = b"\x1b$(D"
HANZI = b"\x1b$)A"
KATAKANA = b"\x1b)I"
ASCII = b"\x1b(B"
ROMAJI = b"\x1b(J"


def pydicom_text(value: bytes, charsets: str, vr: str = "LO") -> str:
    from pydicom.charset import convert_encodings, decode_bytes
    from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encodings = convert_encodings(charsets.split("\\"))
        return decode_bytes(value, encodings, PN_DELIMS if vr == "PN" else TEXT_VR_DELIMS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", ()),
        (b"  ", ()),
        (b"\\", ()),
        (b"ISO_IR 100", ("ISO_IR 100",)),
        (b"ISO_IR 100 ", ("ISO_IR 100",)),
        (b"ISO_IR 100\0", ("ISO_IR 100",)),
        (b"ISO-IR 100", ("ISO_IR 100",)),
        (b"ISO IR 100", ("ISO_IR 100",)),
        (b"iso_ir 100", ("ISO_IR 100",)),
        (b"ISO_IR_100", ("ISO_IR 100",)),
        (b"ISO_IR100", ("ISO_IR 100",)),
        (b"ISO_IR 203", ("ISO_IR 203",)),
        (b"ISO_IR 149", ("ISO_IR 149",)),
        (b"ISO 2022-IR 6", ("ISO 2022 IR 6",)),
        (b"ISO_2022_IR_87", ("ISO 2022 IR 87",)),
        (b"iso 2022 ir 149", ("ISO 2022 IR 149",)),
        (b"ISO2022 IR 58", ("ISO 2022 IR 58",)),
        (b"ISO 2022 58", ("ISO 2022 IR 58",)),
        (b"ISO 2022 GBK", ("GBK",)),
        (b"gb18030", ("GB18030",)),
        (b"GB 18030", ("GB18030",)),
        (b"UTF-8", ("ISO_IR 192",)),
        (b"utf8", ("ISO_IR 192",)),
        (b"ISO 2022 IR 192", ("ISO_IR 192",)),
        (b"ISO-8859-1", ("ISO_IR 100",)),
        (b"latin1", ("ISO_IR 100",)),
        (b"windows-1251", ("CP1251",)),
        (b"cp1252", ("CP1252",)),
        (b"EBCDIC", ("ISO_IR 6",)),
        (b"ISO_IR 999", ("ISO_IR 6",)),
        (b"undefined", ("ISO_IR 6",)),
        (b"\xff\xfe", ()),
        (b"\\ISO 2022 IR 87", ("ISO_IR 6", "ISO 2022 IR 87")),
        (b"ISO 2022 IR 13\\ISO 2022 IR 87", ("ISO 2022 IR 13", "ISO 2022 IR 87")),
        (b"ISO 2022 IR 6\\ISO 2022 IR 87\\ISO 2022 IR 159", ("ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159")),
        (b"ISO_IR 100\\\\ISO_IR 144\\ISO_IR 144", ("ISO_IR 100", "ISO_IR 144")),
        (b"nonsense\\ISO 2022 IR 149", ("ISO_IR 6", "ISO 2022 IR 149")),
        (b"GB18030\\ISO 2022 IR 87", ("GB18030",)),
        (b"ISO_IR 192\\ISO 2022 IR 100", ("ISO_IR 192",)),
        (b"ISO_IR 100\\ISO_IR 192", ("ISO_IR 100",)),
    ],
)
def test_names_are_found_however_they_are_spelt(value: bytes, expected: tuple[str, ...]) -> None:
    assert parse_charsets(value) == expected


@pytest.mark.parametrize(
    ("charsets", "value", "expected"),
    [
        # PS3.5 Annexes H (Japanese), I (Korean), J and K (Chinese), and the European examples pydicom ships.
        (b"ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (b"ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
        (b"ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
        (b"ISO_IR 144", b"\xbc\xde\xe1\xda\xd2\xd0", "Москва"),
        (b"ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
        (b"ISO_IR 148", b"\xd0\xdd\xfd\xfe", "Ğİış"),
        (b"ISO_IR 166", b"\xb9\xd2\xc2", "นาย"),
        (b"ISO_IR 203", b"\xa4\xbd", "€œ"),
        (b"ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        (
            b"ISO 2022 IR 13\\ISO 2022 IR 87",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        (
            b"\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        (
            b"\\ISO 2022 IR 58",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        ),
        (b"ISO_IR 192", b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1", "Wang^XiaoDong=王^小東"),
        (b"GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
        (b"GBK", b"\xcd\xf5", "王"),
        (b"windows-1251", b"\xcc\xee\xf1\xea\xe2\xe0", "Москва"),
    ],
)
def test_published_examples(charsets: bytes, value: bytes, expected: str) -> None:
    assert decode_text(value, "PN", parse_charsets(charsets)) == expected


@pytest.mark.parametrize("vr", OTHER_VRS)
def test_other_vrs_are_latin_1_under_every_character_set(vr: str) -> None:
    for charsets in ((), ("ISO_IR 192",), ("ISO_IR 144",), ("ISO_IR 6", "ISO 2022 IR 149")):
        assert decode_text(b"A\xe9\xff", vr, charsets) == "Aéÿ"


def test_without_a_declaration_bytes_above_127_are_latin_1() -> None:
    assert decode_text(b"J\xe9r\xf4me", "PN", ()) == "Jérôme"


@pytest.mark.parametrize("name", SINGLE_NAMES + EXTENSION_NAMES)
def test_bytes_and_pairs_read_as_pydicom_reads_it(name: str) -> None:
    charsets = parse_charsets(name.encode())
    for first in range(0x80, 0x100):
        for value in (bytes([first]), *(bytes([first, second]) for second in range(0x21, 0x100, 17))):
            assert decode_text(value, "LO", charsets) == pydicom_text(value, name), value


@pytest.mark.parametrize(("escape", "characters"), [(KANJI, 6879), (KANJI_2, 6067)], ids=["JIS X 0208", "JIS X 0212"])
def test_every_character_of_a_japanese_set_reads_as_pydicom_reads_it(escape: bytes, characters: int) -> None:
    names = "\\ISO 2022 IR 87\\ISO 2022 IR 159"
    charsets = parse_charsets(names.encode())
    pairs = (bytes([first, second]) for first in range(0x21, 0x7F) for second in range(0x21, 0x7F))
    decoded = {pair: decode_text(escape + pair + ASCII, "LO", charsets) for pair in pairs}
    defined = {pair: text for pair, text in decoded.items() if text != "\ufffd"}
    assert len(defined) == characters
    # pydicom gives up on a whole value for one undefined pair, so it is asked for the defined ones only, all at once.
    assert "".join(defined.values()) == pydicom_text(escape + b"".join(defined) + ASCII, names)


def test_an_undefined_pair_costs_one_character() -> None:
    assert decode_text(KANJI + b";3\x22\x2f;3" + ASCII, "LO", ("ISO_IR 6", "ISO 2022 IR 87")) == "山\ufffd山"


@pytest.mark.parametrize("vr", TEXT_VRS)
@pytest.mark.parametrize("name", SINGLE_NAMES + EXTENSION_NAMES + ("ISO_IR 203", "CP1255"))
def test_ascii_needs_no_decoding_under_any_character_set(name: str, vr: str) -> None:
    ascii_but_escape = bytes(b for b in range(128) if b != 0x1B)
    charsets = parse_charsets(name.encode())
    # A character outside ASCII sends the whole value through the set's codec.
    decoded = decode_text(ascii_but_escape + b"\xb0\xa1", vr, charsets)
    assert decoded.startswith(ascii_but_escape.decode("ascii"))
    assert decode_text(ascii_but_escape, vr, charsets) == ascii_but_escape.decode("ascii")


class TestCodeExtensions:
    def test_escape_sequences_of_a_set_that_is_not_declared_are_understood(self) -> None:
        value = KANJI + b";3ED" + ROMAJI + b"^Taro"
        assert decode_text(value, "PN", ("ISO_IR 6", "ISO 2022 IR 87")) == "山田^Taro"

    def test_the_upper_half_outlives_a_change_of_the_lower_half(self) -> None:
        value = KATAKANA + b"\xd4\xcf" + KANJI + b";3" + ASCII + b"\xd4"
        assert decode_text(value, "LO", ("ISO 2022 IR 6", "ISO 2022 IR 87")) == "ﾔﾏ山ﾔ"

    def test_katakana_in_the_upper_half_stands_beside_kanji_in_the_lower(self) -> None:
        assert decode_text(KANJI + b";3\xd4;3", "LO", ("ISO 2022 IR 13", "ISO 2022 IR 87")) == "山ﾔ山"

    def test_the_lower_half_outlives_a_change_of_the_upper_half(self) -> None:
        value = KANJI + b";3" + KATAKANA + b"\xd4;3"
        assert decode_text(value, "LO", ("ISO 2022 IR 6", "ISO 2022 IR 87")) == "山ﾔ山"

    @pytest.mark.parametrize("delimiter", ["\\", "^", "=", "\t", "\n", "\f", "\r"])
    def test_a_delimiter_brings_back_the_first_set(self, delimiter: str) -> None:
        value = b"\x1b-F\xc4" + delimiter.encode() + b"\xc4"
        assert decode_text(value, "PN", ("ISO 2022 IR 100", "ISO 2022 IR 126")) == f"Δ{delimiter}Ä"

    @pytest.mark.parametrize(("vr", "expected"), [("LO", "Δ^Δ=Δ\\Ä"), ("LT", "Δ^Δ=Δ\\Δ")])
    def test_what_delimits_depends_on_the_vr(self, vr: str, expected: str) -> None:
        value = b"\x1b-F\xc4^\xc4=\xc4\\\xc4"
        assert decode_text(value, vr, ("ISO 2022 IR 100", "ISO 2022 IR 126")) == expected

    def test_a_second_half_byte_that_looks_like_a_delimiter_is_none(self) -> None:
        value = KANJI + b"\x25\x5c\x25\x5e\x25\x3d" + ASCII
        assert decode_text(value, "PN", ("ISO_IR 6", "ISO 2022 IR 87")) == "ボマソ"

    def test_a_line_ends_pairs(self) -> None:
        assert decode_text(KANJI + b";3\r\nED", "LO", ("ISO_IR 6", "ISO 2022 IR 87")) == "山\r\nED"

    def test_a_forgotten_escape_sequence_after_a_delimiter_does_not_lose_the_name(self) -> None:
        value = KOREAN + b"\xb1\xe8^\xc8\xf1\xc1\xdf"
        assert decode_text(value, "PN", ("ISO_IR 6", "ISO 2022 IR 149")) == "김^희중"

    def test_a_set_alone_may_designate_others_if_it_is_one_with_code_extensions(self) -> None:
        assert decode_text(KANJI + b";3" + ASCII, "LO", ("ISO 2022 IR 87",)) == "山"
        assert decode_text(HANZI + b"\xd5\xc5", "LO", ("ISO 2022 IR 58",)) == "张"

    def test_without_code_extensions_an_escape_is_a_control_character(self) -> None:
        assert decode_text(KANJI + b";3\xe9", "LO", ("ISO_IR 100",)) == "\x1b$B;3é"

    def test_an_unknown_escape_sequence_stays(self) -> None:
        assert decode_text(b"a\x1b%Gb", "LO", ("ISO_IR 6", "ISO 2022 IR 87")) == "a\x1b%Gb"


@pytest.mark.parametrize(
    ("charsets", "value", "expected"),
    [
        (("ISO_IR 192",), b"a\xffb", "a\ufffdb"),
        (("ISO_IR 192",), b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (("GB18030",), b"a\x81", "a\ufffd"),
        (("ISO 2022 IR 87",), b"a\xe9", "a\ufffd"),
        (("ISO_IR 6", "ISO 2022 IR 149"), KOREAN + b"\xb1", "\ufffd"),
        (("ISO_IR 6", "ISO 2022 IR 87"), KANJI + b";", "\ufffd"),
    ],
)
def test_undecodable_bytes_become_the_replacement_character(
    charsets: tuple[str, ...], value: bytes, expected: str
) -> None:
    assert decode_text(value, "LO", charsets) == expected


_NAMES = st.sampled_from(
    (*SINGLE_NAMES, *EXTENSION_NAMES, "ISO_IR 203", "UTF-8", "windows-1251", "", "?", "rot13", "idna", "undefined")
)
_DECLARATIONS = st.one_of(st.binary(max_size=40), st.lists(_NAMES, max_size=4).map(lambda n: "\\".join(n).encode()))
_ESCAPES = st.sampled_from((KOREAN, KANJI, KANJI_2, HANZI, KATAKANA, ASCII, ROMAJI, b"\x1b-F", b"\x1b", b"\x1b$"))
_VALUES = st.lists(st.one_of(_ESCAPES, st.binary(max_size=6)), max_size=8).map(b"".join)


@given(_DECLARATIONS, _VALUES, st.sampled_from(TEXT_VRS + OTHER_VRS + ("OB", "??")))
def test_no_bytes_raise_warn_or_yield_what_utf_8_cannot_hold(declaration: bytes, value: bytes, vr: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode_text(value, vr, parse_charsets(declaration)).encode()


@given(st.sampled_from(SINGLE_NAMES + EXTENSION_NAMES), st.binary(max_size=20).filter(lambda b: b"\x1b" not in b))
def test_values_without_escape_sequences_read_as_pydicom_reads_them(name: str, value: bytes) -> None:
    assert decode_text(value, "LO", parse_charsets(name.encode())) == pydicom_text(value, name)


def test_of_an_endless_declaration_only_the_beginning_is_read() -> None:
    assert parse_charsets(b"ISO_IR 100" + b"\\" * (1 << 20) + b"ISO 2022 IR 87") == ("ISO_IR 100",)

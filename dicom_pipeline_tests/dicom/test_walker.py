"""The walk over data sets, well formed, out of order, broken and cut."""

import struct

import pytest

from dicom_pipeline.dicom.element_header import (
    ENCODINGS,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
)
from dicom_pipeline.dicom.fields import WANTED_TAGS
from dicom_pipeline.dicom.header import Element, HeaderError
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline_tests.dicom.streams import (
    IMPLICIT_UID,
    MODALITY,
    PATIENT_ID,
    PIXEL_DATA,
    RESCALE_TYPE,
    ROWS,
    SERIES_SEQUENCE,
    SERIES_UID,
    SOP_CLASS,
    SOP_UID,
    STUDY_DATE,
    UID_OF,
    UNDEFINED,
    delimiter,
    dicom_file,
    element,
    item,
    length_bytes,
    plain_data_set,
    plain_values,
    read,
    sequence,
    short_bytes,
    tag_bytes,
    text,
    values,
)

ITEM, ITEM_END, SEQUENCE_END = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD
HEAD = text(SOP_CLASS, "UI", "1.2.3") + text(MODALITY, "CS", "CT")
TAIL = text(PATIENT_ID, "LO", "ID 1") + text(RESCALE_TYPE, "LO", "HU") + element(PIXEL_DATA, "OW", bytes(8))
EXPECTED = {SOP_CLASS: b"1.2.3\0", MODALITY: b"CT", PATIENT_ID: b"ID 1", RESCALE_TYPE: b"HU"}
DECOYS = text(SERIES_UID, "UI", "9.9.9") + text(PATIENT_ID, "LO", "DECOY ")
STANDARD = [encoding for encoding in ENCODINGS if encoding in UID_OF]


def read_set(data_set: bytes, encoding: Encoding = EXPLICIT_LITTLE) -> dict[int, bytes]:
    return values(read(dicom_file(data_set, UID_OF[encoding])))


def refused(data_set: bytes, encoding: Encoding = EXPLICIT_LITTLE) -> Reason:
    with pytest.raises(HeaderError) as caught:
        read(dicom_file(data_set, UID_OF[encoding]))
    return caught.value.reason


# -- sequences


@pytest.mark.parametrize("sequence_defined", [True, False])
@pytest.mark.parametrize("item_defined", [True, False])
@pytest.mark.parametrize("encoding", STANDARD)
def test_nothing_in_a_sequence_is_taken_for_top_level(
    encoding: Encoding, item_defined: bool, sequence_defined: bool
) -> None:
    decoys = text(SERIES_UID, "UI", "9.9.9", encoding) + text(PATIENT_ID, "LO", "DECOY ", encoding)
    inner = sequence(0x0008_1140, item(decoys, encoding, defined=item_defined), encoding=encoding, defined=item_defined)
    items = [item(inner + decoys, encoding, defined=item_defined)] * 3
    nested = sequence(SERIES_SEQUENCE, *items, encoding=encoding, defined=sequence_defined)
    data_set = text(MODALITY, "CS", "CT", encoding) + nested + text(0x0010_0030, "DA", "20000101", encoding)
    assert read_set(data_set, encoding) == {MODALITY: b"CT", 0x0010_0030: b"20000101"}


@pytest.mark.parametrize(
    ("outer", "content"),
    [
        (EXPLICIT_LITTLE, IMPLICIT_LITTLE),
        (EXPLICIT_LITTLE, EXPLICIT_LITTLE),
        (EXPLICIT_LITTLE, EXPLICIT_BIG),
        (EXPLICIT_BIG, IMPLICIT_LITTLE),
        (EXPLICIT_BIG, EXPLICIT_BIG),
    ],
)
def test_unknown_vr_of_undefined_length(outer: Encoding, content: Encoding) -> None:
    decoys = text(SERIES_UID, "UI", "9.9.9", content) + text(PATIENT_ID, "LO", "DECOY ", content)
    unknown = element(SERIES_SEQUENCE, "UN", b"", outer, UNDEFINED)
    unknown += item(decoys, content) + item(decoys, content, defined=True) + delimiter(SEQUENCE_END, content)
    data_set = text(MODALITY, "CS", "CT", outer) + unknown + text(0x0010_0030, "DA", "20000101", outer)
    if content is EXPLICIT_BIG and outer is EXPLICIT_LITTLE:
        assert refused(data_set, outer) is Reason.UNREADABLE
    else:
        assert read_set(data_set, outer) == {MODALITY: b"CT", 0x0010_0030: b"20000101"}


def test_fragments_outside_pixel_data() -> None:
    fragments = item(b"", defined=True) + item(DECOYS, defined=True) + delimiter(SEQUENCE_END)
    assert read_set(HEAD + element(0x0009_1010, "OB", b"", length=UNDEFINED) + fragments + TAIL) == EXPECTED


@pytest.mark.parametrize("empty", [b"", item(b""), item(b"", defined=True)])
def test_empty_sequences(empty: bytes) -> None:
    assert read_set(HEAD + sequence(SERIES_SEQUENCE, empty) + TAIL) == EXPECTED


@pytest.mark.parametrize(
    "value",
    [
        sequence(PATIENT_ID, item(DECOYS)),
        sequence(PATIENT_ID, item(DECOYS), defined=True),
        sequence(PATIENT_ID, vr="UN"),
    ],
)
def test_a_wanted_element_that_is_a_sequence_is_left_out(value: bytes) -> None:
    assert read_set(HEAD + value + text(RESCALE_TYPE, "LO", "HU")) == {
        tag: found for tag, found in EXPECTED.items() if tag != PATIENT_ID
    }


def nested(depth: int, encoding: Encoding) -> bytes:
    opened = element(SERIES_SEQUENCE, "SQ", b"", encoding, UNDEFINED) + tag_bytes(ITEM, encoding)
    closed = delimiter(ITEM_END, encoding) + delimiter(SEQUENCE_END, encoding)
    return (opened + length_bytes(UNDEFINED, encoding)) * depth + closed * depth


@pytest.mark.parametrize("encoding", STANDARD)
def test_deep_sequences(encoding: Encoding) -> None:
    data_set = text(MODALITY, "CS", "CT", encoding) + nested(5000, encoding) + text(PATIENT_ID, "LO", "ID", encoding)
    assert read_set(data_set, encoding) == {MODALITY: b"CT", PATIENT_ID: b"ID"}


def test_sequences_that_are_too_deep_are_given_up_unless_they_lie_behind_everything_wanted() -> None:
    assert refused(HEAD + nested(100_000, EXPLICIT_LITTLE) + TAIL) is Reason.LIMIT_EXCEEDED
    behind = plain_data_set()[: -(12 + 64)] + nested(100_000, EXPLICIT_LITTLE).replace(
        b"\x08\0\x15\x11", b"\x40\0\x75\x02"
    )
    assert read_set(behind) == plain_values()


def test_a_file_that_takes_too_long_is_given_up() -> None:
    data = dicom_file(HEAD + text(MODALITY, "CS", "CT") * 200_000)
    with pytest.raises(HeaderError) as caught:
        read(data, seconds=0.05)
    assert caught.value.reason is Reason.LIMIT_EXCEEDED


def test_time_running_out_behind_everything_wanted_is_no_defect() -> None:
    data_set = plain_data_set()[: -(12 + 64)] + element(0x0040_0001, "SH") * 300_000
    assert values(read(dicom_file(data_set), seconds=0.05)) == plain_values()


# -- out of place


@pytest.mark.parametrize("stray", [ITEM_END, SEQUENCE_END])
@pytest.mark.parametrize("encoding", STANDARD)
def test_stray_delimiters_are_passed(encoding: Encoding, stray: int) -> None:
    data_set = text(MODALITY, "CS", "CT", encoding) + delimiter(stray, encoding) * 2
    assert read_set(data_set + text(PATIENT_ID, "LO", "ID", encoding), encoding) == {MODALITY: b"CT", PATIENT_ID: b"ID"}


@pytest.mark.parametrize("defined", [True, False])
def test_stray_items_are_passed_whole(defined: bool) -> None:
    assert read_set(HEAD + item(DECOYS, defined=defined) + TAIL) == EXPECTED


def test_a_missing_sequence_delimiter_is_made_up_for() -> None:
    assert read_set(HEAD + sequence(SERIES_SEQUENCE, item(DECOYS))[:-8] + TAIL) == EXPECTED


def test_a_missing_item_delimiter_is_made_up_for() -> None:
    open_item = item(DECOYS)[:-8]
    assert read_set(HEAD + sequence(SERIES_SEQUENCE, open_item) + TAIL) == EXPECTED
    assert read_set(HEAD + sequence(SERIES_SEQUENCE, open_item, item(DECOYS)) + TAIL) == EXPECTED


@pytest.mark.parametrize("content", [b"", text(MODALITY, "CS", "CT")])
def test_a_sequence_delimiter_too_many_in_an_item(content: bytes) -> None:
    assert read_set(HEAD + sequence(SERIES_SEQUENCE, item(content + delimiter(SEQUENCE_END))) + TAIL) == EXPECTED


def test_an_item_length_that_is_too_short_does_not_let_its_rest_out() -> None:
    inner = text(0x0008_1150, "UI", "1.2") + DECOYS[18:]
    short_item = tag_bytes(ITEM) + length_bytes(12) + inner
    data_set = HEAD + sequence(SERIES_SEQUENCE, short_item) + TAIL
    assert refused(data_set) is Reason.UNREADABLE


def test_a_sequence_length_that_is_too_short_does_not_let_its_rest_out() -> None:
    content = item(DECOYS)
    short = element(SERIES_SEQUENCE, "SQ", content, length=8) + delimiter(SEQUENCE_END)
    assert refused(HEAD + short + text(0x0008_1140, "LO", "x ") + TAIL) is Reason.UNREADABLE


# -- order


def test_of_repeated_elements_the_last_counts() -> None:
    assert read_set(text(MODALITY, "CS", "MR") + HEAD + TAIL + TAIL) == EXPECTED
    again = text(RESCALE_TYPE, "LO", "HU") + text(MODALITY, "CS", "MR") + text(MODALITY, "CS", "PT")
    assert read_set(again)[MODALITY] == b"PT"


def test_wanted_elements_behind_the_last_wanted_tag_count_up_to_the_pixel_data() -> None:
    late = text(PATIENT_ID, "LO", "LATE")
    data_set = HEAD + text(RESCALE_TYPE, "LO", "HU") + text(0x0040_0010, "SH", "A ") + late
    assert read_set(data_set)[PATIENT_ID] == b"LATE"
    behind = data_set + element(PIXEL_DATA, "OW", bytes(8)) + text(PATIENT_ID, "LO", "PAST")
    assert read_set(behind)[PATIENT_ID] == b"LATE"


@pytest.mark.parametrize("tag", [0x7FE0_0008, 0x7FE0_0009, 0x7FE0_0010])
def test_the_walk_ends_at_pixel_data(tag: int) -> None:
    assert read_set(HEAD + element(tag, "OD", bytes(8)) + text(PATIENT_ID, "LO", "PAST")) == {
        SOP_CLASS: b"1.2.3\0",
        MODALITY: b"CT",
    }


# -- the forms of a header


def test_values_of_every_kind_of_vr() -> None:
    data_set = element(SOP_CLASS, "UN", b"1.2.3\0") + element(MODALITY, "OB", b"CT") + element(PATIENT_ID, "UT", b"ID")
    assert read(dicom_file(data_set)).elements == {
        SOP_CLASS: Element("UI", b"1.2.3\0"),
        MODALITY: Element("OB", b"CT"),
        PATIENT_ID: Element("UT", b"ID"),
    }


def test_the_dictionary_gives_the_vr_of_implicit_elements() -> None:
    elements = read(dicom_file(plain_data_set(IMPLICIT_LITTLE), IMPLICIT_UID)).elements
    assert {tag: found.vr for tag, found in elements.items()} == {
        SOP_CLASS: "UI",
        SOP_UID: "UI",
        STUDY_DATE: "DA",
        MODALITY: "CS",
        PATIENT_ID: "LO",
        SERIES_UID: "UI",
        ROWS: "US",
        RESCALE_TYPE: "LO",
    }


def with_nonsense(tag: int, vr: bytes, value: bytes, form: str, encoding: Encoding) -> bytes:
    if form == "none":
        return tag_bytes(tag, encoding) + length_bytes(len(value), encoding) + value
    if form == "short":
        return tag_bytes(tag, encoding) + vr + short_bytes(len(value), encoding) + value
    return tag_bytes(tag, encoding) + vr + b"\0\0" + length_bytes(len(value), encoding) + value


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG])
@pytest.mark.parametrize("form", ["short", "long", "none"])
@pytest.mark.parametrize("vr", [b"  ", b"\0\0", b"cs", b"XX", b"??", b"\xff\xfe"])
@pytest.mark.parametrize("value", [b"", b"ID 1", b"1.2.840.10008.1.2\0"])
def test_a_nonsense_vr_loses_nothing(vr: bytes, form: str, value: bytes, encoding: Encoding) -> None:
    head = text(SOP_CLASS, "UI", "1.2.3", encoding) + text(MODALITY, "CS", "CT", encoding)
    tail = text(SERIES_UID, "UI", "1.2.5", encoding) + text(RESCALE_TYPE, "LO", "HU", encoding)
    expected = {SOP_CLASS: b"1.2.3\0", MODALITY: b"CT", PATIENT_ID: value, SERIES_UID: b"1.2.5\0", RESCALE_TYPE: b"HU"}
    strange = with_nonsense(PATIENT_ID, vr, value, form, encoding)
    header = read(dicom_file(head + strange + tail, UID_OF[encoding]))
    assert values(header) == expected
    assert header.elements[PATIENT_ID].vr == "LO"


@pytest.mark.parametrize("form", ["short", "long", "none"])
@pytest.mark.parametrize("vr", [b"  ", b"\0\0", b"XX"])
@pytest.mark.parametrize("at", range(8))
def test_a_nonsense_vr_anywhere(at: int, vr: bytes, form: str) -> None:
    wanted = sorted(plain_values().items())
    parts = [element(tag, "UI", value) for tag, value in wanted]
    parts[at] = with_nonsense(*wanted[at][:1], vr, wanted[at][1], form, EXPLICIT_LITTLE)
    assert read_set(b"".join(parts)) == plain_values()
    assert read_set(b"".join(parts) + element(PIXEL_DATA, "OW", bytes(1 << 20))) == plain_values()


@pytest.mark.parametrize("vr", [b"  ", b"\0\0", b"XX"])
@pytest.mark.parametrize("form", ["short", "long"])
def test_nonsense_vrs_everywhere(vr: bytes, form: str) -> None:
    data = b"".join(
        with_nonsense(tag, vr, value, form, EXPLICIT_LITTLE) for tag, value in sorted(plain_values().items())
    )
    assert read_set(data) == plain_values()


@pytest.mark.parametrize("form", ["short", "long", "none"])
def test_a_nonsense_vr_in_an_item(form: str) -> None:
    strange = with_nonsense(PATIENT_ID, b"  ", b"DECOY ", form, EXPLICIT_LITTLE)
    content = text(MODALITY, "CS", "MR") + strange + text(SERIES_UID, "UI", "9.9")
    assert read_set(HEAD + sequence(SERIES_SEQUENCE, item(content), item(content)) + TAIL) == EXPECTED


@pytest.mark.parametrize("switch", range(1, 8))
@pytest.mark.parametrize("back", [False, True])
def test_a_data_set_that_switches_its_encoding_part_way(switch: int, back: bool) -> None:
    encodings = [EXPLICIT_LITTLE, IMPLICIT_LITTLE]
    first, second = reversed(encodings) if back else encodings
    wanted = sorted(plain_values().items())
    data = b"".join(element(tag, "LO", value, first if n < switch else second) for n, (tag, value) in enumerate(wanted))
    for tail in (b"", element(PIXEL_DATA, "OW", bytes(100), second)):
        assert read_set(data + tail, first) == plain_values()


def test_a_value_that_looks_like_a_header_is_not_preferred_to_a_known_tag() -> None:
    """Read with a 16-bit length, (0018,0015) is empty and its value, BREAST, begins an element of VR ST."""
    body_part, thickness = 0x0018_0015, 0x0018_0050
    implicit = text(body_part, "CS", "BREAST", IMPLICIT_LITTLE) + text(thickness, "DS", "5", IMPLICIT_LITTLE)
    implicit += text(0x0018_1030, "LO", "PROTOCOL", IMPLICIT_LITTLE) + text(RESCALE_TYPE, "LO", "HU", IMPLICIT_LITTLE)
    found = read_set(HEAD + implicit)
    assert (found[body_part], found[thickness], found[RESCALE_TYPE]) == (b"BREAST", b"5 ", b"HU")


@pytest.mark.parametrize("spelt", [b"DA", b"DS", b"LO", b"TM"])
@pytest.mark.parametrize("in_item", [False, True], ids=["on_top", "in_item"])
def test_an_implicit_length_that_spells_a_vr_before_a_private_element(spelt: bytes, *, in_item: bool) -> None:
    """A private header of 16708 bytes reads like an empty date in explicit VR."""
    value = b"SV10" + bytes(range(256)) * (int.from_bytes(spelt, "little") // 256 + 1)
    private = text(0x0009_0010, "LO", "MAKER", IMPLICIT_LITTLE)
    private += element(0x0009_1010, "OB", value[: int.from_bytes(spelt, "little")], IMPLICIT_LITTLE)
    private += text(0x0009_1018, "CS", "IMAGE", IMPLICIT_LITTLE)
    modality = text(MODALITY, "CS", "CT", IMPLICIT_LITTLE)
    if in_item:
        modality += sequence(SERIES_SEQUENCE, item(private, IMPLICIT_LITTLE), encoding=IMPLICIT_LITTLE)
        private = b""
    data_set = modality + private + text(PATIENT_ID, "LO", "ID 1", IMPLICIT_LITTLE)
    assert read_set(data_set, IMPLICIT_LITTLE) == {MODALITY: b"CT", PATIENT_ID: b"ID 1"}


def test_an_implicit_sequence_in_an_explicit_stream() -> None:
    decoys = text(PATIENT_ID, "LO", "DECOY ", IMPLICIT_LITTLE) + text(SERIES_UID, "UI", "9.9.9", IMPLICIT_LITTLE)
    assert read_set(HEAD + sequence(SERIES_SEQUENCE, item(decoys), item(decoys)) + TAIL) == EXPECTED
    implicit = sequence(SERIES_SEQUENCE, item(decoys), encoding=IMPLICIT_LITTLE)
    assert read_set(HEAD + implicit + TAIL) == EXPECTED


@pytest.mark.parametrize("value", [b"I", b"ID1", b"ID 12"])
def test_odd_lengths(value: bytes) -> None:
    for encoding in STANDARD:
        head, tail = text(MODALITY, "CS", "CT", encoding), text(SERIES_UID, "UI", "1.2.5", encoding)
        unpadded = element(PATIENT_ID, "LO", value, encoding)
        expected = {MODALITY: b"CT", PATIENT_ID: value, SERIES_UID: b"1.2.5\0"}
        assert read_set(head + unpadded + tail, encoding) == expected
        padded = element(PATIENT_ID, "LO", value + b" ", encoding, length=len(value))
        assert read_set(head + padded + tail, encoding) == expected | {PATIENT_ID: value + b" "}


@pytest.mark.parametrize("vr", ["UN", "UT", "OB"])
def test_a_long_vr_written_with_a_short_length(vr: str) -> None:
    short = tag_bytes(0x0009_1010) + vr.encode() + struct.pack("<H", 6) + b"abcdef"
    assert read_set(HEAD + short + TAIL) == EXPECTED


def test_group_lengths_private_and_unknown_elements() -> None:
    data_set = (
        element(0x0008_0000, "UL", bytes(4))
        + HEAD
        + text(0x0009_0010, "LO", "MAKER")
        + element(0x0009_1001, "UN", b"x" * 7)
        + element(0x0010_0000, "UL", bytes(4))
        + TAIL[:12]
        + element(0x0012_FFF1, "LO", b"future")
        + element(0x0028_0000, "UL", bytes(4))
        + TAIL[12:]
    )
    assert read_set(data_set) == EXPECTED


# -- cut and damaged


@pytest.mark.parametrize("encoding", STANDARD)
def test_a_cut_file_gives_all_it_had_or_is_unreadable(encoding: Encoding) -> None:
    sequence_bytes = sequence(
        SERIES_SEQUENCE, item(text(PATIENT_ID, "LO", "DECOY ", encoding), encoding), encoding=encoding
    )
    whole = plain_data_set(encoding)
    whole = whole[: whole.index(b"ID 1") - 8] + sequence_bytes + whole[whole.index(b"ID 1") - 8 :]
    full = plain_values(encoding)
    assert read_set(whole, encoding) == full
    pixels = whole.index(tag_bytes(PIXEL_DATA, encoding))
    ends = {0: {}}
    for tag in sorted(full):
        at = whole.rindex(full[tag]) + len(full[tag])
        ends[at] = {known: value for known, value in full.items() if known <= tag}
    ends[whole.index(b"ID 1") - 8] = ends[whole.index(b"ID 1") - 8 - len(sequence_bytes)]
    for cut in range(len(whole) + 1):
        if cut in ends and cut < pixels:
            assert read_set(whole[:cut], encoding) == ends[cut], cut
        elif cut < pixels:
            assert refused(whole[:cut], encoding) is Reason.UNREADABLE, cut
        else:
            assert read_set(whole[:cut], encoding) == full, cut


def test_an_end_inside_an_element_behind_everything_wanted_is_no_defect() -> None:
    tail = text(0x0040_0244, "DA", "20240101") + element(0x0041_1001, "OB", bytes(10), length=10_000)
    assert read_set(HEAD + tail) == {SOP_CLASS: b"1.2.3\0", MODALITY: b"CT"}
    private = text(0x0029_0010, "LO", "MAKER") + element(0x0029_1010, "OB", bytes(10), length=10_000)
    assert read_set(HEAD + private) == {SOP_CLASS: b"1.2.3\0", MODALITY: b"CT"}


def test_a_wanted_element_that_is_cut_is_damage_even_behind_the_last_wanted_tag() -> None:
    late = text(RESCALE_TYPE, "LO", "HU") + text(0x0040_0244, "DA", "20240101")
    assert refused(HEAD + late + element(PATIENT_ID, "LO", b"I", length=8)) is Reason.UNREADABLE
    disordered = late + text(PATIENT_ID, "LO", "ID") + element(0x0040_1001, "SH", b"x", length=40)
    assert refused(HEAD + disordered) is Reason.UNREADABLE


def test_damage_in_a_disordered_data_set_is_none_once_every_wanted_tag_was_seen() -> None:
    every = [tag for tag in sorted(WANTED_TAGS, reverse=True) if tag > 0x0002_FFFF]
    data_set = b"".join(text(tag, "LO", "x") for tag in every)
    cut = element(0x0040_1001, "SH", b"x", length=40)
    assert read_set(data_set + cut) == dict.fromkeys(every, b"x ")
    assert refused(data_set[10:] + cut) is Reason.UNREADABLE


@pytest.mark.parametrize("garbage", [b"\0" * 40, b"\xff" * 40, b"some text at the end of it", b"x"])
def test_a_damaged_tail_is_ignored_only_behind_everything_wanted(garbage: bytes) -> None:
    assert read_set(HEAD + text(RESCALE_TYPE, "LO", "HU") + garbage)[RESCALE_TYPE] == b"HU"
    assert read_set(HEAD + text(0x0040_0244, "DA", "20240101") + garbage) == {SOP_CLASS: b"1.2.3\0", MODALITY: b"CT"}
    assert refused(HEAD + garbage) is Reason.UNREADABLE


def test_garbage_that_looks_like_a_high_tag_is_no_excuse() -> None:
    """A length two bytes short lands on bytes that spell an unknown tag above the last wanted one."""
    broken = element(SOP_CLASS, "UI", b"1.2.840.10008.5.1.4.1.1.2\0", length=24)
    assert refused(text(0x0008_0005, "CS", "ISO_IR 100") + broken + TAIL) is Reason.UNREADABLE


@pytest.mark.parametrize("length", [6, 100, 0xFFFF])
def test_a_length_that_leads_nowhere_is_damage(length: int) -> None:
    assert refused(HEAD + element(0x0008_0070, "LO", b"MAKER 1 ", length=length) + TAIL) is Reason.UNREADABLE
    cut = element(0x0008_1030, "LO", b"CHEST", IMPLICIT_LITTLE, length=length)
    tail = text(PATIENT_ID, "LO", "ID", IMPLICIT_LITTLE)
    assert refused(text(MODALITY, "CS", "CT", IMPLICIT_LITTLE) + cut + tail, IMPLICIT_LITTLE) is Reason.UNREADABLE


def test_a_data_set_out_of_order_is_read_to_its_end_though_another_way_was_open() -> None:
    """The content of UN leaves a way untried, which must not make the walk stop where the tags descend."""
    unknown = sequence(0x0040_0275, item(DECOYS, IMPLICIT_LITTLE), encoding=IMPLICIT_LITTLE)[8:]
    data_set = HEAD + element(0x0040_0275, "UN", b"", length=UNDEFINED) + unknown + text(PATIENT_ID, "LO", "LATE")
    assert read_set(data_set)[PATIENT_ID] == b"LATE"
    assert refused(data_set + element(0x0040_1001, "SH", b"x", length=40)) is Reason.UNREADABLE

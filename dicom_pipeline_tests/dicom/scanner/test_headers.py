"""Headers of many files at once are those that are read one by one."""

from random import Random

import numpy as np

from dicom_pipeline.dicom.dictionary import dictionary_vr
from dicom_pipeline.dicom.element_header import ITEM_GROUP, LONG_HEADER_BYTES
from dicom_pipeline.dicom.scanner.grammar import Layout
from dicom_pipeline.dicom.scanner.headers import Words, known, look
from dicom_pipeline.dicom.scanner.window import Header, Window, read_header
from dicom_pipeline_tests.fuzz.generate import VRS


def some_headers(random: Random, count: int) -> bytes:
    """Return headers of twelve bytes each, half of them with a VR."""
    headers = []
    for _ in range(count):
        raw = random.randbytes(LONG_HEADER_BYTES)
        group = random.choice([raw[:2], b"\x08\0", b"\xfe\xff"])
        vr = random.choice([raw[4:6], random.choice(VRS).encode()])
        headers.append(group + raw[2:4] + vr + raw[6:])
    return b"".join(headers)


def test_a_header_is_read_alike_alone_and_among_others() -> None:
    count = 4000
    data = some_headers(Random(5), count)
    words, at = Words(np.frombuffer(data, np.uint8)), np.arange(count) * LONG_HEADER_BYTES
    window = Window(data, 1 << 40, whole=True, fetch=None)
    for layout in (Layout.EXPLICIT_LITTLE, Layout.IMPLICIT_LITTLE):
        found = look(words, at, np.full(count, layout is Layout.IMPLICIT_LITTLE))
        vr = found.vr() if layout is Layout.EXPLICIT_LITTLE else np.zeros(count, np.int64)
        rows = zip(found.tag.tolist(), vr.tolist(), found.length.tolist(), found.value.tolist(), strict=True)
        by_book = found.by_book & (found.tag >> 16 != ITEM_GROUP)
        together = [Header(*row) if good else None for row, good in zip(rows, by_book.tolist(), strict=True)]
        assert together == [read_header(window, place, layout) for place in at.tolist()]
        assert 500 < together.count(None) < 3500


def test_known_tags_are_those_of_the_dictionary() -> None:
    tags = [0x0008_0005, 0x0008_0000, 0x0009_0010, 0x6002_3000, 0x6003_3000, 0x0020_3105, 0x1010_0004, 0x0008_0005]
    assert known(np.array(tags)).tolist() == [dictionary_vr(tag) is not None for tag in tags]
    assert known(np.array([], np.int64)).tolist() == []

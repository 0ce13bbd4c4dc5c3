"""What no database gets to see: each kind of bad row is refused, by place and number and without its values."""

from collections.abc import Sequence

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import IMAGE, REJECT, TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.incoming import MOST_TEXT_BYTES, checked_batches
from dicom_pipeline_tests.warehouse.rows import TARGET, make_rows


def check(table: TableSpec, rows: pa.Table) -> pa.Table:
    return pa.Table.from_batches(checked_batches(table, rows, TARGET, most=3))


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["é" * 32, "x" * 64, None, ""], None),
        (["é" * 32 + "x", "x" * 64, None, ""], "1 rows have a text of more than 64 bytes"),
        (["x", "漢" * 22, "漢" * 22, "y"], "2 rows have a text of more than 64 bytes"),
        (["x", "CANARY\0", None, ""], "1 rows have a NUL"),
    ],
)
def test_texts_are_bounded_in_bytes(texts: Sequence[str | None], told: str | None) -> None:
    rows = make_rows(IMAGE, columns={"rescale_type": texts})
    if told is None:
        assert check(IMAGE, rows).equals(rows)
        return
    with pytest.raises(WarehouseError, match=rf"dicom_image_meta\.rescale_type: {told}") as caught:
        check(IMAGE, rows)
    assert "CANARY" not in str(caught.value)


def test_a_text_without_a_bound_has_the_narrowest_databases() -> None:
    for length, good in ((MOST_TEXT_BYTES, True), (MOST_TEXT_BYTES + 1, False)):
        rows = make_rows(REJECT, count=1, columns={"path": ["p" * length]})
        if good:
            assert check(REJECT, rows).equals(rows)
        else:
            with pytest.raises(WarehouseError, match="1 rows have a text of more than 65533 bytes"):
                check(REJECT, rows)


def test_bytes_under_a_null_are_nobodys_text() -> None:
    """Arrow lets a NULL lie over any bytes."""
    texts = pa.array(["x" * 100, "a\0b", "good", None])
    hidden = pa.StringArray.from_buffers(4, *texts.buffers()[1:], null_bitmap=pa.py_buffer(b"\x04"))
    rows = make_rows(IMAGE).set_column(make_rows(IMAGE).schema.get_field_index("rescale_type"), "rescale_type", hidden)
    assert check(IMAGE, rows)["rescale_type"].to_pylist() == [None, None, "good", None]

"""Errors of Doris's MySQL side in our words, without a value."""

import pymysql
import pytest

from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.warehouse.doris.errors import translated

PRIVILEGES = (
    "errCode = 2, detailMessage = Access denied; you need (at least one of) the (SELECT) privilege(s)",
    "errCode = 2, detailMessage = Permission denied: user ['etl'@'%'] does not have privilege for [CANARY]",
    "errCode = 2, detailMessage = ALTER command denied to user 'etl'@'%' for table 'CANARY'",
)


@pytest.mark.parametrize("text", PRIVILEGES)
def test_a_missing_privilege_is_told_in_every_wording(text: str) -> None:
    with pytest.raises(WarehouseError, match="lacks a privilege; see deploy") as caught, translated("reading"):
        raise pymysql.err.OperationalError(1105, text)
    assert "CANARY" not in str(caught.value)
    assert not caught.value.transient


def test_bytes_that_are_no_text_are_told_without_them() -> None:
    told = "reading: a text that stands there is not UTF-8"
    with pytest.raises(WarehouseError, match=told) as caught, translated("reading"):
        b"CANARY\xff".decode()
    assert "CANARY" not in str(caught.value)
    assert caught.value.__suppress_context__

"""The rows a slice is to have, checked once, and gone through as often as need be.

Scope: everything that can be wrong with them is found before anything is sent, since Doris cannot take back one
table's load when another's rows turn out bad. Rows are kept in a file without a name (in memory while they are few),
because a load that another one overtook starts again.
"""

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from dicom_pipeline.dicom.fields import TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.tables.digest import SliceDigest, SliceDigester, digest_batches
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.warehouse.base import ArrowSource, Slice
from dicom_pipeline.warehouse.doris.bodies import spool
from dicom_pipeline.warehouse.doris.standing_rows import KeyWatch
from dicom_pipeline.warehouse.incoming import checked_batches

_ROWS_A_BATCH = 8192


class GivenRows:
    """One table's rows of a slice; not looked at before they are asked for.

    Attributes:
        digest: Their count and digest, where known before.
    """

    def __init__(self, table: TableSpec, rows: ArrowSource, target: Slice, digest: SliceDigest | None) -> None:
        self._table, self._rows, self._target = table, rows, target
        self._kept: BinaryIO | None = None
        if digest is None and isinstance(rows, pa.Table):
            digest = digest_batches(table, rows.to_batches())
        self.digest = digest

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Go through the rows, in their order.

        Raises:
            WarehouseError: Before the first row, if any of them may not be loaded, two have the same key, or they are
                not those of the digest known before.
        """
        if self._kept is None:
            self._kept = self._checked()
        self._kept.seek(0)
        with pa.ipc.open_stream(self._kept) as stream:
            yield from stream

    def _checked(self) -> BinaryIO:
        kept, keys, digester = spool(), KeyWatch(self._table), SliceDigester(self._table)
        with pa.ipc.new_stream(kept, table_schema(self._table).remove_metadata()) as stream:
            for batch in checked_batches(self._table, self._rows, self._target, _ROWS_A_BATCH):
                keys.watch(batch)
                digester.update(batch)
                stream.write_batch(batch)
        if repeated := keys.repeated():
            raise WarehouseError(f"{self._table.name}: {repeated} rows have the same key as another row of the slice")
        found = digester.result()
        if self.digest is not None and found != self.digest:
            raise WarehouseError(
                f"{self._table.name}: the rows changed between their check and their load: run the date again"
            )
        self.digest = found
        return kept

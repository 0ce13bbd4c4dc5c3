"""Staged files: what one asset made of one tenant's date, as a Parquet file anything can read.

Scope: where a staged file lies and how it is written, read, listed and removed. How a file becomes whole or not at
all is in ``parquet_files.py``; what is in it is decided by the assets.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dicom_pipeline.errors import StagingError
from dicom_pipeline.tables.parquet_files import Draft, StagedFile, file_metadata, open_parquet, read_batches

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Staging:
    """Staged files below ``root``, one for each (tenant, asset, date): ``<tenant>/<asset>/<YYYY-MM-DD>.parquet``.

    An asset without partitions has no date (None) and one file, ``all.parquet``.

    Files are readable by their owner only. A reader sees the file before a write or the file after it, never a part;
    of two writers at once the last to finish wins.
    """

    root: Path

    def draft(self, tenant: str, asset: str, date: dt.date | None) -> Draft:
        """Return a draft of the file, to be read back and corrected before it is committed."""
        return Draft(self._path(tenant, asset, date), _label(tenant, asset, date))

    def write(
        self,
        tenant: str,
        asset: str,
        date: dt.date | None,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        metadata: Mapping[str, str],
    ) -> StagedFile:
        """Stream ``batches`` (a ``RecordBatchReader`` will do) into the file, replacing it as a whole at the end.

        Raises:
            StagingError: It cannot be written; the file is as it was.
        """
        with self.draft(tenant, asset, date) as draft:
            staged = draft.write(batches, schema, metadata)
            draft.commit()
        return staged

    def read(
        self, tenant: str, asset: str, date: dt.date | None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the file's rows, in the order they were written; ``columns`` are the names wanted, None for all.

        Raises:
            StagingError: It is missing or not readable, now or while the reader is used.
        """
        return read_batches(self._path(tenant, asset, date), _label(tenant, asset, date), columns)

    def read_table(
        self, tenant: str, asset: str, date: dt.date | None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the file's rows as a table; see ``read``."""
        return self.read(tenant, asset, date, columns).read_all()

    def metadata(self, tenant: str, asset: str, date: dt.date | None) -> dict[str, str]:
        """Return the texts written with the file (run id, code version, ...), without reading its rows.

        Raises:
            StagingError: It is missing or not readable.
        """
        return file_metadata(self._path(tenant, asset, date), _label(tenant, asset, date))

    def rows(self, tenant: str, asset: str, date: dt.date | None) -> int:
        """Return the number of rows, without reading them.

        Raises:
            StagingError: It is missing or not readable.
        """
        with open_parquet(self._path(tenant, asset, date), _label(tenant, asset, date)) as file:
            return int(file.metadata.num_rows)

    def exists(self, tenant: str, asset: str, date: dt.date | None) -> bool:
        """Tell whether the file is there."""
        return self._path(tenant, asset, date).is_file()

    def dates(self, tenant: str, asset: str) -> list[dt.date]:
        """Return the dates that have a file, ascending."""
        directory = self._directory(tenant, asset)
        if not directory.is_dir():
            return []
        found = []
        for path in directory.glob("*.parquet"):
            with suppress(ValueError):
                found.append(dt.date.fromisoformat(path.stem))
        return sorted(found)

    def remove(self, tenant: str, asset: str, date: dt.date | None) -> None:
        """Delete the file if it is there."""
        self._path(tenant, asset, date).unlink(missing_ok=True)

    def index_path(self, tenant: str) -> Path:
        """Return where the tenant's index of an archive without date directories lies; see ``archive/index.py``."""
        return self._directory(tenant, "archive_index") / "index.parquet"

    def _directory(self, tenant: str, asset: str) -> Path:
        for name in (tenant, asset):
            if not _NAME.fullmatch(name):
                raise StagingError("a tenant or asset name cannot be a directory: use 1 to 64 of A-Z a-z 0-9 . _ -")
        return self.root / tenant / asset

    def _path(self, tenant: str, asset: str, date: dt.date | None) -> Path:
        return self._directory(tenant, asset) / f"{_name(date)}.parquet"


def _name(date: dt.date | None) -> str:
    return "all" if date is None else date.isoformat()


def _label(tenant: str, asset: str, date: dt.date | None) -> str:
    return f"staged {asset} of {tenant}, {_name(date)},"

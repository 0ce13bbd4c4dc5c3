"""The configurable resources: ``warehouse`` and ``staging`` (IO managers) and ``extractor`` (header readers).

Scope: what Dagster configures and hands to assets. The two IO managers are the doors to the data for the pipeline's
own assets and for anybody's: an asset that takes one of ours as an input gets ``pa.Table``, ``pa.RecordBatchReader``
or ``pandas.DataFrame`` by its annotation. They swap by settings; nothing of a database is known here.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from pydantic import PrivateAttr

from dicom_pipeline.dicom.fields import ALL_TABLES, TableSpec
from dicom_pipeline.errors import ConfigurationError, WarehouseError
from dicom_pipeline.orchestration.partitions import date_of
from dicom_pipeline.tables.extraction import Extractor
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline.warehouse.base import Slice, Warehouse
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse

_TABLES: dict[str, TableSpec] = {spec.name: spec for spec in ALL_TABLES}


def as_annotated(reader: pa.RecordBatchReader, annotation: Any) -> Any:
    """Return the rows as the type the asset asked for: reader, ``pandas.DataFrame`` or (otherwise) ``pa.Table``."""
    if annotation is pa.RecordBatchReader:
        return reader
    table = reader.read_all()
    if getattr(annotation, "__module__", "").startswith("pandas") and annotation.__name__ == "DataFrame":
        return table.to_pandas()
    return table


def as_reader(value: Any) -> pa.RecordBatchReader:
    """Return what an asset returned as a stream of record batches.

    Raises:
        ConfigurationError: The value is neither Arrow nor a DataFrame.
    """
    if isinstance(value, pa.RecordBatchReader):
        return value
    if isinstance(value, pa.Table):
        return value.to_reader()
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        return pa.Table.from_pandas(value, preserve_index=False).to_reader()
    raise ConfigurationError(
        f"an asset returned {type(value).__name__}; give pa.Table, pa.RecordBatchReader or pandas.DataFrame"
    )


def _tenant_and_name(key: dg.AssetKey) -> tuple[str, str]:
    if len(key.path) < 2:
        raise ConfigurationError(f"the asset key {key.to_user_string()} has no tenant: use ['<tenant>', '<name>']")
    return key.path[0], key.path[-1]


class WarehouseIOManager(dg.ConfigurableIOManager):
    """Reads the tables of the warehouse, and gives the assets of the load their connection.

    Attributes:
        url: The warehouse's URL, best as ``dg.EnvVar``; None means the embedded PostgreSQL below ``home``.
        home: Directory of the embedded PostgreSQL.
        allow_schema_evolution: Whether a missing nullable column is added to an existing table.
    """

    url: str | None = None
    home: str = ".dicom_pipeline"
    allow_schema_evolution: bool = False
    _client: Warehouse | None = PrivateAttr(default=None)

    def client(self) -> Warehouse:
        """Return the connected warehouse with its tables prepared; one for the life of the resource.

        Raises:
            ConfigurationError: The URL is not usable.
            SchemaDrift: A table differs from the field table.
            WarehouseUnavailable: It cannot be reached.
        """
        if self._client is None:
            url = self.url or EmbeddedPostgres(Path(self.home)).start()
            client = create_warehouse(url, allow_schema_evolution=self.allow_schema_evolution)
            client.prepare()
            self._client = client
        return self._client

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Give the connection back."""
        del context
        if self._client is not None:
            self._client.close()
            self._client = None

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Refuse: the tables are written by the load alone, whole slices at a time."""
        del obj
        raise WarehouseError(
            f"{context.asset_key.to_user_string()}: the warehouse's tables are written by the pipeline's load only;"
            " store your own asset with io_manager_key='staging'"
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the table's rows: those of the dates the asset asks for, or all of the tenant's."""
        tenant, name = _tenant_and_name(context.asset_key)
        spec = _TABLES.get(name)
        if spec is None:
            raise ConfigurationError(f"{name} is not a table of the warehouse")
        client = self.client()
        dates = client.dates(tenant)
        if context.has_asset_partitions:
            # Of thousands of partitions few have rows, and each slice costs a query.
            dates &= set(_input_dates(context))
        reader = client.read(spec, [Slice(tenant, date) for date in sorted(dates)])
        return as_annotated(reader, context.dagster_type.typing_type)


class StagingIOManager(dg.ConfigurableIOManager):
    """Reads and writes one Parquet file an asset and date below ``root``.

    Attributes:
        root: Directory of staged files.
    """

    root: str

    @property
    def staging(self) -> Staging:
        """The staged files."""
        return Staging(Path(self.root))

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store what an asset returned, under its one date (or as a whole if it has no partitions)."""
        tenant, name = _tenant_and_name(context.asset_key)
        dates: list[dt.date | None] = [None]
        if context.has_asset_partitions:
            dates = [date_of(key) for key in context.asset_partition_keys]
        if len(dates) != 1:
            raise ConfigurationError(
                f"{name}: staging stores one date a run; give the asset dg.BackfillPolicy.multi_run(1)"
            )
        reader = as_reader(obj)
        staged = self.staging.write(tenant, name, dates[0], reader, reader.schema, {})
        context.add_output_metadata({"dagster/row_count": staged.rows, "bytes": staged.bytes})

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the staged rows of the dates the asset asks for; of several dates, those that are staged."""
        tenant, name = _tenant_and_name(context.asset_key)
        dates: list[dt.date | None] = [None]
        if context.has_asset_partitions:
            dates = [*_input_dates(context)]
        if len(dates) > 1:
            dates = [date for date in self.staging.dates(tenant, name) if date in dates]
        readers = [self.staging.read(tenant, name, date) for date in dates]
        return as_annotated(_chained(readers), context.dagster_type.typing_type)


def _input_dates(context: dg.InputContext) -> list[dt.date]:
    return sorted(date_of(key) for key in context.asset_partition_keys)


def _chained(readers: list[pa.RecordBatchReader]) -> pa.RecordBatchReader:
    """Join readers of one schema."""
    if not readers:
        raise ConfigurationError("no date the asset asks for is staged: load one, or look at its partition mapping")
    return pa.RecordBatchReader.from_batches(readers[0].schema, (batch for reader in readers for batch in reader))


class ExtractorResource(dg.ConfigurableResource[Extractor]):
    """The pool of header readers, for the length of a run.

    Attributes:
        reader: ``auto``, ``pure`` or ``pydicom``.
        workers: Processes that read with care; None means one a processor.
        threads: Threads that scan; None means two a processor.
    """

    reader: str = "auto"
    workers: int | None = None
    threads: int | None = None

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Extractor]:
        """Yield the extractor and end its processes afterwards."""
        del context
        with Extractor(reader=self.reader, workers=self.workers, threads=self.threads) as extractor:
            yield extractor

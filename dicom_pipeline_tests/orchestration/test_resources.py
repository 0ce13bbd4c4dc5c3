"""A user's own assets take the pipeline's tables in the type they ask for."""

import datetime as dt

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.definitions import build_definitions
from dicom_pipeline.orchestration.instance.instance import open_instance
from dicom_pipeline.orchestration.partitions import partitions_of
from dicom_pipeline.orchestration.resources import as_annotated, as_reader
from dicom_pipeline.settings import Settings
from dicom_pipeline.tables.staging import Staging
from dicom_pipeline_tests.orchestration.loader import Loader
from dicom_pipeline_tests.orchestration.small_archive import days

TABLE = pa.table({"n": pa.array([1, 2], pa.int32())})


@pytest.mark.parametrize("annotation", [pa.Table, pa.RecordBatchReader, pd.DataFrame])
def test_rows_come_as_the_annotation_says(annotation: type) -> None:
    assert type(as_annotated(TABLE.to_reader(), annotation)) is annotation


@pytest.mark.parametrize("value", [TABLE, TABLE.to_reader(), TABLE.to_pandas()])
def test_what_an_asset_returns_becomes_a_stream(value: object) -> None:
    assert as_reader(value).read_all() == TABLE


def test_anything_else_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigurationError, match="returned list"):
        as_reader([1, 2])


def test_downstream_assets_just_work(loader: Loader) -> None:
    dates = days("2024-01-01", 2)
    loader.archive.fill(dates)
    loader()
    settings = Settings.load(home=loader.settings.home, environment={"DICOM_PIPELINE_WAREHOUSE": loader.url})
    archive = settings.all_archives[0]
    daily = partitions_of(archive)
    seen: dict[str, object] = {}

    def key(name: str) -> dg.AssetIn:
        return dg.AssetIn(key=[archive.tenant, name])

    @dg.asset(key=["default", "thickness"], ins={"images": key("dicom_image_meta")}, partitions_def=daily)
    def thickness(images: pd.DataFrame) -> pd.DataFrame:
        seen["images"] = images
        return images[["sop_uid", "slice_thickness"]]

    @dg.asset(key=["default", "all_series"], ins={"series": key("dicom_state_meta")})
    def all_series(series: pa.RecordBatchReader) -> None:
        seen["series"] = series.read_all().num_rows

    @dg.asset(key=["default", "all_files"], ins={"metadata": key("dicom_metadata")})
    def all_files(metadata: pa.Table) -> None:
        seen["all_files"] = metadata.num_rows

    @dg.asset(key=["default", "reasons"], ins={"metadata": key("dicom_metadata")}, partitions_def=daily)
    def reasons(metadata: pa.Table) -> pa.Table:
        seen["metadata"] = metadata.num_rows
        return metadata.select(["outcome"])

    definitions = dg.Definitions.merge(
        build_definitions(settings), dg.Definitions(assets=[thickness, all_series, all_files, reasons])
    )
    with open_instance(settings.dagster_home) as instance:
        asked = {"thickness": "2024-01-01", "reasons": "2024-01-02", "all_series": None, "all_files": None}
        for name, partition in asked.items():
            job = definitions.resolve_implicit_global_asset_job_def()
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["default", name])],
                partition_key=partition,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            assert result.success
    images = seen["images"]
    assert isinstance(images, pd.DataFrame)
    assert (len(images), set(images["study_date"])) == (3, {dates[0]})
    assert seen["series"] == 2
    assert seen["metadata"] == 3
    assert seen["all_files"] == 6
    stored = Staging(settings.staging_directory).read_table("default", "thickness", dt.date(2024, 1, 1))
    assert stored.column_names == ["sop_uid", "slice_thickness"]

"""The same archive in PostgreSQL and in Doris: the same rows, whatever is in the files and however they are sent."""

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicom_pipeline.dicom.fields import IMAGE, LOAD, SLICE_TABLES, STATE, Field, Kind, TableSpec
from dicom_pipeline.dicom.sample import lay_out_sample
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.orchestration.loading.load import load_archive
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.tables.digest import digest_batches
from dicom_pipeline.warehouse.base import Slice, Warehouse
from dicom_pipeline.warehouse.compare import compare_slice, slices_of
from dicom_pipeline.warehouse.factory import create_warehouse
from dicom_pipeline_tests.corpus import CORPUS, needs_corpus
from dicom_pipeline_tests.orchestration.loader import Silent
from dicom_pipeline_tests.warehouse.conftest import Database
from dicom_pipeline_tests.warehouse.doris.cluster import DorisDatabase
from dicom_pipeline_tests.warehouse.rows import DAY, empty_slice, facts, make_rows

POLICIES = ["reject", "null"]
FORMATS = ["parquet", "json"]


@pytest.fixture
def both(make_database: Callable[[], Database], make_doris_database: Callable[[], DorisDatabase]) -> tuple[str, str]:
    """A fresh database of each kind."""
    return make_database().url, make_doris_database().url


def loaded(home: Path, url: str, archive: Archive) -> dict[str, object]:
    report = load_archive(Settings(home=home, warehouse=url, workers=1), archive, None, None, Silent()).as_json()
    return {name: report[name] for name in ("dates", "files", "rows")}


def assert_same(one: str, two: str, least: int) -> None:
    with closing(create_warehouse(one)) as a, closing(create_warehouse(two)) as b:
        slices = slices_of(a, b, None, None, None)
        assert len(slices) >= least
        compared = [comparison for target in slices for comparison in compare_slice(a, b, target)]
        assert [comparison.as_json() for comparison in compared if not comparison.equal] == []
        for tenant in a.tenants() | b.tenants():
            assert a.overview(tenant).equals(b.overview(tenant))
            assert a.instances_in_several_places(tenant) == b.instances_in_several_places(tenant)
            assert a.studies_of_several_patients(tenant) == b.studies_of_several_patients(tenant)
        told = ["tenant_id", "partition_date", "files_listed", "files_accepted", "files_rejected", "digest"]
        ledgers = [w.read(LOAD, None, told).read_all().sort_by("partition_date") for w in (a, b)]
        assert ledgers[0].equals(ledgers[1])


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some dates of the sample, spread over all of it."""
    root = tmp_path_factory.mktemp("sample")
    lay_out_sample(root, "default")
    for number, date in enumerate(sorted((root / "default").iterdir())):
        if number % 4:
            shutil.rmtree(date)
    return root / "default"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("form", FORMATS)
def test_the_sample_is_the_same_in_both(
    tmp_path: Path, both: tuple[str, str], sample: Path, policy: str, form: str
) -> None:
    postgres, doris = both
    doris += f"{'&' if '?' in doris else '?'}format={form}"
    archive = Archive.model_validate({"root": str(sample), "on_invalid_value": policy})
    reports = [loaded(tmp_path / name, url, archive) for name, url in (("one", postgres), ("two", doris))]
    assert reports[0] == reports[1]
    assert_same(postgres, doris, least=5)


@needs_corpus
def test_the_corpus_is_the_same_in_both(tmp_path: Path, both: tuple[str, str]) -> None:
    postgres, doris = both
    archive = Archive.model_validate({"root": str(CORPUS), "layout": "any"})
    reports = [loaded(tmp_path / name, url, archive) for name, url in (("one", postgres), ("two", doris))]
    assert reports[0] == reports[1]
    assert_same(postgres, doris, least=20)


def texts(field: Field) -> st.SearchStrategy[str]:
    """Texts at and beyond the bounds of a column, in bytes; not all of them can be stored."""
    most = min(field.bound or 200, 200)
    letters = st.characters(exclude_categories=("Cs",))
    return st.one_of(
        st.text(letters, max_size=most + 2),
        st.sampled_from(["", " ", "\\N", "NULL", "null", "\t\n\r", "\x01\x1f\x7f", "'\"`\\", "é" * most, "x" * most]),
        st.just("漢" * (most // 3)),
        st.just("漢" * (most // 3 + 1)),
    )


VALUES: dict[Kind, Callable[[Field], st.SearchStrategy[object]]] = {
    Kind.TEXT: texts,
    Kind.DATE: lambda field: st.dates(),
    Kind.TIME: lambda field: st.times(),
    Kind.INT32: lambda field: st.integers(-(2**31), 2**31 - 1),
    Kind.INT64: lambda field: st.integers(-(2**63), 2**63 - 1),
    Kind.FLOAT64: lambda field: st.floats(allow_nan=False, allow_infinity=False),
}


@st.composite
def rows(draw: st.DrawFn, table: TableSpec, target: Slice) -> pa.Table:
    """Rows of a table whose values beside key and clocks are anything, often with one that no column can hold."""
    count = draw(st.integers(0, 3))
    free = [f for f in table.fields if f.name not in (*table.key, table.date_column) and f.kind in VALUES]
    picked = draw(st.lists(st.sampled_from(free), max_size=6, unique_by=lambda f: f.name))
    columns = {}
    for field in picked:
        value = VALUES[field.kind](field)
        columns[field.name] = [draw(st.none() | value if field.nullable else value) for _ in range(count)]
    return make_rows(table, target, count, columns=columns)


@pytest.fixture(scope="module")
def pair(
    make_database: Callable[[], Database], make_doris_database: Callable[[], DorisDatabase]
) -> Iterator[tuple[Warehouse, Warehouse]]:
    with (
        closing(create_warehouse(make_database().url)) as one,
        closing(create_warehouse(make_doris_database().url)) as two,
    ):
        yield one, two


def outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except WarehouseError as error:
        return str(error)
    return ""


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_both_take_or_refuse_the_same_rows(pair: tuple[Warehouse, Warehouse], data: st.DataObject) -> None:
    target = Slice(f"t{data.draw(st.integers(0, 3))}", DAY)
    tables = {**empty_slice(), **{t.name: data.draw(rows(t, target)) for t in (IMAGE, STATE)}}
    moment = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    run = os.urandom(4).hex()
    told = [outcome(partial(w.replace_slice, target, tables, facts(run, moment))) for w in pair]
    assert told[0] == told[1]
    for table in SLICE_TABLES:
        digests = [w.digest(table, target) for w in pair]
        assert digests[0] == digests[1]
        if not told[0]:
            assert digests[0] == digest_batches(table, tables[table.name].to_batches())

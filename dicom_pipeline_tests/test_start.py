"""What is not imported before it is needed: the command answers at once, the code location loads soon."""

import subprocess
import sys
from pathlib import Path

import pytest

_DATABASES = {"sqlalchemy", "alembic", "psycopg", "pgpq", "adbc_driver_postgresql", "pymysql"}
_NOT_TO_LOAD = {"pandas", "pydicom", "matplotlib", "grpc", "dagster_graphql", *_DATABASES}
_NOT_TO_HELP = {"dagster", "pyarrow", "numpy", "pydantic", "rich", *_NOT_TO_LOAD}


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import dicom_pipeline.cli as c; c.cli.main(['--help'], standalone_mode=False)", _NOT_TO_HELP),
        ("import dicom_pipeline.cli as c; c.cli.main(['load', '--help'], standalone_mode=False)", _NOT_TO_HELP),
        ("import dicom_pipeline.definitions as d; d.defs.resolve_all_job_defs()", _NOT_TO_LOAD),
    ],
)
def test_what_is_not_needed_is_not_imported(tmp_path: Path, statement: str, unwanted: set[str]) -> None:
    told = f"import sys; {statement}; print(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", told], cwd=tmp_path, capture_output=True, text=True, check=True)
    imported = set(done.stderr.split())
    assert sorted(unwanted & imported) == []

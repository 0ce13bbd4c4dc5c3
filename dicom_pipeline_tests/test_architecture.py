"""The house keeps its shape: who imports whom, what loads when, where tests lie, what is pinned."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dicom_pipeline"
TESTS = ROOT / "dicom_pipeline_tests"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = (ROOT / "constraints.txt").read_text().splitlines()
HEAVY = {"dagster", "pydicom", "pyarrow", "pandas", "numpy", "matplotlib", "psycopg", "sqlalchemy", "pymysql"}


def module_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_each_folder_imports_only_the_folders_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == 0, "run `make imports` to see which import is in the way"


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_the_command_starts_without_heavy_imports() -> None:
    code = f"import sys, dicom_pipeline.cli; print(*({HEAVY!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.split() == []


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_every_module_that_defines_something_opens_with_its_scope(path: Path) -> None:
    module = ast.parse(path.read_text())
    defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in module.body)
    assert not defines or "Scope:" in (ast.get_docstring(module) or "")


def test_dagsters_modules_keep_their_annotations_as_they_are() -> None:
    """Dagster looks at the annotations of decorated functions, which the future import would turn into text."""
    sources = {path: path.read_text() for path in (PACKAGE / "orchestration").rglob("*.py")}
    assert len(sources) > 1
    assert [module_id(path) for path, text in sources.items() if "from __future__ import annotations" in text] == []


def test_tests_lie_where_what_they_test_lies() -> None:
    def has_its_place(test: Path) -> bool:
        place = test.relative_to(TESTS).parent
        # What a browser sees comes from everywhere.
        return place == Path("ui") or any((root / place).is_dir() for root in (PACKAGE, PACKAGE.parent))

    tests = [path for path in TESTS.rglob("test_*.py") if path.parent != TESTS]
    assert len(tests) > 1
    assert [module_id(test) for test in tests if not has_its_place(test)] == []


def test_pins_are_names_and_exact_versions() -> None:
    assert [pin for pin in PINS if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+!]*", pin)] == []
    assert sorted(PINS, key=str.casefold) == PINS
    assert len({canonicalize_name(pin.split("==")[0]) for pin in PINS}) == len(PINS)


def test_everything_asked_for_is_pinned_within_what_is_asked() -> None:
    pinned = {canonicalize_name(name): Version(version) for name, version in (pin.split("==") for pin in PINS)}
    asked = [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *(line for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines),
        *(line for lines in PROJECT["dependency-groups"].values() for line in lines),
    ]
    for requirement in map(Requirement, asked):
        assert canonicalize_name(requirement.name) in pinned, requirement
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement

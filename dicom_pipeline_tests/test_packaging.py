"""What is built holds what it should: with a C compiler, without one, and on purpose without the compiled walker."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dicom_pipeline"
SCANNER = "dicom_pipeline/dicom/scanner"
COMPILED = f"{SCANNER}/_compiled{sysconfig.get_config_var('EXT_SUFFIX')}"
COMPILES = (
    shutil.which(sysconfig.get_config_var("CC").split()[0]) is not None
    and Path(sysconfig.get_path("include"), "Python.h").exists()
)
BUILD = "import hatchling.build, sys; print(getattr(hatchling.build, sys.argv[1])(sys.argv[2]))"
WITHOUT_COMPILER = {"CC": "false"}
ON_PURPOSE = {"DICOM_PIPELINE_PURE": "1"}


def build(what: str, source: Path, folder: Path, settings: dict[str, str]) -> tuple[Path, str]:
    """Build with what this environment has, so that nothing is fetched; return the file and what was said."""
    environment = {k: v for k, v in os.environ.items() if k not in ("CC", "DICOM_PIPELINE_PURE")} | settings
    command = [sys.executable, "-c", BUILD, f"build_{what}", str(folder)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=True)
    return folder / done.stdout.splitlines()[-1], done.stdout + done.stderr


def packed(wheel: Path) -> set[str]:
    """Return the names in a wheel, without those of its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def pure_files() -> set[str]:
    """Return the names of what a wheel holds on every platform, as they lie in this tree."""
    kinds = ("*.py", "*.pyi", "py.typed")
    return {path.relative_to(ROOT).as_posix() for kind in kinds for path in PACKAGE.rglob(kind)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this machine: compiled where that is possible."""
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"), {})[0]


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """The source distribution, unpacked: a tree to build from and to change."""
    with tarfile.open(build("sdist", ROOT, tmp_path, {})[0]) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    [tree] = (tmp_path / "source").iterdir()
    return tree


def test_a_wheel_holds_the_package_and_the_compiled_walker_where_there_is_a_compiler(wheel: Path) -> None:
    assert packed(wheel) == pure_files() | ({COMPILED} if COMPILES else set())
    assert wheel.name.endswith("-py3-none-any.whl") is not COMPILES


def test_the_compiled_walker_of_a_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "from importlib import import_module, util\n"
        "name = 'dicom_pipeline.dicom.scanner._compiled'\n"
        "print(import_module(name).__file__ if util.find_spec(name) else None)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / COMPILED if COMPILES else None)


@pytest.mark.parametrize("settings", [WITHOUT_COMPILER, ON_PURPOSE], ids=["no compiler", "on purpose"])
def test_a_wheel_without_the_compiled_walker_is_one_for_every_platform(
    settings: dict[str, str], tmp_path: Path
) -> None:
    pure, said = build("wheel", ROOT, tmp_path, settings)
    assert pure.name.endswith("-py3-none-any.whl")
    assert packed(pure) == pure_files()
    assert ("is left out: no C compiler" in said) is (settings is WITHOUT_COMPILER)


def test_a_source_distribution_has_all_that_a_wheel_is_made_of(unpacked: Path, tmp_path: Path) -> None:
    assert (unpacked / SCANNER / "_compiled.pyx").exists()
    assert [path for kind in ("*.so", "*.c") for path in (unpacked / "dicom_pipeline").rglob(kind)] == []
    assert packed(build("wheel", unpacked, tmp_path, ON_PURPOSE)[0]) == pure_files()


def test_an_editable_build_lays_the_compiled_walker_beside_its_source(unpacked: Path, tmp_path: Path) -> None:
    build("editable", unpacked, tmp_path, {})
    assert (unpacked / COMPILED).exists() is COMPILES
    assert list((unpacked / "dicom_pipeline").rglob("*.c")) == []


@pytest.mark.parametrize("settings", [WITHOUT_COMPILER, ON_PURPOSE], ids=["no compiler", "on purpose"])
def test_an_editable_build_leaves_no_older_compiled_walker_behind(
    settings: dict[str, str], unpacked: Path, tmp_path: Path
) -> None:
    (unpacked / COMPILED).touch()
    build("editable", unpacked, tmp_path, settings)
    assert not (unpacked / COMPILED).exists()


def test_a_missing_compiler_does_not_excuse_a_wrong_source(unpacked: Path, tmp_path: Path) -> None:
    with (unpacked / SCANNER / "_compiled.pyx").open("a") as source:
        source.write("\ncdef int wrong = unheard_of\n")
    with pytest.raises(subprocess.CalledProcessError) as failure:
        build("wheel", unpacked, tmp_path, WITHOUT_COMPILER)
    assert "unheard_of" in failure.value.stdout + failure.value.stderr

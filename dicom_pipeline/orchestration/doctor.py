"""``dicom-pipeline doctor``: is everything there that a load needs?

Scope: looking, never changing anything but the embedded server's state (it is started, as any command would). One
line a matter, with what to do where something is wrong.
"""

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from dicom_pipeline import __version__
from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.errors import PipelineError
from dicom_pipeline.orchestration.watching.notify import WEBHOOK_VARIABLE, webhook_url
from dicom_pipeline.settings import Archive, Settings
from dicom_pipeline.warehouse.base import Matter, Warehouse
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline.warehouse.factory import create_warehouse

_GRANTS = {"postgresql": "deploy/postgresql/roles.sql", "doris": "what deploy/doris/grants.sql says"}
_PACKAGES = ("dagster", "dagster-postgres", "pydicom", "pyarrow", "pandas", "sqlalchemy", "psycopg", "pgpq", "pymysql")


def diagnose(load_settings: Callable[[], Settings]) -> Iterator[Matter]:
    """Yield a line a matter; nothing is raised."""
    yield Matter(True, "versions", _versions())
    try:
        settings = load_settings()
        archives = settings.all_archives
    except PipelineError as error:
        yield from (Matter(False, "settings", problem) for problem in str(error).splitlines())
        return
    yield Matter(True, "headers", _headers(settings.reader))
    yield Matter(True, "settings", f"home {settings.home.absolute()}, archives: {len(archives)}")
    yield _directory("home", settings.home)
    yield _directory("staging", settings.staging_directory)
    if not archives:
        yield Matter(
            True, "archives", "none yet: run `dicom-pipeline load ARCHIVE`, or list them in dicom_pipeline.yaml"
        )
    yield from (_archive(archive) for archive in archives)
    yield _webhook()
    # The shared one where no archive is known yet.
    for name in dict.fromkeys([archive.warehouse for archive in archives] or [None]):
        yield from _warehouse(settings, name)


def _versions() -> str:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    return f"dicom-pipeline {__version__}, Python {platform.python_version()}, {packages}"


def _headers(reader: str) -> str:
    """Say how headers are read; slower is not wrong."""
    if reader != "auto":
        return f"read by {reader}, as the settings say; slower than auto"
    if find_spec("dicom_pipeline.dicom.scanner._compiled") is None:
        return "scanned in pure Python, about three times slower: install a C compiler, then dicom-pipeline again"
    return "scanned by the compiled walk"


def _directory(what: str, path: Path) -> Matter:
    """Try to write where the pipeline would, or in the nearest directory above that exists."""
    existing = next(p for p in (path.absolute(), *path.absolute().parents) if os.path.exists(p))
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Matter(False, what, f"cannot write to {existing} ({error.strerror}): choose another with --home")
    free = os.statvfs(existing)
    return Matter(True, what, f"{path.absolute()} writable, {free.f_bavail * free.f_frsize >> 30} GiB free")


def _archive(archive: Archive) -> Matter:
    what = f"archive {archive.tenant}"
    try:
        LocalStore(str(Path(archive.root).absolute())).check()
    except PipelineError as error:
        return Matter(False, what, str(error))
    return Matter(True, what, f"{archive.root} readable, layout {archive.layout}")


def _webhook() -> Matter:
    try:
        url = webhook_url(os.environ)
    except PipelineError as error:
        return Matter(False, "webhook", str(error))
    return Matter(True, "webhook", "is told of failed runs" if url else f"none: {WEBHOOK_VARIABLE} is not set")


def _warehouse(settings: Settings, name: str | None) -> Iterator[Matter]:
    what = f"warehouse {name}" if name else "warehouse"
    try:
        given = settings.warehouse if name is None else settings.warehouses[name]
        url = given or EmbeddedPostgres(settings.home).start()
        warehouse = create_warehouse(url, allow_schema_evolution=settings.allow_schema_evolution)
        yield Matter(True, what, f"{warehouse.display_url} reachable, {warehouse.server_version()}")
    except PipelineError as error:
        yield Matter(False, what, str(error))
        return
    try:
        yield _tables(warehouse)
        yield _privileges(warehouse)
        yield from warehouse.examine()
    finally:
        warehouse.close()


def _tables(warehouse: Warehouse) -> Matter:
    try:
        differences = warehouse.differences()
    except PipelineError as error:
        return Matter(False, "tables", str(error))
    if differences:
        return Matter(False, "tables", f"{'; '.join(differences)}: migrate them, or load into another database")
    return Matter(True, "tables", "as this version writes them (or not created yet)")


def _privileges(warehouse: Warehouse) -> Matter:
    try:
        missing = warehouse.missing_privileges()
    except PipelineError as error:
        return Matter(False, "privileges", str(error))
    if missing:
        return Matter(False, "privileges", f"missing {', '.join(missing)}: run {_GRANTS[warehouse.kind]}")
    return Matter(True, "privileges", "may write")

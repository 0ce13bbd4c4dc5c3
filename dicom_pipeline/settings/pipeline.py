"""Settings: archives, warehouse, staging and limits, from a YAML file, the environment and what was loaded before.

Scope: reading and validating configuration; nothing is opened or connected here. Precedence, highest first: arguments
of the command, environment variables ``DICOM_PIPELINE_*``, ``dicom_pipeline.yaml``, the archives that earlier loads
remembered in the home directory, defaults. Secrets come from the environment only.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.settings.archive import Archive, DatesPerRun, Share
from dicom_pipeline.settings.file import Place, SettingsFile, read_settings_file
from dicom_pipeline.settings.problems import PlacedError, Sources, told_problems

CONFIG_FILE = "dicom_pipeline.yaml"
REMEMBERED_FILE = "archives.yaml"
_ENVIRONMENT = "DICOM_PIPELINE_"
WAREHOUSE_VARIABLE = _ENVIRONMENT + "WAREHOUSE"
# Written by loads from the shell, or by us alone.
_HIDDEN = frozenset({"first_date", "last_date", "remembered"})
_WAREHOUSE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")

_Model = TypeVar("_Model", bound=BaseModel)


def warehouse_variable(name: str | None) -> str:
    """Return the environment variable that gives the URL of a named warehouse, or of the one all archives share."""
    return WAREHOUSE_VARIABLE + (f"_{name.upper()}" if name else "")


class Settings(BaseModel):
    """Everything the pipeline can be told.

    Attributes:
        home: Directory of the embedded database, staging and Dagster's instance.
        warehouse: URL of the warehouse; None means the embedded PostgreSQL in ``home``.
        warehouses: URLs of further warehouses by name, for archives that name one.
        staging: Directory of staged Arrow files; None means ``home/staging``.
        archives: The configured archives, tenants all different.
        remembered: The archives loaded from the shell with this home, as ``remember`` wrote them.
        reader: Which header reader: ``auto``, ``pure`` (``auto`` without compiled code) or ``pydicom``.
        workers: Processes that read headers with care; None means one a processor.
        threads: Threads that scan headers; None means two a processor. Each has up to 64 files on their way from disk.
        reject_limit: Share of refused DICOM files above which the check of a date is an error.
        partitions_per_run: Dates that one Dagster run takes at most.
        allow_schema_evolution: Whether a missing nullable column is added to an existing table.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path = Path(".dicom_pipeline")
    warehouse: str | None = Field(default=None, repr=False)
    warehouses: dict[str, str] = Field(default_factory=dict, repr=False)
    staging: Path | None = None
    archives: tuple[Archive, ...] = ()
    remembered: tuple[Archive, ...] = ()
    reader: Literal["auto", "pure", "pydicom"] = "auto"
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    reject_limit: Share = 0.05
    partitions_per_run: DatesPerRun = 200
    allow_schema_evolution: bool = False

    @field_validator("warehouses", mode="before")
    @classmethod
    def _warehouses_are_named(cls, warehouses: Any) -> Any:
        for name, url in warehouses.items() if isinstance(warehouses, dict) else ():
            if not _WAREHOUSE_NAME.match(name):
                raise PlacedError(("warehouses", name), "a name is a small letter and up to 31 of a-z 0-9 _")
            if url is None:
                problem = f"has no URL: give it here, or in {warehouse_variable(name)}"
                raise PlacedError(("warehouses", name), problem)
        return warehouses

    @field_validator("archives")
    @classmethod
    def _tenants_differ(cls, archives: tuple[Archive, ...]) -> tuple[Archive, ...]:
        return _distinct(archives)

    @model_validator(mode="after")
    def _warehouses_are_known(self) -> Self:
        for number, archive in enumerate(self.archives):
            if archive.warehouse is not None and archive.warehouse not in self.warehouses:
                known = ", ".join(self.warehouses) or "none are listed under 'warehouses'"
                raise PlacedError(("archives", number, "warehouse"), f"is no warehouse's name; allowed here: {known}")
        return self

    @property
    def staging_directory(self) -> Path:
        """Where staged files are."""
        return self.staging if self.staging is not None else self.home / "staging"

    @property
    def dagster_home(self) -> Path:
        """Where Dagster's instance is."""
        return self.home / "dagster"

    @classmethod
    def load(cls, *, home: Path | None = None, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings from file, environment and home directory.

        Args:
            home: Overrides every other source of the home directory.
            environment: Stands for ``os.environ``.

        Raises:
            ConfigurationError: A file or variable is wrong; the message names it.
        """
        env = os.environ if environment is None else environment
        path = Path(env.get(_ENVIRONMENT + "CONFIG", CONFIG_FILE))
        file = read_settings_file(path) if path.exists() or _ENVIRONMENT + "CONFIG" in env else SettingsFile(str(path))
        values = {name: value for name, value in file.values.items() if value is not None}
        _refuse_passwords(file)
        variables = _apply_environment(values, env)
        if home is not None:
            values["home"] = str(home)
        values.pop("remembered", None)
        settings = _validated(cls, values, Sources(file, variables, _HIDDEN))
        return settings.model_copy(update={"remembered": _remembered(settings.home)})

    @property
    def all_archives(self) -> tuple[Archive, ...]:
        """Every archive there is to see: the configured ones, then those loaded from the shell.

        Raises:
            ConfigurationError: Two tenants collide.
        """
        remembered = {a.tenant: a for a in self.remembered}
        configured = [_with_dates_of(a, remembered.pop(a.tenant, None)) for a in self.archives]
        try:
            return _distinct((*configured, *remembered.values()))
        except PlacedError as error:
            raise ConfigurationError(str(error)) from None

    def warehouse_of(self, archive: Archive) -> str | None:
        """Return the URL of the warehouse that the archive is loaded into; None means the embedded PostgreSQL."""
        return self.warehouse if archive.warehouse is None else self.warehouses[archive.warehouse]

    def into_shared_warehouse(self) -> Self:
        """Return these settings with every archive loaded into ``warehouse``."""
        shared = tuple(archive.model_copy(update={"warehouse": None}) for archive in self.archives)
        return self.model_copy(update={"archives": shared})

    def reject_limit_of(self, archive: Archive) -> float:
        """Return the share of refused files above which the check of one of the archive's dates is an error."""
        return self.reject_limit if archive.reject_limit is None else archive.reject_limit

    def partitions_per_run_of(self, archive: Archive) -> int:
        """Return how many of the archive's dates one Dagster run takes at most."""
        return archive.partitions_per_run or self.partitions_per_run

    def known_archives(self, tenant: str | None = None) -> tuple[Archive, ...]:
        """Return every archive that was configured or loaded, or that of one tenant.

        Raises:
            ConfigurationError: There is none.
        """
        known = self.all_archives
        if not known:
            raise ConfigurationError(
                "no archive is known yet: name its directory, load it once, or list it in dicom_pipeline.yaml"
            )
        found = tuple(a for a in known if tenant in (None, a.tenant))
        if not found:
            raise ConfigurationError(
                f"--tenant: no archive of {tenant} is known, but of {', '.join(a.tenant for a in known)}"
            )
        return found

    def with_archive(self, archive: Archive) -> Self:
        """Return these settings with this archive in place of what else they say about its tenant."""
        return self.model_copy(
            update={
                "archives": (*(a for a in self.archives if a.tenant != archive.tenant), archive),
                "remembered": tuple(a for a in self.remembered if a.tenant != archive.tenant),
            }
        )

    def remember(self, archive: Archive) -> None:
        """Write the archive to the home directory, so that the UI knows what was loaded from the shell.

        What works by itself, or needs other settings, stays with whoever configured it.
        """
        import yaml

        path = self.home / REMEMBERED_FILE
        kept = [a for a in _remembered(self.home) if a.tenant != archive.tenant]
        without = {"schedule", "watch", "warehouse"}
        dumped = [a.model_dump(mode="json", exclude_none=True, exclude=without) for a in (*kept, archive)]
        document = {"archives": dumped}
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=self.home, prefix=REMEMBERED_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            yaml.safe_dump(document, stream, sort_keys=False, allow_unicode=True)
        Path(temporary).replace(path)


def _distinct(archives: tuple[Archive, ...]) -> tuple[Archive, ...]:
    seen: dict[str, Archive] = {}
    for number, archive in enumerate(archives):
        other = seen.setdefault(archive.key_name, archive)
        if other is not archive:
            problem = (
                f"the tenants {other.tenant!r} and {archive.tenant!r} would share the name {archive.key_name!r} in"
                " Dagster (letters, digits and underscores only): rename one"
            )
            raise PlacedError(("archives", number, "tenant"), problem)
    return archives


def _remembered(home: Path) -> tuple[Archive, ...]:
    path = home / REMEMBERED_FILE
    if not path.exists():
        return ()
    file = read_settings_file(path)
    return _validated(Remembered, file.values, Sources(file)).archives


def _with_dates_of(archive: Archive, remembered: Archive | None) -> Archive:
    if remembered is None:
        return archive
    return archive.model_copy(update={"first_date": remembered.first_date, "last_date": remembered.last_date})


class Remembered(BaseModel):
    """The file of archives that were loaded from the shell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    archives: tuple[Archive, ...] = ()


_VARIABLES = {
    "HOME": "home",
    "WAREHOUSE": "warehouse",
    "STAGING": "staging",
    "READER": "reader",
    "WORKERS": "workers",
    "THREADS": "threads",
    "REJECT_LIMIT": "reject_limit",
    "PARTITIONS_PER_RUN": "partitions_per_run",
    "ALLOW_SCHEMA_EVOLUTION": "allow_schema_evolution",
}
_ARCHIVE_VARIABLES = {
    "ARCHIVE": "root",
    "TENANT": "tenant",
    "LAYOUT": "layout",
    "DATE_FORMAT": "date_format",
    "START_DATE": "start_date",
    "ON_INVALID_VALUE": "on_invalid_value",
    "TIMEZONE": "timezone",
    "SCHEDULE": "schedule",
    "WATCH": "watch",
}


def _apply_environment(values: dict[str, Any], env: Mapping[str, str]) -> dict[Place, str]:
    """Overlay ``DICOM_PIPELINE_*``, and return which variable each overlaid value is from.

    The archive variables describe one archive and count only with its root given.
    """
    sources: dict[Place, str] = {}
    for variable, setting in _VARIABLES.items():
        if env.get(_ENVIRONMENT + variable):
            values[setting] = env[_ENVIRONMENT + variable]
            sources[(setting,)] = _ENVIRONMENT + variable
    named = values.get("warehouses")
    if isinstance(named, dict):
        # A name that is listed without a URL has it from the environment.
        found = {name: env[warehouse_variable(name)] for name in named if env.get(warehouse_variable(name))}
        values["warehouses"] = {**named, **found}
        sources |= {("warehouses", name): warehouse_variable(name) for name in found}
    listed = values.get("archives") or []
    if env.get(_ENVIRONMENT + "ARCHIVE") and isinstance(listed, list):
        given = {v: s for v, s in _ARCHIVE_VARIABLES.items() if env.get(_ENVIRONMENT + v)}
        values["archives"] = [*listed, {s: env[_ENVIRONMENT + v] for v, s in given.items()}]
        sources |= {("archives", len(listed), s): _ENVIRONMENT + v for v, s in given.items()}
    return sources


def _refuse_passwords(file: SettingsFile) -> None:
    named = file.values.get("warehouses")
    urls: dict[Place, tuple[Any, str | None]] = {("warehouse",): (file.values.get("warehouse"), None)}
    urls |= {("warehouses", name): (url, name) for name, url in (named if isinstance(named, dict) else {}).items()}
    for place, (url, name) in urls.items():
        account = str(url or "").partition("://")[2].rpartition("@")[0]
        if ":" in account or re.search("[?&](ssl)?password=", str(url or "")):
            raise ConfigurationError(
                f"{file.where(place)}: the warehouse URL holds a password; give the URL in {warehouse_variable(name)},"
                " or the password in PGPASSWORD or ~/.pgpass (PostgreSQL), MYSQL_PWD (Doris)"
            )


def _validated(model: type[_Model], values: dict[str, Any], sources: Sources) -> _Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = told_problems(error, {"": model, "archives": Archive}, sources)
    raise ConfigurationError("\n".join(problems))

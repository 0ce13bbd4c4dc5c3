"""Settings: archives, warehouse, staging and limits, from a YAML file, the environment and what was loaded before.

Scope: reading and validating configuration; nothing is opened or connected here. Precedence, highest first: arguments
of the command, environment variables ``DICOM_PIPELINE_*``, ``dicom_pipeline.yaml``, the archives that earlier loads
remembered in the home directory, defaults. Secrets come from the environment only.
"""

import datetime as dt
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from dicom_pipeline.archive.layouts import DateDirectories
from dicom_pipeline.dicom.records import OnInvalidValue
from dicom_pipeline.errors import ConfigurationError

CONFIG_FILE = "dicom_pipeline.yaml"
REMEMBERED_FILE = "archives.yaml"
_ENVIRONMENT = "DICOM_PIPELINE_"
WAREHOUSE_VARIABLE = _ENVIRONMENT + "WAREHOUSE"
EARLIEST = dt.date(1970, 1, 1)
"""First partition of an archive nothing is known of."""

_Model = TypeVar("_Model", bound=BaseModel)
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


def validate_tenant(tenant: str) -> str:
    """Return the tenant id; raises ``ValueError`` unless it is 1 to 64 of ``A-Z a-z 0-9 . _ -``, not ``.`` or ``..``.

    It leads every key, so it is never cut or changed.
    """
    if not _TENANT.match(tenant) or set(tenant) == {"."}:
        raise ValueError("a tenant id is 1 to 64 characters out of A-Z a-z 0-9 . _ -")
    return tenant


def _local_root(url: str) -> str:
    if "://" in url:
        raise ValueError("object stores are not supported in this version; mount the archive and give its path")
    return url


class Archive(BaseModel):
    """One archive: a tenant's files below one root.

    Attributes:
        tenant: The tenant id; validated, never changed.
        root: Directory below which the files are; with ``date_directories`` the dates are directly below it.
        layout: ``date_directories`` (the date is in the path) or ``any`` (the date is known from the files only).
        date_format: strftime template of the date directories.
        start_date: First partition, if it is to be fixed; earlier dates are left alone.
        first_date: First partition as loads from the shell found it; counts where ``start_date`` is not given.
        last_date: Latest date that loads found: a partition must exist for it even if it lies in the future.
        on_invalid_value: ``reject`` refuses a file for an invalid optional value, ``null`` stores NULL.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[str, AfterValidator(validate_tenant)] = "default"
    root: Annotated[str, AfterValidator(_local_root)]
    layout: Literal["date_directories", "any"] = "date_directories"
    date_format: str = "%Y%m%d"
    start_date: dt.date | None = None
    first_date: dt.date | None = None
    last_date: dt.date | None = None
    on_invalid_value: OnInvalidValue = OnInvalidValue.REJECT

    @field_validator("date_format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        try:
            DateDirectories(value)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return value

    @property
    def first_partition(self) -> dt.date:
        """The first partition; files without a usable study date are accounted for under it (layout ``any``)."""
        return self.start_date or self.first_date or EARLIEST

    def covering(self, dates: list[dt.date]) -> "Archive":
        """Return the archive with partitions for all of ``dates``, never fewer than before."""
        if not dates:
            return self
        first, last = dt.date(min(dates).year, 1, 1), max(dates)
        return self.model_copy(
            update={"first_date": min(first, self.first_date or first), "last_date": max(last, self.last_date or last)}
        )

    @property
    def key_name(self) -> str:
        """The tenant as Dagster can name operations and groups: letters, digits and underscores."""
        return re.sub(r"[^A-Za-z0-9_]", "_", self.tenant)


class Settings(BaseModel):
    """Everything the pipeline can be told.

    Attributes:
        home: Directory of the embedded database, staging and Dagster's instance.
        warehouse: URL of the warehouse; None means the embedded PostgreSQL in ``home``.
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
    staging: Path | None = None
    archives: tuple[Archive, ...] = ()
    remembered: tuple[Archive, ...] = ()
    reader: Literal["auto", "pure", "pydicom"] = "auto"
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    reject_limit: Annotated[float, Field(ge=0, le=1)] = 0.05
    partitions_per_run: Annotated[int, Field(ge=1, le=1000)] = 200
    allow_schema_evolution: bool = False

    @field_validator("archives")
    @classmethod
    def _tenants_differ(cls, archives: tuple[Archive, ...]) -> tuple[Archive, ...]:
        try:
            return _distinct(archives)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None

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
        values = _read_yaml(path) if path.exists() or _ENVIRONMENT + "CONFIG" in env else {}
        _apply_environment(values, env)
        if home is not None:
            values["home"] = str(home)
        values.pop("remembered", None)
        settings = _validated(cls, values, str(path))
        return settings.model_copy(update={"remembered": _remembered(settings.home)})

    @property
    def all_archives(self) -> tuple[Archive, ...]:
        """Every archive there is to see: the configured ones, then those loaded from the shell.

        Raises:
            ConfigurationError: Two tenants collide.
        """
        remembered = {a.tenant: a for a in self.remembered}
        configured = [_with_dates_of(a, remembered.pop(a.tenant, None)) for a in self.archives]
        return _distinct((*configured, *remembered.values()))

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
        """Write the archive to the home directory, so that the UI knows what was loaded from the shell."""
        import yaml

        path = self.home / REMEMBERED_FILE
        kept = [a for a in _remembered(self.home) if a.tenant != archive.tenant]
        document = {"archives": [a.model_dump(mode="json", exclude_none=True) for a in (*kept, archive)]}
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=self.home, prefix=REMEMBERED_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            yaml.safe_dump(document, stream, sort_keys=False, allow_unicode=True)
        Path(temporary).replace(path)


def _distinct(archives: tuple[Archive, ...]) -> tuple[Archive, ...]:
    seen: dict[str, Archive] = {}
    for archive in archives:
        other = seen.setdefault(archive.key_name, archive)
        if other is not archive:
            raise ConfigurationError(
                f"the tenants {other.tenant!r} and {archive.tenant!r} would share the name {archive.key_name!r} in"
                " Dagster (letters, digits and underscores only): rename one"
            )
    return archives


def _remembered(home: Path) -> tuple[Archive, ...]:
    path = home / REMEMBERED_FILE
    return _validated(Remembered, _read_yaml(path), str(path)).archives if path.exists() else ()


def _with_dates_of(archive: Archive, remembered: Archive | None) -> Archive:
    if remembered is None:
        return archive
    return archive.model_copy(update={"first_date": remembered.first_date, "last_date": remembered.last_date})


class Remembered(BaseModel):
    """The file of archives that were loaded from the shell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    archives: tuple[Archive, ...] = ()


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise ConfigurationError(f"{path}: is not valid YAML{where}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: must hold a mapping such as 'archives: [...]'")
    return document


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
}


def _apply_environment(values: dict[str, Any], env: Mapping[str, str]) -> None:
    """Overlay ``DICOM_PIPELINE_*``; the archive variables describe one archive and count only with its root given."""
    _refuse_password(str(values.get("warehouse") or ""))
    for variable, setting in _VARIABLES.items():
        if env.get(_ENVIRONMENT + variable):
            values[setting] = env[_ENVIRONMENT + variable]
    if env.get(_ENVIRONMENT + "ARCHIVE"):
        archive = {s: env[_ENVIRONMENT + v] for v, s in _ARCHIVE_VARIABLES.items() if env.get(_ENVIRONMENT + v)}
        listed = values.get("archives") or []
        values["archives"] = [*listed, archive] if isinstance(listed, list) else [archive]


def _refuse_password(url: str) -> None:
    account = url.partition("://")[2].rpartition("@")[0]
    if ":" in account or re.search("[?&](ssl)?password=", url):
        raise ConfigurationError(
            f"{CONFIG_FILE}: the warehouse URL holds a password; give the URL in {_ENVIRONMENT}WAREHOUSE, or the"
            " password in PGPASSWORD or ~/.pgpass"
        )


def _validated(model: type[_Model], values: dict[str, Any], source: str) -> _Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_problem(e) for e in error.errors(include_url=False, include_input=False))
        raise ConfigurationError(f"{source}: {problems}") from None


def _problem(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message

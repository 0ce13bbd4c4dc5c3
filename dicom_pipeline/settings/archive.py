"""One archive as it is configured: whose it is, where it lies, which partitions it has and when it is looked at.

Scope: the model and the rules of its single values. Nothing is opened here; what concerns several archives at once is
in ``pipeline.py``.
"""

import datetime as dt
import difflib
import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from dicom_pipeline.archive.layouts import DateDirectories
from dicom_pipeline.dicom.records import OnInvalidValue
from dicom_pipeline.errors import ConfigurationError

EARLIEST = dt.date(1970, 1, 1)
"""First partition of an archive nothing is known of."""

_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z")
_OFF = frozenset({"off", "no", "false"})


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


def _known_format(template: str) -> str:
    try:
        DateDirectories(template)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
    return template


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        from zoneinfo import available_timezones

        near = difflib.get_close_matches(name, available_timezones(), 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"must be a time zone of the IANA database such as Europe/Berlin or UTC{meant}") from None
    return name


def _time_of_day(text: str) -> str | None:
    if text.lower() in _OFF:
        return None
    match = _TIME_OF_DAY.match(text)
    if match is None:
        raise ValueError("must be a time of day such as 02:30 (from 00:00 to 23:59), or off")
    return f"{int(match[1]):02d}:{match[2]}"


def _calendar_date(value: Any) -> Any:
    """Take dates as people write them; pydantic would count a number such as 20100131 in seconds."""
    if not isinstance(value, str):
        return value
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return dt.datetime.strptime(value, form).date()  # noqa: DTZ007
        except ValueError:
            continue
    raise ValueError("must be a calendar date such as 2010-01-31")


CalendarDate = Annotated[dt.date, BeforeValidator(_calendar_date)]
Share = Annotated[float, Field(ge=0, le=1)]
DatesPerRun = Annotated[int, Field(ge=1, le=1000)]


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
        timezone: Where the archive is: what its "yesterday" and its schedule's time mean.
        schedule: Time of day, HH:MM, at which yesterday is loaded; None leaves the schedule to be started by hand.
        watch: Whether the sensor looks for late, changed and deleted files by itself.
        watch_minutes: How often the sensor goes over all dates, at most.
        quiet_minutes: How long a date must stay as it is before the sensor has it loaded.
        reject_limit: As of the settings, for this archive.
        partitions_per_run: As of the settings, for this archive.
        warehouse: Name of one of the settings' warehouses; None means the one all archives share.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[str, AfterValidator(validate_tenant)] = "default"
    root: Annotated[str, AfterValidator(_local_root)]
    layout: Literal["date_directories", "any"] = "date_directories"
    date_format: Annotated[str, AfterValidator(_known_format)] = "%Y%m%d"
    start_date: CalendarDate | None = None
    first_date: CalendarDate | None = None
    last_date: CalendarDate | None = None
    on_invalid_value: OnInvalidValue = OnInvalidValue.REJECT
    timezone: Annotated[str, AfterValidator(_known_timezone)] = "UTC"
    schedule: Annotated[str, AfterValidator(_time_of_day)] | None = None
    watch: bool = False
    watch_minutes: Annotated[int, Field(ge=1, le=10080)] = 60
    quiet_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    reject_limit: Share | None = None
    partitions_per_run: DatesPerRun | None = None
    warehouse: str | None = None

    @property
    def first_partition(self) -> dt.date:
        """The first partition; files without a usable study date are accounted for under it (layout ``any``)."""
        return self.start_date or self.first_date or EARLIEST

    def yesterday(self, now: dt.datetime) -> dt.date:
        """Return the day before today where the archive is."""
        return now.astimezone(ZoneInfo(self.timezone)).date() - dt.timedelta(days=1)

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

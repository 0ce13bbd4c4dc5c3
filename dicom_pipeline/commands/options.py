"""What several commands take, and what is made of it.

Scope: options, and from them the settings, archives, dates and tenant that a command works on. What is wrong with an
argument is told by its name.
"""

import os
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicom_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from dicom_pipeline.settings import Archive, Settings


home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of database, staging and Dagster's instance.  [default: $DICOM_PIPELINE_HOME or .dicom_pipeline]",
)
layout_option = click.option(
    "--layout",
    type=click.Choice(["date_directories", "any"]),
    help="Whether the study date is in the path or only in the files.  [default: date_directories]",
)
date_format_option = click.option(
    "--date-format", help="Template of the date directories, such as %Y/%m/%d.  [default: %Y%m%d]"
)
from_option = click.option("--from", "first", metavar="DATE", help="First study date, YYYY-MM-DD or YYYYMMDD.")
to_option = click.option("--to", "last", metavar="DATE", help="Last study date, included.")
warehouse_option = click.option(
    "--warehouse", metavar="URL", help="Warehouse.  [default: $DICOM_PIPELINE_WAREHOUSE or embedded]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
tenant_option = click.option("--tenant", help="Tenant id, the first column of every key.  [default: default]")
reader_option = click.option(
    "--reader",
    type=click.Choice(["auto", "pure", "pydicom"]),
    help="Scan headers and read odd ones with care, likewise without compiled code, or all with care.  [default: auto]",
)
policy_option = click.option(
    "--on-invalid-value",
    type=click.Choice(["reject", "null"]),
    help="An invalid optional value refuses the file, or becomes NULL.  [default: reject]",
)


def settings_of(home: Path | None, warehouse_url: str | None) -> "Settings":
    """Return the settings, with home and warehouse as the command names them."""
    from dicom_pipeline.settings import WAREHOUSE_VARIABLE, Settings

    if warehouse_url is not None:
        # Through the environment, so that Dagster stores the variable's name and never the URL.
        os.environ[WAREHOUSE_VARIABLE] = warehouse_url
    settings = Settings.load(home=home)
    # What the command names goes before what an archive does.
    return settings if warehouse_url is None else settings.into_shared_warehouse()


def archive_of(settings: "Settings", root: Path, options: dict[str, str | None]) -> "Archive":
    """Return the archive of the arguments, on top of what is configured for the same tenant and root."""
    from pydantic import ValidationError

    from dicom_pipeline.settings import Archive

    given = {name: value for name, value in options.items() if value is not None}
    tenant = given.get("tenant", "default")
    place = str(root.absolute())
    base: dict[str, Any] = {}
    for known in settings.all_archives:
        if known.tenant == tenant:
            base = {"first_date": known.first_date, "last_date": known.last_date}
    for configured in settings.archives:
        if configured.tenant == tenant and str(Path(configured.root).absolute()) == place:
            base |= configured.model_dump(exclude_unset=True)
    try:
        return Archive.model_validate({**base, **given, "tenant": tenant, "root": place})
    except ValidationError as error:
        problems = "; ".join(
            f"--{str(e['loc'][0]).replace('_', '-')}: {str(e['msg']).removeprefix('Value error, ')}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(problems) from None


def archives_of(settings: "Settings", root: Path | None, options: dict[str, str | None]) -> "tuple[Archive, ...]":
    """Return the archive of the arguments; without a root every known one, or that of the tenant."""
    if root is None:
        return settings.known_archives(options["tenant"])
    return (archive_of(settings, root, options),)


def range_of(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    """Return the first and last date, None where the command names none."""
    begin, end = _date(first, "--from"), _date(last, "--to")
    if begin and end and begin > end:
        raise ConfigurationError("--from is later than --to")
    return begin, end


def tenant_of(given: str | None) -> str:
    """Return the tenant id, checked."""
    from dicom_pipeline.settings import validate_tenant

    try:
        return validate_tenant("default" if given is None else given)
    except ValueError as error:
        raise ConfigurationError(f"--tenant: {error}") from None


def _date(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007
        except ValueError:
            continue
    raise ConfigurationError(f"{option}: give a calendar date as YYYY-MM-DD")

"""The command ``dicom-pipeline``.

Scope: arguments, exit codes and what goes to which stream; the work is in the other modules, imported by the command
that needs them, so that ``--help`` answers at once.

Exit codes: 0 all good; 1 some date failed (the others are loaded) or a check of ``doctor`` did; 2 usage or
configuration; 130 interrupted.
"""

import gc
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from dicom_pipeline import __version__
from dicom_pipeline.errors import ConfigurationError, PipelineError, place_of

if TYPE_CHECKING:
    from dicom_pipeline.settings import Archive, Settings
    from dicom_pipeline.warehouse.embedded import EmbeddedPostgres

_P = ParamSpec("_P")
_R = TypeVar("_R")

_home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of database, staging and Dagster's instance.  [default: $DICOM_PIPELINE_HOME or .dicom_pipeline]",
)
_layout_option = click.option(
    "--layout",
    type=click.Choice(["date_directories", "any"]),
    help="Whether the study date is in the path or only in the files.  [default: date_directories]",
)
_date_format_option = click.option(
    "--date-format", help="Template of the date directories, such as %Y/%m/%d.  [default: %Y%m%d]"
)
_from_option = click.option("--from", "first", metavar="DATE", help="First study date, YYYY-MM-DD or YYYYMMDD.")
_to_option = click.option("--to", "last", metavar="DATE", help="Last study date, included.")
_warehouse_option = click.option(
    "--warehouse", metavar="URL", help="Warehouse.  [default: $DICOM_PIPELINE_WAREHOUSE or embedded]"
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
_tenant_option = click.option("--tenant", help="Tenant id, the first column of every key.  [default: default]")
_reader_option = click.option(
    "--reader",
    type=click.Choice(["auto", "pure", "pydicom"]),
    help="Scan headers and read odd ones with care, likewise without compiled code, or all with care.  [default: auto]",
)
_policy_option = click.option(
    "--on-invalid-value",
    type=click.Choice(["reject", "null"]),
    help="An invalid optional value refuses the file, or becomes NULL.  [default: reject]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="dicom-pipeline")
def cli() -> None:
    """Turn a DICOM archive into two trusted tables.

    Start with a sample of real files and the embedded PostgreSQL:

    \b
        dicom-pipeline sample sample_archive
        dicom-pipeline load sample_archive/default
        dicom-pipeline warehouse psql
        dicom-pipeline ui
    """


@cli.command()
@click.argument("archive", type=click.Path(path_type=Path))
@_tenant_option
@_layout_option
@_date_format_option
@_from_option
@_to_option
@_warehouse_option
@_policy_option
@_home_option
@_json_option
def load(
    archive: Path,
    first: str | None,
    last: str | None,
    warehouse: str | None,
    home: Path | None,
    as_json: bool,
    **options: str | None,
) -> None:
    """Load every date of ARCHIVE, the tenant's own root, into the warehouse.

    Dates are loaded whole: run it again at any time, after a crash too, and the tables are what the archive is.

    \b
        dicom-pipeline load /mnt/pacs/hospital-a --tenant hospital-a
        dicom-pipeline load /mnt/pacs/hospital-a --tenant hospital-a --from 2024-01-01 --to 2024-01-31
        dicom-pipeline load ~/dicom --layout any --json
    """
    settings = _settings(home, warehouse)
    chosen = _archive(settings, archive, options)
    begin, end = _range(first, last)

    from dicom_pipeline.console import LoadWatcher, print_load_report
    from dicom_pipeline.orchestration.load import load_archive

    # All that was imported stays: the garbage collector need not look at it again and again.
    gc.freeze()
    with LoadWatcher(quiet=as_json) as watcher:
        report = load_archive(settings, chosen, begin, end, watcher)
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        print_load_report(report)
    sys.exit(1 if report.failed else 0)


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Parquet file to write.")
@_tenant_option
@_reader_option
@_policy_option
@_json_option
def extract(
    paths: tuple[Path, ...],
    out: Path,
    tenant: str | None,
    reader: str | None,
    on_invalid_value: str | None,
    as_json: bool,
) -> None:
    """Read the header of every file below PATHS into one Parquet file, one row a file; no database, no Dagster.

    \b
        dicom-pipeline extract /mnt/usb --out headers.parquet
    """
    from dicom_pipeline.console import print_rows
    from dicom_pipeline.dicom.records import OnInvalidValue
    from dicom_pipeline.tables.extract_files import extract_to_file

    tenant_id = _tenant(tenant)
    policy = OnInvalidValue(on_invalid_value or "reject")
    with _counter(quiet=as_json) as count:
        summary = extract_to_file(
            list(paths), out, tenant=tenant_id, reader=reader or "auto", policy=policy, progress=count
        )
    if as_json:
        click.echo(json.dumps(summary.as_json()))
    else:
        print_rows(str(out), list(summary.rows()))


def _counter(*, quiet: bool) -> Any:
    from dicom_pipeline.console import FileCounter

    return FileCounter(quiet=quiet)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path))
@_tenant_option
def sample(directory: Path, tenant: str | None) -> None:
    """Lay out pydicom's bundled real files as an archive below DIRECTORY, <tenant>/<YYYYMMDD>/<study>/<series>/."""
    from dicom_pipeline.dicom.sample import lay_out_sample

    name = _tenant(tenant)
    report = lay_out_sample(directory, name)
    click.echo(
        f"{directory / name}: {report.files} files of {report.dates} dates, {report.undated} of them without a usable"
        " study date"
    )


@cli.group()
def warehouse() -> None:
    """The embedded PostgreSQL: a real server on a private socket, nothing on the network."""


def _embedded(home: Path | None) -> "EmbeddedPostgres":
    from dicom_pipeline.warehouse.embedded import EmbeddedPostgres

    return EmbeddedPostgres(_settings(home, None).home)


def _echo_status(server: "EmbeddedPostgres") -> None:
    status = server.status()
    click.echo(f"{status.state}: {status.url or status.data_directory}")


@warehouse.command()
@_home_option
def url(home: Path | None) -> None:
    """Print the URL of the embedded server, starting it if it is not running."""
    click.echo(_embedded(home).start())


@warehouse.command()
@_home_option
def start(home: Path | None) -> None:
    """Start the embedded server."""
    server = _embedded(home)
    server.start()
    _echo_status(server)


@warehouse.command()
@_home_option
def stop(home: Path | None) -> None:
    """Stop the embedded server."""
    server = _embedded(home)
    server.stop()
    _echo_status(server)


@warehouse.command()
@_home_option
def status(home: Path | None) -> None:
    """Say whether the embedded server runs."""
    _echo_status(_embedded(home))


@warehouse.command(context_settings={"ignore_unknown_options": True})
@_home_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(home: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the embedded server; ARGUMENTS go to psql, such as -c 'select ...'."""
    server = _embedded(home)
    server.start()
    command = [*server.psql_command(), *arguments]
    sys.stdout.flush()
    os.execv(command[0], command)


@cli.command()
@click.argument("url_a")
@click.argument("url_b")
@click.option("--tenant", help="Only this tenant.  [default: every tenant of either]")
@click.option("--from", "first", metavar="DATE", help="First study date, YYYY-MM-DD or YYYYMMDD.")
@click.option("--to", "last", metavar="DATE", help="Last study date, included.")
@_json_option
def compare(url_a: str, url_b: str, tenant: str | None, first: str | None, last: str | None, as_json: bool) -> None:
    """Compare the rows of two warehouses, whichever databases they are: counts, digests, and the keys that differ.

    Passwords are best left out of the URLs: PGPASSWORD, ~/.pgpass and MYSQL_PWD are read. Exit code 1 if anything
    differs.

    \b
        dicom-pipeline compare "$(dicom-pipeline warehouse url)" doris://loader@fe.example:9030/dicom
        dicom-pipeline compare $URL_A $URL_B --tenant hospital-a --from 2024-01-01 --to 2024-01-31 --json
    """
    from dicom_pipeline.console import DateCounter, print_comparison
    from dicom_pipeline.warehouse.compare import compare_slice, slices_of
    from dicom_pipeline.warehouse.factory import create_warehouse

    name, begin, end = None if tenant is None else _tenant(tenant), _date(first, "--from"), _date(last, "--to")
    with closing(create_warehouse(url_a)) as a, closing(create_warehouse(url_b)) as b:
        slices = slices_of(a, b, name, begin, end)
        with DateCounter(len(slices), quiet=as_json) as advance:
            compared = [c for target in slices for c in advance(compare_slice(a, b, target))]
        differing = [comparison for comparison in compared if not comparison.equal]
        if as_json:
            summary = {"a": a.display_url, "b": b.display_url, "equal": not differing, "slices": len(slices)}
            click.echo(json.dumps({**summary, "tables": [comparison.as_json() for comparison in compared]}))
        else:
            print_comparison(a.display_url, b.display_url, compared)
    sys.exit(1 if differing else 0)


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@_home_option
def ui(port: int, home: Path | None) -> None:
    """Open Dagster's UI and daemon on what was loaded: http://127.0.0.1:PORT."""
    from dicom_pipeline.orchestration.desk import run_ui

    sys.exit(run_ui(_settings(home, None), port))


@cli.command()
@_home_option
@click.option("--warehouse", "warehouse_url", metavar="URL", help="Warehouse to look at.")
def doctor(home: Path | None, warehouse_url: str | None) -> None:
    """Look at settings, archives, staging, warehouse and versions; one line each, and what to do."""
    from dicom_pipeline.orchestration.doctor import diagnose

    healthy = True
    for line in diagnose(lambda: _settings(home, warehouse_url)):
        healthy = healthy and line.good
        click.echo(line.text())
    sys.exit(0 if healthy else 1)


@cli.command()
@click.argument("archive", required=False, type=click.Path(path_type=Path))
@_tenant_option
@_layout_option
@_date_format_option
@_from_option
@_to_option
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["missing", "failed", "stale", "outdated", "all"]),
    help="Which dates, as `status` calls them; may be given several times.  [default: all]",
)
@click.option("--newest-first", is_flag=True, help="Load the latest dates first.")
@click.option("--max-runs", type=click.IntRange(1), metavar="N", help="At most N runs an archive.")
@click.option(
    "--ui",
    "ui_url",
    metavar="URL",
    envvar="DICOM_PIPELINE_UI",
    help="Web server of Dagster to use.  [default: this home's]",
)
@_warehouse_option
@_policy_option
@_home_option
@_json_option
def backfill(
    archive: Path | None,
    first: str | None,
    last: str | None,
    only: tuple[str, ...],
    newest_first: bool,
    max_runs: int | None,
    ui_url: str | None,
    warehouse: str | None,
    home: Path | None,
    as_json: bool,
    **options: str | None,
) -> None:
    """Load dates through Dagster's own backfill, to be watched, canceled and retried in its UI.

    Uses the UI that runs on this home, or starts one for as long as it takes. Without ARCHIVE and --tenant every
    archive that was loaded or configured is meant.

    
        dicom-pipeline backfill --tenant hospital-a --from 2015-01-01 --to 2024-12-31
        dicom-pipeline backfill --only missing --only failed --newest-first --max-runs 5
    """
    settings = _settings(home, warehouse)
    archives = _archives(settings, archive, options)
    begin, end = _range(first, last)

    from dicom_pipeline.console import BackfillWatcher, print_backfill_report
    from dicom_pipeline.orchestration.backfill import backfill_archives
    from dicom_pipeline.orchestration.backfill_plan import ALL, Choice

    choice = Choice(begin, end, only or (ALL,), newest_first, max_runs)
    with BackfillWatcher(quiet=as_json) as watcher:
        report = backfill_archives(settings, archives, choice, ui_url, watcher)
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        print_backfill_report(report)
    sys.exit(0 if report.good else 1)


@cli.command("status")
@click.argument("archive", required=False, type=click.Path(path_type=Path))
@_tenant_option
@_from_option
@_to_option
@click.option("--quick", is_flag=True, help="Look at directories only: files that changed are not noticed.")
@_warehouse_option
@_home_option
@_json_option
def status_of_dates(
    archive: Path | None,
    tenant: str | None,
    first: str | None,
    last: str | None,
    quick: bool,
    warehouse: str | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Say which dates are missing, failed, stale or loaded by an older version.

    Without ARCHIVE and --tenant every archive that was loaded or configured is looked at. Exit code 0 if all dates are
    loaded, 1 if not.

    
        dicom-pipeline status
        dicom-pipeline status --tenant hospital-a --from 2024-01-01 --json
    """
    settings = _settings(home, warehouse)
    archives = _archives(settings, archive, {"tenant": tenant})
    begin, end = _range(first, last)

    from dicom_pipeline.console import print_status
    from dicom_pipeline.orchestration.status import look_at_archives

    found = look_at_archives(settings, archives, begin, end, compare_files=not quick)
    if as_json:
        click.echo(json.dumps({"archives": [one.as_json() for one in found]}))
    else:
        for one in found:
            print_status(one)
    sys.exit(0 if all(one.good for one in found) else 1)


@cli.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Prometheus textfile to replace.")
@click.option("--tenant", help="Only this tenant.  [default: all that are known]")
@_home_option
def metrics(out: Path | None, tenant: str | None, home: Path | None) -> None:
    """Print metrics of what is loaded, by tenant, in Prometheus's text format, or write them to a file.

    \b
        dicom-pipeline metrics
        dicom-pipeline metrics --out /var/lib/node_exporter/textfile/dicom_pipeline.prom
    """
    from dicom_pipeline.orchestration.metrics import collect, prometheus_text, write_textfile

    settings, now = _settings(home, None), datetime.now(UTC)
    archives = [archive for archive in settings.all_archives if tenant in (None, archive.tenant)]
    if tenant is not None and not archives:
        raise ConfigurationError(
            f"--tenant: no archive of {tenant} is known: load one, or list it in dicom_pipeline.yaml"
        )
    text = prometheus_text(collect(settings, archives, now), now)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_textfile(out, text)


def _settings(home: Path | None, warehouse_url: str | None) -> "Settings":
    from dicom_pipeline.settings import WAREHOUSE_VARIABLE, Settings

    if warehouse_url is not None:
        # Through the environment, so that Dagster stores the variable's name and never the URL.
        os.environ[WAREHOUSE_VARIABLE] = warehouse_url
    settings = Settings.load(home=home)
    # What the command names goes before what an archive does.
    return settings if warehouse_url is None else settings.into_shared_warehouse()


def _archive(settings: "Settings", root: Path, options: dict[str, str | None]) -> "Archive":
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


def _archives(settings: "Settings", root: Path | None, options: dict[str, str | None]) -> "tuple[Archive, ...]":
    """Return the archive of the arguments; without a root every known one, or that of the tenant."""
    if root is None:
        return settings.known_archives(options["tenant"])
    return (_archive(settings, root, options),)


def _range(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    begin, end = _date(first, "--from"), _date(last, "--to")
    if begin and end and begin > end:
        raise ConfigurationError("--from is later than --to")
    return begin, end


def _tenant(given: str | None) -> str:
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


def _guarded(call: Callable[_P, _R]) -> Callable[_P, _R]:
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return call(*args, **kwargs)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted; finished dates are loaded, run the same command again for the rest", err=True)
            sys.exit(130)
        except PipelineError as error:
            for problem in str(error).splitlines():
                click.echo(f"dicom-pipeline: {problem}", err=True)
            sys.exit(2)
        except Exception as error:  # a library's text may carry a patient's data: only type and place are told
            click.echo(f"dicom-pipeline: unexpected {type(error).__name__} in {place_of(error)}", err=True)
            sys.exit(2)

    return guarded


@_guarded
def main() -> None:
    """Run the command line; every expected error is one line on standard error."""
    # Dagster's and pydicom's notices to developers are of no use to the person who runs a load.
    warnings.simplefilter("ignore")
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    cli.main(standalone_mode=False)

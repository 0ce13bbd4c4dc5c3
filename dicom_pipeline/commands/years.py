"""The commands for running it for years: ``backfill``, ``status``, ``metrics``.

Scope: their arguments and exit codes; the work is imported when it is asked for.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from dicom_pipeline.commands.options import (
    archives_of,
    date_format_option,
    from_option,
    home_option,
    json_option,
    layout_option,
    policy_option,
    range_of,
    settings_of,
    tenant_option,
    to_option,
    warehouse_option,
)
from dicom_pipeline.errors import ConfigurationError


@click.command()
@click.argument("archive", required=False, type=click.Path(path_type=Path))
@tenant_option
@layout_option
@date_format_option
@from_option
@to_option
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
@warehouse_option
@policy_option
@home_option
@json_option
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
    settings = settings_of(home, warehouse)
    archives = archives_of(settings, archive, options)
    begin, end = range_of(first, last)

    from dicom_pipeline.console.loads import print_backfill_report
    from dicom_pipeline.console.progress import BackfillWatcher
    from dicom_pipeline.orchestration.backfill.launch import backfill_archives
    from dicom_pipeline.orchestration.backfill.plan import ALL, Choice

    choice = Choice(begin, end, only or (ALL,), newest_first, max_runs)
    with BackfillWatcher(quiet=as_json) as watcher:
        report = backfill_archives(settings, archives, choice, ui_url, watcher)
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        print_backfill_report(report)
    sys.exit(0 if report.good else 1)


@click.command("status")
@click.argument("archive", required=False, type=click.Path(path_type=Path))
@tenant_option
@from_option
@to_option
@click.option("--quick", is_flag=True, help="Look at directories only: files that changed are not noticed.")
@warehouse_option
@home_option
@json_option
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
    settings = settings_of(home, warehouse)
    archives = archives_of(settings, archive, {"tenant": tenant})
    begin, end = range_of(first, last)

    from dicom_pipeline.console.loads import print_status
    from dicom_pipeline.orchestration.backfill.status import look_at_archives

    found = look_at_archives(settings, archives, begin, end, compare_files=not quick)
    if as_json:
        click.echo(json.dumps({"archives": [one.as_json() for one in found]}))
    else:
        for one in found:
            print_status(one)
    sys.exit(0 if all(one.good for one in found) else 1)


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Prometheus textfile to replace.")
@click.option("--tenant", help="Only this tenant.  [default: all that are known]")
@home_option
def metrics(out: Path | None, tenant: str | None, home: Path | None) -> None:
    """Print metrics of what is loaded, by tenant, in Prometheus's text format, or write them to a file.

    \b
        dicom-pipeline metrics
        dicom-pipeline metrics --out /var/lib/node_exporter/textfile/dicom_pipeline.prom
    """
    from dicom_pipeline.orchestration.watching.metrics import collect, prometheus_text, write_textfile

    settings, now = settings_of(home, None), datetime.now(UTC)
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

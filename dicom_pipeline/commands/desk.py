"""The commands that look at everything: ``ui`` and ``doctor``.

Scope: their arguments and exit codes; the work is imported when it is asked for.
"""

import sys
from pathlib import Path

import click

from dicom_pipeline.commands.options import home_option, settings_of


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@home_option
def ui(port: int, home: Path | None) -> None:
    """Open Dagster's UI and daemon on what was loaded: http://127.0.0.1:PORT."""
    from dicom_pipeline.orchestration.instance.desk import run_ui

    sys.exit(run_ui(settings_of(home, None), port))


@click.command()
@home_option
@click.option("--warehouse", "warehouse_url", metavar="URL", help="Warehouse to look at.")
def doctor(home: Path | None, warehouse_url: str | None) -> None:
    """Look at settings, archives, staging, warehouse and versions; one line each, and what to do."""
    from dicom_pipeline.orchestration.doctor import diagnose

    healthy = True
    for line in diagnose(lambda: settings_of(home, warehouse_url)):
        healthy = healthy and line.good
        click.echo(line.text())
    sys.exit(0 if healthy else 1)

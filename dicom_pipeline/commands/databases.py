"""The commands about databases: ``warehouse`` (the embedded one) and ``compare``.

Scope: their arguments and exit codes; the work is imported when it is asked for.
"""

import json
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicom_pipeline.commands.options import (
    from_option,
    home_option,
    json_option,
    range_of,
    settings_of,
    tenant_of,
    to_option,
)

if TYPE_CHECKING:
    from dicom_pipeline.warehouse.embedded import EmbeddedPostgres


@click.group()
def warehouse() -> None:
    """The embedded PostgreSQL: a real server on a private socket, nothing on the network."""


def _embedded(home: Path | None) -> "EmbeddedPostgres":
    from dicom_pipeline.warehouse.embedded import EmbeddedPostgres

    return EmbeddedPostgres(settings_of(home, None).home)


def _echo_status(server: "EmbeddedPostgres") -> None:
    status = server.status()
    click.echo(f"{status.state}: {status.url or status.data_directory}")


@warehouse.command()
@home_option
def url(home: Path | None) -> None:
    """Print the URL of the embedded server, starting it if it is not running."""
    click.echo(_embedded(home).start())


@warehouse.command()
@home_option
def start(home: Path | None) -> None:
    """Start the embedded server."""
    server = _embedded(home)
    server.start()
    _echo_status(server)


@warehouse.command()
@home_option
def stop(home: Path | None) -> None:
    """Stop the embedded server."""
    server = _embedded(home)
    server.stop()
    _echo_status(server)


@warehouse.command()
@home_option
def status(home: Path | None) -> None:
    """Say whether the embedded server runs."""
    _echo_status(_embedded(home))


@warehouse.command(context_settings={"ignore_unknown_options": True})
@home_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(home: Path | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the embedded server; ARGUMENTS go to psql, such as -c 'select ...'."""
    server = _embedded(home)
    server.start()
    command = [*server.psql_command(), *arguments]
    sys.stdout.flush()
    os.execv(command[0], command)


@click.command()
@click.argument("url_a")
@click.argument("url_b")
@click.option("--tenant", help="Only this tenant.  [default: every tenant of either]")
@from_option
@to_option
@json_option
def compare(url_a: str, url_b: str, tenant: str | None, first: str | None, last: str | None, as_json: bool) -> None:
    """Compare the rows of two warehouses, whichever databases they are: counts, digests, and the keys that differ.

    Passwords are best left out of the URLs: PGPASSWORD, ~/.pgpass and MYSQL_PWD are read. Exit code 1 if anything
    differs.

    \b
        dicom-pipeline compare "$(dicom-pipeline warehouse url)" doris://loader@fe.example:9030/dicom
        dicom-pipeline compare $URL_A $URL_B --tenant hospital-a --from 2024-01-01 --to 2024-01-31 --json
    """
    from dicom_pipeline.console.comparison import print_comparison
    from dicom_pipeline.console.progress import DateCounter
    from dicom_pipeline.warehouse.compare import compare_slice, slices_of
    from dicom_pipeline.warehouse.factory import create_warehouse

    name = None if tenant is None else tenant_of(tenant)
    begin, end = range_of(first, last)
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

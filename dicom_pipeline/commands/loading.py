"""The commands that read files: ``load``, ``extract``, ``sample``.

Scope: their arguments and exit codes; the work is imported when it is asked for.
"""

import gc
import json
import sys
from pathlib import Path
from typing import Any

import click

from dicom_pipeline.commands.options import (
    archive_of,
    date_format_option,
    from_option,
    home_option,
    json_option,
    layout_option,
    policy_option,
    range_of,
    reader_option,
    settings_of,
    tenant_of,
    tenant_option,
    to_option,
    warehouse_option,
)


@click.command()
@click.argument("archive", type=click.Path(path_type=Path))
@tenant_option
@layout_option
@date_format_option
@from_option
@to_option
@warehouse_option
@policy_option
@home_option
@json_option
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
    settings = settings_of(home, warehouse)
    chosen = archive_of(settings, archive, options)
    begin, end = range_of(first, last)

    from dicom_pipeline.console.loads import print_load_report
    from dicom_pipeline.console.progress import LoadWatcher
    from dicom_pipeline.orchestration.loading.load import load_archive

    # All that was imported stays: the garbage collector need not look at it again and again.
    gc.freeze()
    with LoadWatcher(quiet=as_json) as watcher:
        report = load_archive(settings, chosen, begin, end, watcher)
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        print_load_report(report)
    sys.exit(1 if report.failed else 0)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Parquet file to write.")
@tenant_option
@reader_option
@policy_option
@json_option
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
    from dicom_pipeline.console.rows import print_rows
    from dicom_pipeline.dicom.records import OnInvalidValue
    from dicom_pipeline.tables.extract_files import extract_to_file

    tenant_id = tenant_of(tenant)
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
    from dicom_pipeline.console.progress import FileCounter

    return FileCounter(quiet=quiet)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@tenant_option
def sample(directory: Path, tenant: str | None) -> None:
    """Lay out pydicom's bundled real files as an archive below DIRECTORY, <tenant>/<YYYYMMDD>/<study>/<series>/."""
    from dicom_pipeline.dicom.sample import lay_out_sample

    name = tenant_of(tenant)
    report = lay_out_sample(directory, name)
    click.echo(
        f"{directory / name}: {report.files} files of {report.dates} dates, {report.undated} of them without a usable"
        " study date"
    )

"""The command ``dicom-pipeline``.

Scope: putting the commands together, and what becomes of what they raise; the commands are in ``commands/``. Nothing
heavy is imported before a command needs it, so that ``--help`` answers at once.

Exit codes: 0 all good; 1 some date failed (the others are loaded), or what was looked at is not as it should be; 2
usage or configuration; 130 interrupted.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from dicom_pipeline import __version__
from dicom_pipeline.commands import databases, desk, loading, years
from dicom_pipeline.errors import PipelineError, place_of

_P = ParamSpec("_P")
_R = TypeVar("_R")


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


for _command in (
    loading.load,
    loading.extract,
    loading.sample,
    databases.warehouse,
    databases.compare,
    desk.ui,
    desk.doctor,
    years.backfill,
    years.status_of_dates,
    years.metrics,
):
    cli.add_command(_command)


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

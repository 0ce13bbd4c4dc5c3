"""``python -m benchmarks``: all benchmarks, part by part.

Scope: arguments, the order of parts, and the archives they share. What a part does is in its own folder.
"""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from benchmarks.archive.__main__ import main as archive_command
from benchmarks.archive.__main__ import write_with_progress
from benchmarks.archive.plan import ArchiveSpec
from benchmarks.results import save
from benchmarks.sizes import DEFAULT_FILES, FILES_A_DATE, Sizes, Workplace

_SMALL_PIXELS = 1024


class Run:
    """What the options of every part amount to."""

    def __init__(self, files: int, rounds: int, seed: int, work: Path) -> None:
        self.sizes = Sizes(files, rounds)
        self.seed = seed
        self.place = Workplace(work.absolute())

    def archive(self, files: int, dates: int) -> Path:
        """Return an archive of this size, written now unless it is there already."""
        root = self.place.archive(files, dates, self.seed)
        if not root.exists():
            unfinished = root.with_suffix(".new")
            print(f"writing {files} files of {dates} dates to {root}", file=sys.stderr)  # noqa: T201
            write_with_progress(unfinished, ArchiveSpec(files, dates, self.seed, _SMALL_PIXELS))
            unfinished.rename(root)
        return root

    def keep(self, part: str, found: dict[str, Any]) -> None:
        """Save a part's raw result."""
        save(self.place, part, self.sizes, self.seed, found)


def _extraction(run: Run) -> None:
    from benchmarks.extraction.bench import bench_extraction

    files = run.archive(run.sizes.files, run.sizes.archive_dates)
    run.keep("extraction", bench_extraction(files, run.sizes.sample, run.sizes.rounds, run.seed))


def _loading(run: Run) -> None:
    from benchmarks.loading.bench import bench_loading

    files = run.archive(run.sizes.files, run.sizes.archive_dates)
    run.keep("loading", bench_loading(files, run.place.root, run.sizes.load_rows, min(run.sizes.rounds, 3)))


def _growth(run: Run) -> None:
    from benchmarks.loading.growth import bench_growth

    files = run.archive(run.sizes.files, run.sizes.archive_dates)
    run.keep("growth", bench_growth(files, run.place.root, run.sizes.grown_rows, run.sizes.rounds))


def _end_to_end(run: Run) -> None:
    from benchmarks.whole.bench import bench_whole

    sizes = run.sizes
    files = run.archive(sizes.archive_files, sizes.archive_dates)
    run.keep("end_to_end", bench_whole(files, run.place.root, sizes.sample, min(sizes.rounds, 3), run.seed))


def _memory(run: Run) -> None:
    from benchmarks.whole.bench import bench_memory

    run.keep("memory", bench_memory(run.archive(run.sizes.archive_files, 1), run.place.root))


def _years(run: Run) -> None:
    from benchmarks.years.bench import bench_years

    dates = run.sizes.years_dates
    run.keep("years", bench_years(run.archive(dates * FILES_A_DATE, dates), run.place.root, min(run.sizes.rounds, 2)))


@click.group(context_settings={"max_content_width": 100, "show_default": True})
def cli() -> None:
    """Measure extraction, loading and the whole pipeline against peers and limits, and write the report.

    \b
        python -m benchmarks all --files 2000
        python -m benchmarks extract --rounds 9
        python -m benchmarks report
    """


cli.add_command(archive_command, "archive")


def _of_a_run(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of every measurement, and the run that they amount to."""

    @click.option("--files", default=DEFAULT_FILES, help="Files of the extraction benchmark; all sizes follow from it.")
    @click.option("--rounds", default=5, help="Measured rounds.")
    @click.option("--seed", default=1, help="Seed of archives and samples.")
    @click.option("--work", type=click.Path(path_type=Path), default=Workplace().root, help="Archives and raw results.")
    @wraps(command)
    def with_run(files: int, rounds: int, seed: int, work: Path, **others: bool) -> None:
        whole = Run(files, rounds, seed, work)
        whole.place.root.mkdir(parents=True, exist_ok=True)
        command(whole, **others)

    return with_run


_growth_option = click.option("--growth/--no-growth", default=True, help="Also fill a table of years; takes minutes.")


@cli.command()
@_of_a_run
def extract(run: Run) -> None:
    """Measure readers of headers."""
    _extraction(run)


@cli.command()
@_growth_option
@_of_a_run
def load(run: Run, growth: bool) -> None:
    """Measure ways to load rows into PostgreSQL."""
    _loading(run)
    if growth:
        _growth(run)


@cli.command()
@_of_a_run
def end_to_end(run: Run) -> None:
    """Measure the whole, and its memory."""
    _end_to_end(run)
    _memory(run)


@cli.command()
@_of_a_run
def years(run: Run) -> None:
    """Measure backfills of ten years of small dates."""
    _years(run)


@cli.command("all")
@_growth_option
@_of_a_run
def everything(run: Run, growth: bool) -> None:
    """Measure everything; `report` then writes it down."""
    for part in (_extraction, _loading, *([_growth] if growth else []), _end_to_end, _memory, _years):
        part(run)


@cli.command()
@click.option("--work", type=click.Path(path_type=Path), default=Workplace().root, help="Where the raw results are.")
def report(work: Path) -> None:
    """Write RESULTS.md from whatever parts have been measured."""
    from benchmarks.report.raw import load_raw
    from benchmarks.report.write import NOTES, REPORT, write_report

    raw = load_raw(Workplace(work.absolute()))
    if not raw.parts:
        raise click.ClickException("nothing has been measured yet: python -m benchmarks all")
    write_report(raw, REPORT, NOTES)
    click.echo(REPORT)


if __name__ == "__main__":
    cli()

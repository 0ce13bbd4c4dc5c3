"""``python -m benchmarks``: all benchmarks, part by part.

Scope: arguments, the order of parts, and the archives they share. What a part does is in its own folder.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.archive.__main__ import main as archive_command
from benchmarks.archive.__main__ import write_with_progress
from benchmarks.archive.plan import ArchiveSpec
from benchmarks.results import PARTS, save
from benchmarks.sizes import DEFAULT_FILES, Sizes, Workplace

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


_MEASURE: dict[str, Callable[[Run], None]] = {
    "extraction": _extraction,
    "loading": _loading,
    "growth": _growth,
    "end_to_end": _end_to_end,
    "memory": _memory,
}


@click.group(context_settings={"max_content_width": 100})
def cli() -> None:
    """Measure extraction, loading and the whole pipeline against peers and limits, and write the report."""


cli.add_command(archive_command, "archive")


@cli.command(context_settings={"show_default": True})
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--files", default=DEFAULT_FILES, help="Files of the extraction benchmark; all sizes follow from it.")
@click.option("--rounds", default=5, help="Measured rounds.")
@click.option("--seed", default=1, help="Seed of archives and samples.")
@click.option("--work", type=click.Path(path_type=Path), default=Workplace().root, help="Archives and raw results.")
def run(parts: tuple[str, ...], files: int, rounds: int, seed: int, work: Path) -> None:
    r"""Measure PARTS (all by default) and keep the raw results.

    \b
        python -m benchmarks run extraction --files 2000
        python -m benchmarks report
    """
    whole = Run(files, rounds, seed, work)
    whole.place.root.mkdir(parents=True, exist_ok=True)
    for part in parts or PARTS:
        print(f"{part}:", file=sys.stderr)  # noqa: T201
        _MEASURE[part](whole)


@cli.command()
@click.option("--work", type=click.Path(path_type=Path), default=Workplace().root, help="Where the raw results are.")
def report(work: Path) -> None:
    """Write RESULTS.md from whatever parts have been measured."""
    from benchmarks.report.raw import load_raw
    from benchmarks.report.write import NOTES, REPORT, write_report

    raw = load_raw(Workplace(work.absolute()))
    if not raw.parts:
        raise click.ClickException("nothing has been measured yet: python -m benchmarks run")
    write_report(raw, REPORT, NOTES)
    click.echo(REPORT)


if __name__ == "__main__":
    cli()

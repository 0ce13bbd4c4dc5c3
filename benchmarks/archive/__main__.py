"""``python -m benchmarks.archive``: the command that writes an archive.

Scope: arguments and the progress bar.
"""

import sys
from pathlib import Path

import click

from benchmarks.archive.plan import ArchiveSpec


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--files", default=20_000, help="Number of files, exactly.")
@click.option("--dates", default=100, help="Number of study dates, the last one 2024-12-31.")
@click.option("--seed", default=1, help="The same seed and sizes give the same bytes.")
@click.option("--pixel-bytes", default=4096, help="Bytes of pixel data a file.")
@click.option("--broken", default=2.0, help="Broken files of a thousand: cut, empty, no DICOM, contradicting.")
def main(directory: Path, files: int, dates: int, seed: int, pixel_bytes: int, broken: float) -> None:
    """Write a synthetic DICOM archive below DIRECTORY, as hospital/<YYYYMMDD>/<study>/<series>/<instance>.dcm.

    Numbers of series and files, modalities, makers, lengths and absent values follow a large public archive; seven
    encodings, four character sets, private blocks and misleading sequences are mixed as a hospital has them. Nothing in
    it is of a real person. A file takes about 20 KB of disk with the default pixels.

    \b
        python -m benchmarks.archive /tmp/small --files 2000 --dates 10
        python -m benchmarks.archive /tmp/large --files 200000 --pixel-bytes 2048
        dicom-pipeline load /tmp/small/hospital
    """
    try:
        spec = ArchiveSpec(files, dates, seed, pixel_bytes, broken)
        write_with_progress(directory, spec)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None


def write_with_progress(directory: Path, spec: ArchiveSpec) -> None:
    """Write the archive and show how far it is on standard error."""
    from rich.console import Console
    from rich.progress import Progress

    from benchmarks.archive.writer import write_archive

    with Progress(console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("files", total=spec.files)
        for written in write_archive(directory, spec):
            progress.advance(task, written)


if __name__ == "__main__":
    main()

"""Writing a planned archive to a disk.

Scope: directories, files and the processes that write them. A study is the unit of work: what is in it follows from
the seed and its plan alone, so the bytes do not depend on who writes it when.
"""

import os
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

from benchmarks.archive.broken import draw_fault, spoil
from benchmarks.archive.content import has_pixels, series_elements
from benchmarks.archive.elements import Instance
from benchmarks.archive.plan import ArchiveSpec, SeriesPlan, StudyPlan, plan_archive
from benchmarks.archive.shapes import load_shapes
from benchmarks.archive.template import IMPLICIT_LE, Template

TENANT = "hospital"


def write_archive(root: Path, spec: ArchiveSpec, processes: int | None = None) -> Iterator[int]:
    """Write ``<root>/hospital/<YYYYMMDD>/<study>/<series>/<sop>.dcm`` and yield how many files each study got.

    Args:
        root: A directory that is made, or exists and is empty.
        spec: What to write.
        processes: How many write at a time; None means one a processor.

    Raises:
        FileExistsError: ``root`` holds something.
        OSError: It cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise FileExistsError(f"{root} is not empty: name a new directory, or delete it first")
    write = partial(_write_study, root / TENANT, spec)
    with get_context("spawn").Pool(processes or len(os.sched_getaffinity(0))) as pool:
        yield from pool.imap_unordered(write, plan_archive(spec), chunksize=4)


def _write_study(root: Path, spec: ArchiveSpec, study: StudyPlan) -> int:
    for series in study.series:
        folder = root / f"{study.date:%Y%m%d}" / study.uid / series.uid
        folder.mkdir(parents=True)
        for instance, data in series_files(spec, study, series):
            _write_file(f"{folder}/{instance.uid}.dcm", data)
    return study.files


def series_files(spec: ArchiveSpec, study: StudyPlan, series: SeriesPlan) -> Iterator[tuple[Instance, bytes]]:
    """Yield each instance of a series with the bytes of its file."""
    random = Random(f"{spec.seed}/files/{series.uid}")
    elements = series_elements(spec.seed, study, series)
    sop_class = load_shapes().modalities[series.modality].sop_class
    pixels = random.randbytes(spec.pixel_bytes) if has_pixels(series.modality) else b""
    good = Template(elements, sop_class, series.transfer_syntax, pixels)
    other = None if series.transfer_syntax == IMPLICIT_LE else IMPLICIT_LE
    contradicting = Template(elements, sop_class, series.transfer_syntax, pixels, really=other)
    for number in range(1, series.instances + 1):
        instance = Instance(number, f"{series.uid}.{number}")
        data = good.render(instance)
        fault = draw_fault(random, spec.broken_per_mille)
        yield instance, data if fault is None else spoil(fault, data, contradicting, instance, random)


def _write_file(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)

"""Putting the report together from whatever parts have been measured.

Scope: the order of sections and the sentences between the tables.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.report.plot import draw
from benchmarks.report.raw import Raw
from benchmarks.report.tables import extraction_table, loading_table, markdown, targets_table, whole_table
from benchmarks.sizes import DEFAULT_FILES, FILES_A_DATE
from benchmarks.years.bench import DATE, MANY, ONE

_PACKAGE = Path(__file__).parents[1]
NOTES = _PACKAGE / "notes.json"
REPORT = _PACKAGE / "RESULTS.md"
PLOT = "results.png"
_COMMANDS = {
    "extraction": "extract",
    "loading": "load",
    "growth": "load",
    "end_to_end": "end-to-end",
    "memory": "end-to-end",
    "years": "years",
}


def write_report(raw: Raw, path: Path, notes: Path) -> None:
    """Write the report to ``path`` and its plot beside it.

    Args:
        raw: What has been measured.
        path: Markdown file, written over.
        notes: JSON object of sentences by target, written by people.
    """
    explained: dict[str, str] = json.loads(notes.read_text(encoding="utf-8"))
    draw(raw, path.with_name(PLOT))
    sections = "\n\n".join(_sections(raw, explained, has_plot=path.with_name(PLOT).exists()))
    path.write_text(sections + "\n", encoding="utf-8")


def _sections(raw: Raw, notes: dict[str, str], *, has_plot: bool) -> Iterator[str]:
    yield "# Results"
    yield (
        "Written by `make bench`; what is measured and why so is in [README.md](README.md). Ratios are taken round by"
        " round, so that what disturbs the machine disturbs both sides; medians, with the least and the largest."
    )
    if any(found["sizes"]["files"] < DEFAULT_FILES for found in raw.parts.values()):
        yield (
            "**A try-out**: some parts were measured smaller than the targets are meant for. What a call, a slice or a"
            " date costs whatever its size weighs too much here."
        )
    yield "## Against the targets\n\n" + targets_table(raw, notes)
    if has_plot:
        yield f"![Readers and loaders, medians]({PLOT})"
    for part, section in _PARTS.items():
        if part in raw.parts:
            yield section(raw, raw.parts[part])
    yield "## Measured on\n\n" + _conditions(raw)


def _extraction(raw: Raw, found: dict[str, Any]) -> str:
    walker = "compiled" if found["compiled"] else "**not compiled on this machine**"
    return f"""## Extraction

{found["files"]:,} files, page cache warm; slow readers get {found["sample"]:,} of them: whole series, each transfer
syntax with its share. Our walker is {walker}. The last column compares values with ours on the sample, attribute by
attribute; why others differ is in [README.md](README.md).

{extraction_table(raw)}"""


def _loading(raw: Raw, found: dict[str, Any]) -> str:
    server = ", ".join(f"{name} {value}" for name, value in found["server"].items())
    return f"## Loading\n\n{loading_table(raw)}\n\nServer: {server}."


def _growth(_: Raw, found: dict[str, Any]) -> str:
    seconds = "; ".join(
        f"{name} {', '.join(f'{each:.2f}' for each in measured)}" for name, measured in found["seconds"].items()
    )
    return (
        f"A day of {found['day']:,} rows into a table of {found['rows']:,} rows, and into an empty one, in seconds:"
        f" {seconds}."
    )


def _whole(raw: Raw, _: dict[str, Any]) -> str:
    return "## End to end\n\n" + whole_table(raw)


def _memory(_: Raw, found: dict[str, Any]) -> str:
    pss, rss = (f"{found[kind] / 2**20:,.0f} MiB" for kind in ("pss", "rss"))
    return (
        f"Largest memory of all processes of a load of {found['files']:,} files of one date, PostgreSQL not counted:"
        f" proportional {pss}, resident {rss}."
    )


def _years(raw: Raw, found: dict[str, Any]) -> str:
    spreads = {name: raw.spread("years", name, DATE) for name in (MANY, ONE)}
    told = "; ".join(
        f"{name} {one.median:.3g} s ({one.least:.3g} to {one.most:.3g}, {found['reports'][name]['loaded']:,} dates)"
        for name, one in spreads.items()
        if one is not None
    )
    return (
        f"## Years\n\nA date of {FILES_A_DATE} files in a backfill through Dagster's daemon, every check included:"
        f" {told}."
    )


_PARTS: dict[str, Callable[[Raw, dict[str, Any]], str]] = {
    "extraction": _extraction,
    "loading": _loading,
    "growth": _growth,
    "end_to_end": _whole,
    "memory": _memory,
    "years": _years,
}


def _conditions(raw: Raw) -> str:
    rows = []
    for part, found in raw.parts.items():
        machine = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
        again = f"`python -m benchmarks {_COMMANDS[part]} --files {found['sizes']['files']} --seed {found['seed']}`"
        rows.append([part, found["measured"], machine, again])
    tables = [markdown(["part", "when", "machine", "again"], rows)]
    newest = max(raw.parts.values(), key=lambda found: str(found["measured"]), default=None)
    if newest:
        tables.append("Versions: " + ", ".join(f"{name} {number}" for name, number in newest["versions"].items()) + ".")
    return "\n\n".join(tables)

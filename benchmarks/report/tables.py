"""The report's tables.

Scope: Markdown from raw results, a function a table. What each measurement means is said in ``benchmarks/README.md``.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.extraction.peers import OURS
from benchmarks.report.raw import Raw
from benchmarks.report.targets import TARGETS, Target
from benchmarks.results import Spread

_MICRO = 1e6
_NO_NOTE = "no note yet; write one in `benchmarks/notes.json`"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def targets_table(raw: Raw, notes: Mapping[str, str]) -> str:
    """Return the promises with what was found, and a note for each that was not kept."""
    rows, missed = [], []
    for target in TARGETS:
        found = target.find(raw)
        rows.append(_target_row(target, found))
        if found is not None and not target.met(found):
            missed.append(f"- `{target.key}`: {notes.get(target.key, _NO_NOTE)}")
    table = markdown(["", "key", "target", "median", "least to most", ""], rows)
    return "\n\n".join([table, *(["Missed:\n\n" + "\n".join(missed)] if missed else [])])


def _target_row(target: Target, found: Spread | None) -> list[str]:
    goal = f"{'at least' if target.at_least else 'at most'} {target.goal:g}{target.unit}"
    if found is None:
        return [target.what, f"`{target.key}`", goal, "not measured", "", ""]
    values = [f"{value:.3g}{target.unit}" for value in (found.median, found.least, found.most)]
    verdict = "kept" if target.met(found) else "missed"
    return [target.what, f"`{target.key}`", goal, f"**{values[0]}**", f"{values[1]} to {values[2]}", verdict]


def extraction_table(raw: Raw) -> str:
    """Return every reader's cost a file."""
    rows = []
    for name, peer in raw.parts["extraction"]["peers"].items():
        if peer["unavailable"] is not None:
            rows.append([name, peer["does"], peer["unavailable"], "", "", "", ""])
            continue
        cpu, wall = raw.spread("extraction", name, "cpu"), raw.spread("extraction", name, "wall")
        ratio = raw.ratio("extraction", (name, "cpu"), (OURS, "cpu"))
        rows.append(
            [name, peer["does"], f"{peer['files']:,}", _micro(cpu), _micro(wall), _times(ratio), _agreement(peer)]
        )
    header = [
        "reader",
        "what is measured",
        "files",
        "CPU µs a file",
        "wall µs a file",
        "CPU, ours = 1",
        "files that differ",
    ]
    return markdown(header, rows)


def loading_table(raw: Raw) -> str:
    """Return every loader's speed."""
    rows = []
    for name, peer in raw.parts["loading"]["peers"].items():
        if peer["unavailable"] is not None:
            rows.append([name, peer["does"], peer["unavailable"], "", "", ""])
            continue
        speed, cpu = raw.spread("loading", name, "rows a second"), raw.spread("loading", name, "client cpu")
        ratio = raw.ratio("loading", (OURS, "rows a second"), (name, "rows a second"))
        rows.append([name, peer["does"], f"{peer['rows']:,}", _speed(speed), _micro(cpu), _times(ratio)])
        again = raw.spread("loading", name, "reload rows a second") if name == OURS else None
        if again is not None:
            rows.append(["ours, again", "the same slices, unchanged", f"{peer['rows']:,}", _speed(again), "", ""])
    return markdown(["way", "what is measured", "rows", "rows a second", "client CPU µs a row", "ours is faster"], rows)


def whole_table(raw: Raw) -> str:
    """Return the cost of the whole, of the script and of the bare parts."""
    found = raw.parts["end_to_end"]
    rows = []
    for name in found["peers"]:
        wall = raw.spread("end_to_end", name, "wall")
        files = found["script files"] if name == "script" else found["files"]
        rows.append([name, f"{files:,}", _micro(wall)])
    return markdown(["", "files", "wall µs a file"], rows)


def _agreement(peer: Mapping[str, Any]) -> str:
    differing = peer["disagreements"]
    if differing is None:
        return ""
    shown = [f"{keyword} {count:,}" for keyword, count in list(differing.items())[:5]]
    return ", ".join([*shown, *(["..."] if len(differing) > len(shown) else [])]) or "0"


def _micro(found: Spread | None) -> str:
    if found is None:
        return ""
    micro = found.scaled(_MICRO)
    return (
        f"{micro.median:,.3g} ({micro.least:,.3g} to {micro.most:,.3g})"
        if micro.most < 1000
        else (f"{micro.median:,.0f} ({micro.least:,.0f} to {micro.most:,.0f})")
    )


def _speed(found: Spread | None) -> str:
    return f"{found.median:,.0f} ({found.least:,.0f} to {found.most:,.0f})" if found else ""


def _times(found: Spread | None) -> str:
    return f"{found.median:.3g}x" if found else ""

"""The plot beside the report.

Scope: one picture of two panels, readers by processor time a file and loaders by rows a second, on scales by powers of
ten, because that is how far they lie apart.
"""

from pathlib import Path

from benchmarks.report.raw import Raw

_OURS, _OTHERS = "#c44e52", "#8c9bb0"
_MICRO = 1e6


def draw(raw: Raw, path: Path) -> None:
    """Write the picture of what was measured as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    panels = [
        panel
        for part, key, factor, title in (
            ("extraction", "cpu", _MICRO, "processor time a file, µs (less is better)"),
            ("loading", "rows a second", 1.0, "image rows a second (more is better)"),
        )
        if (panel := (title, _medians(raw, part, key, factor)))[1]
    ]
    if not panels:
        return
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 3.6), squeeze=False)
    for axis, (title, medians) in zip(axes[0], panels, strict=True):
        names = sorted(medians, key=lambda name: medians[name], reverse=True)
        colours = [_OURS if name.startswith("ours") else _OTHERS for name in names]
        bars = axis.barh(names, [medians[name] for name in names], color=colours)
        axis.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=7)
        axis.set_xscale("log")
        axis.margins(x=0.15)
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None})
    pyplot.close(figure)


def _medians(raw: Raw, part: str, key: str, factor: float) -> dict[str, float]:
    peers = raw.parts.get(part, {}).get("peers", {})
    return {name: found.median * factor for name in peers if (found := raw.spread(part, name, key)) is not None}

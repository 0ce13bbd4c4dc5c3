"""What a comparison of two warehouses found.

Scope: presentation. The keys of rows that differ are UIDs: they are what was asked for, and go to standard output only.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from dicom_pipeline.warehouse.compare import SliceComparison

_KEYS_SHOWN = 10


def print_comparison(a: str, b: str, compared: "Sequence[SliceComparison]") -> None:
    """Print the slices that differ, with some of their keys, then how much was compared."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(f"A {a}\nB {b}", markup=False, soft_wrap=True)
    differing = [comparison for comparison in compared if not comparison.equal]
    if differing:
        console.print(_comparison_table(differing))
    for comparison in differing:
        _print_keys(console, comparison)
    dates = len({comparison.target for comparison in compared})
    rows = ", ".join(
        f"{side} {sum(digest.rows for digest in digests):,}"
        for side, digests in (("A", [c.a for c in compared]), ("B", [c.b for c in compared]))
    )
    told = f"{len(differing)} of {len(compared)} slices differ" if differing else "all equal"
    console.print(f"{dates} dates, {len(compared)} slices of tables, rows: {rows}: {told}", soft_wrap=True)


def _comparison_table(differing: "Sequence[SliceComparison]") -> Table:
    table = Table("tenant", "date", "table", "rows in A", "rows in B", "only in A", "only in B", "other values")
    for column in table.columns[3:]:
        column.justify = "right"
    for c in differing:
        keys = c.keys
        counts = (len(keys.only_a), len(keys.only_b), len(keys.other)) if keys else ()
        row = (c.target.tenant_id, c.target.date, c.table, c.a.rows, c.b.rows, *counts)
        table.add_row(*(str(value) for value in row))
    return table


def _print_keys(console: Console, comparison: "SliceComparison") -> None:
    if comparison.keys is None:
        return
    kinds = {"only in A": comparison.keys.only_a, "only in B": comparison.keys.only_b, "other": comparison.keys.other}
    for kind, keys in kinds.items():
        place = f"{comparison.target.tenant_id} {comparison.target.date} {comparison.table}"
        for key in keys[:_KEYS_SHOWN]:
            console.print(f"{place} {kind}: {' '.join(key)}", markup=False, soft_wrap=True)
        if len(keys) > _KEYS_SHOWN:
            console.print(f"{place} {kind}: ... and {len(keys) - _KEYS_SHOWN} more; --json has all", soft_wrap=True)

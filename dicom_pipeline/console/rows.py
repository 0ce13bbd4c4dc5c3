"""Small tables of names and values.

Scope: one function that several commands print with.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


def print_rows(title: str, rows: Sequence[tuple[str, int | float | str]]) -> None:
    """Print a small table of names and values below its title."""
    console = Console(highlight=False)
    console.print(title, markup=False, soft_wrap=True)
    table = Table("what", "count")
    table.columns[1].justify = "right"
    for name, value in rows:
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)

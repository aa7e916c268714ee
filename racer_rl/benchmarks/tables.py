"""Tables as all benchmarks print them."""

from __future__ import annotations

from rich.table import Table


def plain_table(first: str, *others: str) -> Table:
    """A plain table of numbers under headings."""
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify='right', no_wrap=True)
    return table

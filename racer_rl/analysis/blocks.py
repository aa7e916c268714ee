"""What a report is made of: chapters of pictures, tables and sentences, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from racer_rl.analysis.findings import Finding
from racer_rl.analysis.style import png_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure.

    Attributes:
        title: Its heading.
        png: The picture file.
        alt: What it shows, for people who cannot see it.
        caption: How to read it.
        wide: Whether it needs the whole width of a large screen.
    """

    title: str
    png: bytes
    alt: str
    caption: str = ''
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of words and numbers, the first column their names.

    Attributes:
        title: Its heading.
        headings: Of the columns.
        rows: As shown.
        caption: How to read it.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words.

    Attributes:
        paragraphs: In order.
        code: Whether they are lines of a program or of its output.
        title: Heading; empty for none.
    """

    paragraphs: tuple[str, ...]
    code: bool = False
    title: str = ''


Block = Picture | Table | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A part of a report.

    Attributes:
        key: For links, unique in a report.
        title: Its heading.
        intro: What it is about, a sentence or two; may be empty.
        blocks: In order.
    """

    key: str
    title: str
    intro: str = ''
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of it.

    Attributes:
        title: Its heading.
        subtitle: What was looked at.
        facts: Key figures, name to value.
        findings: The worst first; None where chapters tell of them.
        chapters: In order.
    """

    title: str
    subtitle: str
    facts: Mapping[str, str]
    findings: tuple[Finding, ...] | None
    chapters: tuple[Chapter, ...]


def picture(title: str, figure: Figure, alt: str, caption: str = '', *,
            wide: bool = False) -> Picture:
    """A figure as a block."""
    return Picture(title=title, png=png_of(figure), alt=alt, caption=caption, wide=wide)


def table_of(title: str, frame: pd.DataFrame, columns: Mapping[str, tuple[str, str]],
             caption: str = '') -> Table:
    """A frame as a block.

    Args:
        title: Heading.
        frame: The data; its index is the first column.
        columns: Column of the frame (the index: its own name) to heading and format, such as
            `.2f`; an empty format shows it as it is.
        caption: How to read it.
    """
    shown = frame.reset_index()
    cells = [[_cell(value, form) for value in shown[name]]
             for name, (_, form) in columns.items()]
    return Table(title=title, headings=tuple(heading for heading, _ in columns.values()),
                 rows=tuple(zip(*cells, strict=True)), caption=caption)


def _cell(value: Any, form: str) -> str:
    if pd.isna(value):
        return '–'
    return format(value, form) if form else str(value).replace('_', ' ')


def seconds(value: float | None) -> str:
    """A lap time for people."""
    return '–' if value is None or pd.isna(value) else f'{value:.2f} s'



"""The report of a run: key figures, findings and chapters, as one HTML file without a network."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from racer_rl.analysis.blocks import Chapter, Picture, Report, Table, Text, seconds
from racer_rl.analysis.chapters_driving import (
    actions_chapter,
    laps_chapter,
    lines_chapter,
    places_chapter,
)
from racer_rl.analysis.chapters_training import (
    data_chapter,
    endings_chapter,
    printed_chapter,
    timing_chapter,
    training_chapter,
)
from racer_rl.analysis.episodes import summary, timed_laps
from racer_rl.analysis.findings import findings_of
from racer_rl.analysis.run import Run
from racer_vehicle.errors import ConfigError
from racer_vehicle.storage import write_atomically

CHAPTERS = (training_chapter, laps_chapter, lines_chapter, places_chapter, endings_chapter,
            actions_chapter, timing_chapter, printed_chapter)


def report_of(run: Run, more: Sequence[Chapter] = ()) -> Report:
    """Everything about one run.

    Args:
        run: Prepared, with its bound.
        more: Chapters that a log alone does not give; they stand before the one on the data.
    """
    chapters = [chapter for make in CHAPTERS if (chapter := make(run)) is not None]
    return Report(title=run.name, subtitle=f'Report of a run on {run.road.name}',
                  facts=facts_of(run), findings=findings_of(run),
                  chapters=(*chapters, *more, data_chapter(run)))


def facts_of(run: Run) -> dict[str, str]:
    """The key figures of a run, for people."""
    figures = summary(run.episodes)
    told, laps = run.progress, timed_laps(run.progress)
    best_s = laps['time_s'].min() if len(laps) else None
    facts = {
        'episodes': f'{len(told):,}', 'steps in the log': f'{figures["steps"]:,}',
        'complete laps': f'{int(told["complete"].sum()):,}', 'best lap': seconds(best_s),
        'complete at the end': f'{figures["late_complete_share"]:.0%}',
        'median lap at the end': seconds(figures['late_median_lap_s']),
    }
    if run.bound is not None:
        facts['lap bound'] = seconds(run.bound.bound_s)
    return facts


def record_of(run: Run, report: Report | None = None) -> dict[str, Any]:
    """Key figures and findings as plain data, numbers or null."""
    figures = {name: None if isinstance(value, float) and not math.isfinite(value) else value
               for name, value in summary(run.episodes).items()}
    findings = findings_of(run) if report is None else report.findings or ()
    return {'name': run.name, 'layout': run.log.layout, 'track': run.road.name, **figures,
            'lap_bound_s': None if run.bound is None else round(run.bound.bound_s, 3),
            'findings': [finding.as_dict() for finding in findings],
            'remarks': list(run.remarks)}


def html_of(report: Report) -> str:
    """A report as one self-contained page."""
    return _template().render(report=report)


def write_report(report: Report, path: Path) -> None:
    """Write a report in one step.

    Raises:
        ConfigError: The disk refuses.
    """
    try:
        write_atomically(path, html_of(report).encode())
    except OSError as error:
        raise ConfigError(f'cannot write {path}: {error.strerror}; give another folder with '
                          '--out.') from error


@cache
def _template() -> Template:
    environment = Environment(loader=PackageLoader('racer_rl.analysis', '.'), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters['embedded'] = lambda png: base64.b64encode(png).decode()
    environment.tests.update({
        kind.__name__.lower(): lambda block, kind=kind: isinstance(block, kind)
        for kind in (Picture, Table, Text)})
    return environment.get_template('report.html.j2')

"""`racer tracks bound`: the lap time that nobody can beat."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer
from rich.console import Console

from racer_sim.track_library import find_track
from racer_vehicle.spec import CarSpec


def bound(
    track: Annotated[str, typer.Argument(metavar='NAME', help='Name, or a .npy or .csv file.')],
    max_speed: Annotated[float | None, typer.Option(
        help='Highest commanded speed in m/s.', show_default="the car's")] = None,
    direction: Annotated[Literal['forward', 'reverse'], typer.Option(
        help='Which way it is driven.')] = 'forward',
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Compute the fastest flying lap that physics and the off-track rule allow; it is kept."""
    # SciPy takes a second to import, and of the tracks' commands only this one needs it.
    from racer_sim.lap_bound import lap_bound

    car, course = CarSpec(), find_track(track)
    if direction == 'reverse':
        course = course.reversed()
    speed_mps = car.max_speed_mps if max_speed is None else max_speed
    with Console(stderr=True).status('preparing') as status:
        found = lap_bound(course, car, speed_mps, status.update)
    line = {
        'track': course.name,
        'direction': direction,
        'max_speed_mps': found.max_speed_mps,
        'bound_s': round(found.bound_s, 3),
        'margin_s': round(found.margin_s, 3),
        'qss_s': round(found.qss_s, 3),
        'min_speed_mps': round(float(found.speed_mps.min()), 3),
        'top_speed_mps': round(float(found.speed_mps.max()), 3),
    }
    if as_json:
        typer.echo(json.dumps(line, indent=2))
    else:
        typer.echo(
            f'{course.name}: no flying lap at up to {found.max_speed_mps:g} m/s takes less than '
            f'{found.bound_s:.2f} s\n'
            f'the fastest line is driven at {found.speed_mps.min():.2f} to '
            f'{found.speed_mps.max():.2f} m/s; in steady balance it takes {found.qss_s:.2f} s')

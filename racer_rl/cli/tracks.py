"""`racer tracks`: list, show, import and generate tracks, and write worlds for Gazebo."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from racer_rl.cli.bound import bound
from racer_sim.bodies import wall_boxes
from racer_sim.driven_guests import DrivenGuests
from racer_sim.gazebo.car_model import MOST_CARS
from racer_sim.race_format import STANDARD_FORMATS, RaceType
from racer_sim.starting_grid import grid_pose, one_course
from racer_sim.track import Track
from racer_sim.track_generator import generate_track
from racer_sim.track_library import find_track, import_track, keep_track, track_names
from racer_sim.world import WorldSpec, write_world
from racer_vehicle.contract import car_namespaces
from racer_vehicle.storage import write_atomically

tracks_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help='List, show, import and generate tracks.'
)

tracks_app.command()(bound)

AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]
Overwrite = Annotated[bool, typer.Option(help='Replace an own track of this name.')]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSummary:
    """A track in numbers, as the commands print it.

    Attributes:
        name: Its name.
        origin: `shipped`, `own`, or empty for one that has no place in the library.
        length_m: Length of the centre line.
        width_min_m: Narrowest place.
        width_max_m: Widest place.
        min_radius_m: Tightest bend of the centre line.
        direction: `ccw` or `cw`.
        points: Rows of the centre line.
    """

    name: str
    origin: str
    length_m: float
    width_min_m: float
    width_max_m: float
    min_radius_m: float
    direction: str
    points: int


def summarise(track: Track, origin: str = '') -> TrackSummary:
    """Measure a track, to the millimetre."""
    return TrackSummary(
        name=track.name,
        origin=origin,
        length_m=round(track.length_m, 3),
        width_min_m=round(float(track.width_m.min()), 3),
        width_max_m=round(float(track.width_m.max()), 3),
        min_radius_m=round(track.min_radius_m, 3),
        direction='cw' if track.is_clockwise else 'ccw',
        points=len(track.centre_m),
    )


@tracks_app.command('list')
def list_tracks(as_json: AsJson = False) -> None:
    """List every track that has a name: shipped ones from gentle to hard, then your own."""
    summaries = [summarise(find_track(name), origin) for name, origin in track_names()]
    if as_json:
        typer.echo(json.dumps([asdict(summary) for summary in summaries], indent=2))
    else:
        _print_table(summaries)


@tracks_app.command()
def show(
    track: Annotated[str, typer.Argument(metavar='NAME', help='Name, or a .npy or .csv file.')],
    plot: Annotated[Path | None, typer.Option(help='Write a picture (.png, .svg, .pdf).')] = None,
    as_json: AsJson = False,
) -> None:
    """Show one track in numbers, and as a picture if wanted."""
    found = find_track(track)
    origins = {name.lower(): origin for name, origin in track_names()}
    origin = origins.get(track.lower(), '')
    if plot is not None:
        # Matplotlib takes a second to import, and only this option needs it.
        from racer_rl.cli.track_plot import draw_track

        write_atomically(plot, draw_track(found, plot.suffix.removeprefix('.').lower()))
        typer.echo(f'wrote {plot}', err=True)
    if as_json:
        typer.echo(json.dumps(asdict(summarise(found, origin)), indent=2))
    else:
        _print_table([summarise(found, origin)])


@tracks_app.command('import')
def import_file(
    file: Annotated[Path, typer.Argument(help='DeepRacer .npy or centre-line .csv.')],
    name: Annotated[str, typer.Option(help='What to call it.')],
    width: Annotated[float | None, typer.Option(help='Width in m, for x,y files.')] = None,
    overwrite: Overwrite = False,
) -> None:
    """Check a track file and keep it under a name."""
    track = import_track(file, name, width_m=width, overwrite=overwrite)
    _print_table([summarise(track, 'own')])


@tracks_app.command()
def generate(
    seed: Annotated[int, typer.Option(help='The same seed gives the same track.')],
    length: Annotated[float, typer.Option(help='Length in m.')] = 20.0,
    width: Annotated[float, typer.Option(help='Width in m.')] = 0.8,
    min_radius: Annotated[float, typer.Option(help='Tightest bend in m.')] = 0.5,
    name: Annotated[str | None, typer.Option(help='Keep it under this name.')] = None,
    overwrite: Overwrite = False,
) -> None:
    """Generate a random track; with --name it is kept."""
    track = generate_track(
        seed, length_m=length, width_m=width, min_radius_m=min_radius, name=name
    )
    if name is not None:
        keep_track(track, overwrite=overwrite)
    _print_table([summarise(track, '' if name is None else 'own')])


@tracks_app.command('world')
def gazebo_world(
    track: Annotated[str, typer.Argument(metavar='NAME', help='Name, or a .npy or .csv file.')],
    out: Annotated[Path, typer.Option(help='Folder; the world is a folder in it.')],
    direction: Annotated[Literal['forward', 'reverse'],
                         typer.Option(help='Which way the cars stand.')] = 'forward',
    cars: Annotated[int, typer.Option(help='How many.', min=1, max=MOST_CARS)] = 1,
    walls: Annotated[bool, typer.Option(help='Put walls along both borders.')] = False,
    race: Annotated[Literal['object-avoidance', 'head-to-bot'] | None, typer.Option(
        help='Put boxes or bots on it, as many as usual.', show_default='none')] = None,
    seed: Annotated[int, typer.Option(help='Of where they are.', min=0)] = 0,
) -> None:
    """Write a track as a world for Gazebo, with cars on it.

    Boxes and bots stay where they are until the Gazebo node moves them.
    """
    course = one_course(track, direction)
    boxes = wall_boxes(course.track) if walls else ()
    spec = WorldSpec(course=course, namespaces=car_namespaces(cars), boxes=boxes)
    if race:
        guests = DrivenGuests(STANDARD_FORMATS[RaceType(race)], course, spec.car, seed,
                              grid_pose(course, spec.start_share, 0))
        spec = replace(spec, guests=guests.boxes)
    name = '_'.join([course.track.name, *race.split('-')]) if race else course.track.name
    typer.echo(f'wrote {write_world(spec, out / name)}')


def _print_table(summaries: list[TrackSummary]) -> None:
    """One row a track."""
    table = Table(box=None, pad_edge=False)
    table.add_column('name', no_wrap=True)
    table.add_column('origin')
    for heading in ('length m', 'width m', 'min radius m', 'direction', 'points'):
        table.add_column(heading, justify='right')
    for row in summaries:
        narrow, wide = f'{row.width_min_m:.2f}', f'{row.width_max_m:.2f}'
        table.add_row(
            row.name,
            row.origin,
            f'{row.length_m:.2f}',
            narrow if narrow == wide else f'{narrow}-{wide}',
            f'{row.min_radius_m:.2f}',
            row.direction,
            str(row.points),
        )
    Console().print(table)

"""`racer demo`: train a car, race it and film it, by the commands that a person would type."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Annotated, Final

import typer

from racer_rl.cli.drive import has_ros
from racer_rl.cli.main import run
from racer_rl.store.models import model_folder
from racer_sim.track_library import find_track

demo_app = typer.Typer(add_completion=False)

DEFAULT_TRACK: Final = 'thunder_gully'
LONGEST_STEM: Final = 48
"""Of a model's name, so that `demo-` and a number still fit the 64 characters it may have."""


@demo_app.command()
def demo(
    track: Annotated[
        str, typer.Option(help='Track by name, or a .npy or .csv file.')
    ] = DEFAULT_TRACK,
    out: Annotated[Path, typer.Option(help='Folder for the film and the picture.')] = Path('race'),
    seed: Annotated[int, typer.Option(help='The same seed gives the same car.', min=0)] = 0,
) -> None:
    """Train a car, race it and film it: the first minute with racer.

    It runs `racer train`, `racer evaluate` and, where ROS 2 is, `racer drive`, and shows the
    command lines. Models that exist already are left alone; a film and a picture of an earlier
    demo in the same folder are replaced.
    """
    course = find_track(track).name
    # A model remembers its track's file, and should find it from any folder.
    place = str(Path(track).resolve()) if track.lower().endswith(('.npy', '.csv')) else course
    model = _free_name(course)
    film, picture = out / 'race.mp4', out / 'racing_line.png'
    _announce('1 of 3: train until all of 12 laps are clean; the first time ever also compiles.')
    _do('train', '--track', place, '--name', model, '--seed', str(seed))
    _announce('2 of 3: race 3 laps from each of 4 starts, and film the first.')
    _do('evaluate', model, '--video', str(film), '--plot', str(picture))
    _announce("3 of 3: the same laps through the car's own nodes, every one a program of its own.")
    if has_ros():
        _do('drive', model)
    else:
        typer.echo('skipped: there is no ROS 2 (rclpy) here.', err=True)
    typer.echo(_farewell(model, place, film, picture))


def _free_name(course: str) -> str:
    """A name that no model has: somebody may be fond of the one from the last demo."""
    stem = re.sub(r'[^A-Za-z0-9_.-]+', '-', course)[:LONGEST_STEM]
    name, number = f'demo-{stem}', 1
    while model_folder(name).path.exists():
        number += 1
        name = f'demo-{stem}-{number}'
    if number > 1:
        typer.echo(f'An earlier demo is kept; this one is model {name}.', err=True)
    return name


def _announce(headline: str) -> None:
    typer.secho(f'\n{headline}', bold=True, err=True)


def _do(*words: str) -> None:
    """Run one `racer` command line in view of the person.

    Raises:
        typer.Exit: It failed or was interrupted, with its code; it has said why.
    """
    typer.echo(f'$ {shlex.join(("racer", *words))}', err=True)
    code = run(words)
    if code:
        raise typer.Exit(code)


def _farewell(model: str, place: str, film: Path, picture: Path) -> str:
    """Where everything is, and what a person may want to do with it."""
    course = shlex.quote(place)
    return f"""
The film is {film}, the racing line {picture}. What next:
  a faster car       racer train --track {course} --name fast --max-speed 3
  your own reward    racer train --track {course} --name mine --reward my_reward.py
  an unknown track   racer evaluate {model} --track switchback --video switchback.mp4
  a real track       racer tracks import track.npy --name real
docs/rewards.md tells how to write a reward, docs/tracks.md where tracks come from."""

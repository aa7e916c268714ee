"""`racer race day`: entries one after another, on a big screen, in the simulator or at a track."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from racer_rl.race_day.board import LeagueBoard
    from racer_rl.race_day.host import RaceDay
    from racer_rl.race_day.sources import Source

PORT = 8642
"""Above those that need an administrator, and used by nothing well known."""


def race_day(
    league: Annotated[str, typer.Option('--league', metavar='NAME', help='League it counts in.')],
    race: Annotated[int | None, typer.Option(
        '--race', metavar='N', help='Race of the league; by default the newest that is open.',
    )] = None,
    manual: Annotated[bool, typer.Option(
        '--manual', help='A person times laps by key, of a real car.')] = False,
    ros: Annotated[bool, typer.Option(
        '--ros', help='Start and stop a car over ROS 2; laps come from race control, or by key '
                      'with --manual.')] = False,
    pace: Annotated[float, typer.Option(
        '--pace', min=0.1, max=100.0,
        help='Seconds of the race in one of the wall; without --manual and --ros.')] = 1.0,
    host: Annotated[str, typer.Option(
        '--host', metavar='ADDRESS', help='Who may look on: 127.0.0.1, this computer; 0.0.0.0, '
                                          'everybody in the network.')] = '127.0.0.1',
    port: Annotated[int, typer.Option('--port', min=0, max=65535, help='0: any free.')] = PORT,
    new: Annotated[bool, typer.Option(
        '--new', help='Begin a new day; the last one of this race is put aside.')] = False,
    as_json: Annotated[bool, typer.Option(
        '--json', help='Print addresses first, a line, and the results at the end, as JSON.')
    ] = False,
) -> None:
    """Run entries of a race one after another, with a big screen and a control page."""
    from racer_rl.interruption import interrupt_flag
    from racer_rl.race_day.board import LeagueBoard
    from racer_rl.race_day.commands import Commands
    from racer_rl.race_day.server import DayServer, serving

    board = LeagueBoard(league, race, _timed(manual=manual, ros=ros))
    with (interrupt_flag() as interrupted,
          _running_day(board, manual=manual, ros=ros, pace=pace, new=new) as day):
        server = DayServer((host, port), day, Commands(day, board.join), board.headline,
                           _drawing(board))
        with serving(server):
            _say_where(server.urls, as_json=as_json)
            while not interrupted:
                day.tick()
                time.sleep(_TICK_S)
        _say_what(day, as_json=as_json)


_TICK_S = 0.2


def _timed(*, manual: bool, ros: bool) -> str:
    if manual:
        return 'by hand'
    return 'by race control' if ros else 'in the simulator'


@contextlib.contextmanager
def _running_day(board: LeagueBoard, *, manual: bool, ros: bool, pace: float,
                 new: bool) -> Iterator[RaceDay]:
    """A day with whoever takes part in its queue; however it ends, the car stands."""
    from racer_rl.race_day.host import RaceDay
    from racer_rl.race_day.journal import opened

    if new:
        _put_aside(board.journal)
    with (opened(board.journal) as journal,
          contextlib.closing(_source(board, manual=manual, ros=ros, pace=pace)) as source):
        day = RaceDay(board, journal, source)
        known = {(entry.racer, entry.identity) for entry in day.day.entries}
        for who in board.candidates(driven=not manual):
            if (who.racer, who.identity) not in known:
                day.enter(who.racer, who.model, who.identity)
        yield day


def _source(board: LeagueBoard, *, manual: bool, ros: bool, pace: float) -> Source:
    if ros:
        from racer_rl.cli.drive import require_ros

        require_ros()
        from racer_rl.nodes.track_car import TrackCar

        return TrackCar(board.bundle, board.course, by_hand=manual, rules=board.rules)
    if manual:
        from racer_rl.race_day.sources import ByHand

        return ByHand()
    from racer_rl.race_day.simulated import Simulated

    return Simulated(board, pace)


def _put_aside(journal: Path) -> None:
    """Give the file of the last day a name of its own."""
    if journal.exists():
        number = 1 + sum(1 for _ in journal.parent.glob(f'{journal.stem}-day-*.jsonl'))
        journal.rename(journal.with_name(f'{journal.stem}-day-{number}.jsonl'))


def _drawing(board: LeagueBoard) -> dict[str, Any]:
    """What pages draw the track of."""
    track = board.course.track
    return {'name': track.name, 'left': track.left_border_m.round(3).tolist(),
            'right': track.right_border_m.round(3).tolist()}


def _say_where(urls: tuple[str, str], *, as_json: bool) -> None:
    screen, control = urls
    if as_json:
        typer.echo(json.dumps({'screen': screen, 'control': control}))
        return
    typer.echo(f'big screen: {screen}\ncontrol:    {control}\n'
               'Keep the second address to yourself. Ctrl-C ends; the same command goes on.')


def _say_what(day: RaceDay, *, as_json: bool) -> None:
    """The results of the day."""
    outcomes, waiting = day.day.outcomes, len(day.day.queue)
    if as_json:
        typer.echo(json.dumps({'waiting': waiting, 'outcomes': [
            {'racer': each.entry.racer, 'model': each.entry.model, 'status': each.run.status,
             'time_s': each.run.time_s, 'laps_s': [lap.time_s for lap in each.run.laps],
             'incidents': each.run.incidents} for each in outcomes]}))
        return
    for each in outcomes:
        laps = ' '.join(f'{lap.time_s:.2f}' for lap in each.run.laps) or 'no lap'
        typer.echo(f'{each.entry.racer}: {laps} ({each.run.status.replace("_", " ")})')
    typer.echo(f'{len(outcomes)} runs declared, {waiting} wait.')

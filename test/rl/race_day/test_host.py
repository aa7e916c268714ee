"""A race day with a real league: results count once, whatever is interrupted."""

import threading

import pytest

from racer_rl.league.at_track import timed_at_track
from racer_rl.league.store import open_league
from racer_rl.race_day.board import LeagueBoard
from racer_rl.race_day.day import Phase, RefusedActError
from racer_rl.race_day.events import Act
from racer_rl.race_day.host import ALONE_S
from racer_rl.race_day.simulated import Simulated
from racer_vehicle.errors import ConfigError, RacerError


def run(day, clock, *laps_s):
    """Call the next, and drive laps by hand."""
    day.do(Act.CALL)
    day.do(Act.START)
    for lap_s in laps_s:
        clock.now_s += lap_s
        day.do(Act.LAP)


class Car:
    """A motor of a real car, as race day sees it; the nodes' own are tested in test/ros."""

    by_hand, has_car, live = True, True, None

    def __init__(self, fails=''):
        self.fails, self.said, self.moves, self.beats = fails, [], False, 0

    def prepare(self, entry):
        self.said.append(f'prepare {entry.racer}')

    def start(self, entry, listener):
        self.listener = listener
        if self.fails:
            raise RacerError(self.fails)
        self.moves = True

    def hold(self):
        self.moves = False

    def release(self):
        self.moves = True

    stop = close = hold

    def beat(self):
        self.beats += 1


def test_a_declared_run_is_in_the_standings_once(new_day, clock, board):
    with new_day() as day:
        day.enter('Ada', 'fast', 'sha256:' + '0' * 64)
        run(day, clock, 9.0, 8.5)
        assert day.view()['standings'] == []
        day.do(Act.DECLARE)
        line, = day.view()['standings']
        assert (line['racer'], line['score_s'], line['laps']) == ('Ada', 8.5, 2)
    with new_day() as day:  # once more: the league has it
        assert [line['racer'] for line in day.view()['standings']] == ['Ada']
        assert day.day.phase is Phase.IDLE and len(day.day.outcomes) == 1
    with open_league('club') as league:
        newest = league.submissions()[-1]
        assert timed_at_track(league.result_folder(newest.result)) == 'by hand'
        assert timed_at_track(league.result_folder('000001')) == ''


def test_a_result_that_was_cut_off_on_its_way_to_the_league_arrives(new_day, clock, board,
                                                                    monkeypatch):
    with new_day() as day:
        day.enter('Ada')
        run(day, clock, 9.0, 8.5)
        with monkeypatch.context() as patch:
            patch.setattr(board, 'keep', lambda outcome: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                day.do(Act.DECLARE)
        assert board.standings() == ()
    with new_day():
        assert [line.score_s for line in board.standings()] == [8.5]


def test_a_run_by_hand_goes_on_after_a_crash(new_day, clock):
    with new_day() as day:
        day.enter('Ada')
        run(day, clock, 9.0)
    clock.now_s += 4.0
    with new_day() as day:
        assert 'never stopped' in day.trouble
        clock.now_s += 6.0
        day.do(Act.LAP)
        assert [lap.time_s for lap in day.day.run.laps] == [9.0, 10.0]


def test_after_a_restart_of_the_machine_the_laps_are_there_and_the_run_is_over(
        new_day, clock, monkeypatch):
    with new_day() as day:
        day.enter('Ada')
        run(day, clock, 9.0)
    clock.now_s = 5.0
    monkeypatch.setattr('racer_rl.race_day.host.boot_id', lambda: 'another')
    with new_day() as day:
        assert day.day.phase is Phase.OVER and day.day.run.time_s == 9.0
        day.do(Act.DECLARE)
        assert day.view()['standings'][0]['score_s'] == 9.0


def test_the_time_limit_ends_a_run_by_itself(new_day, clock):
    with new_day() as day:
        day.enter('Ada')
        run(day, clock, 9.0)
        clock.now_s += 51.1
        day.tick()
        assert day.day.run.status == 'time_up' and day.day.run.time_s == 60.0


def test_a_car_moves_only_in_a_run_that_somebody_looks_after(new_day, clock):
    car = Car()
    with new_day(car) as day:
        day.enter('Ada')
        day.enter('Cy')
        day.do(Act.CALL)
        assert car.said == ['prepare Ada'] and not car.moves
        day.do(Act.START)
        assert car.moves
        day.do(Act.END)
        assert not car.moves
        day.do(Act.UNDO)  # the clock goes on, and the car stands until somebody lets it go
        assert day.day.phase is Phase.RUNNING and not car.moves
        day.release()
        assert car.moves
        day.tick()
        clock.now_s += ALONE_S + 0.1
        day.tick()
        assert not car.moves and 'no control page' in day.view()['trouble']
        day.seen()
        day.release()
        assert car.moves
        day.do(Act.RESET)
        assert not car.moves and car.beats == 2
        with pytest.raises(RefusedActError, match='no run is under way'):
            day.release()
        day.do(Act.START)
    assert not car.moves


def test_a_car_that_does_not_start_starts_no_clock(new_day):
    with new_day(Car(fails='motor/enable was refused')) as day:
        day.enter('Ada')
        day.do(Act.CALL)
        with pytest.raises(RacerError, match='refused'):
            day.do(Act.START)
        assert day.day.phase is Phase.READY


def test_a_full_disk_changes_nothing(new_day, clock, monkeypatch):
    with new_day() as day:
        day.enter('Ada')
        run(day, clock)
        clock.now_s += 9.0
        before = day.day
        with monkeypatch.context() as patch, pytest.raises(OSError, match='no space'):
            def full(event):
                raise OSError(28, 'no space')
            patch.setattr(day._journal, 'append', full)
            day.do(Act.LAP)
        assert day.day == before
        day.do(Act.LAP)
        assert len(day.day.run.laps) == 1


def test_keys_of_many_threads_are_taken_one_after_another(new_day):
    with new_day() as day:
        threads = [threading.Thread(target=day.enter, args=(f'racer {number}',))
                   for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(day.day.queue) == list(range(1, 21))
        assert len({entry.racer for entry in day.day.entries}) == 20


def test_in_the_simulator_a_result_can_be_repeated(league, new_day, monkeypatch):
    board = LeagueBoard(league, None, 'in the simulator')
    source = Simulated(board, pace=100.0)
    with new_day(source) as day:
        for who in board.candidates(driven=True):
            day.enter(*who)
        day.do(Act.CALL)
        day.do(Act.START)
        version = 0
        while day.day.phase is Phase.RUNNING:
            assert day.wait(version, 300.0), 'the run comes to its end'
            version = day.view()['version']
        driven = day.day.run
        assert driven.status == 'lap_complete' and len(driven.laps) == 2
        day.do(Act.DECLARE)
    with open_league(league) as opened:
        newest = opened.submissions()[-1]
        from racer_rl.races.result import RaceResult
        told = RaceResult.read(opened.result_folder(newest.result) / 'result.json').entries[0]
    assert told.lap_times_s == pytest.approx([lap.time_s for lap in driven.laps])
    assert told.lap_clean == tuple(lap.clean for lap in driven.laps)
    assert told.time_s == driven.time_s


def test_a_run_in_the_simulator_stops_when_it_is_reset(league, new_day):
    board = LeagueBoard(league, None, 'in the simulator')
    source = Simulated(board, pace=0.5)
    with new_day(source) as day:
        for who in board.candidates(driven=True):
            day.enter(*who)
        day.do(Act.CALL)
        day.do(Act.START)
        while source.live.place_m is None:
            day.wait(-1, 0.1)
        day.do(Act.RESET)
        assert source.live is None and day.day.phase is Phase.READY
    assert 'race-day-run' not in {thread.name for thread in threading.enumerate()}


def test_candidates_are_those_with_a_policy_or_all(board):
    assert next(iter(board.candidates(driven=True))).racer == 'Ada'
    assert [who.racer for who in board.candidates(driven=False)][-1] == 'Cy'
    assert board.join('Cy') == 'Cy' and board.join('Newcomer') == 'Newcomer'
    with pytest.raises(ConfigError, match='allowed: letters'):
        board.join('<script>')


def test_a_day_by_hand_and_one_in_the_simulator_do_not_mix(league, board):
    assert LeagueBoard(league, None, 'in the simulator').journal != board.journal

"""The state of a race day: whatever keys are pressed, laps and times agree, and undo undoes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.race_day.day import Day, History, Phase, RefusedActError, after
from racer_rl.race_day.events import Act, Event
from racer_rl.race_day.journal import opened
from racer_sim.rules import RaceRules
from racer_vehicle.errors import ConfigError, RacerError

RULES = RaceRules(laps=3, resets=4, time_limit_s=100.0)


def day(*, by_hand=True, rules=RULES):
    return Day(rules=rules, by_hand=by_hand)


def enter(at_s=0.0, racer='Ada'):
    return Event(act=Act.ENTER, at_s=at_s, racer=racer)


def played(*acts, by_hand=True, rules=RULES):
    """A history after acts at their times, with two entries."""
    history = History(day(by_hand=by_hand, rules=rules))
    for event in (enter(), enter(racer='Bob'), *(
            act if isinstance(act, Event) else Event(act=act[0], at_s=act[1]) for act in acts)):
        history.take(event)
    return history


def keys(**values):
    return st.builds(Event, at_s=st.floats(0.0, 4.0), act=st.sampled_from(Act),
                     entry=st.integers(0, 4), place=st.integers(-1, 5), racer=st.just('Ada'),
                     **values)


def pressed(history, events):
    """Take events one after another, `at_s` being the time since the last; those refused fall."""
    now_s = 0.0
    for event in events:
        now_s += event.at_s
        timed = Event(act=event.act, at_s=now_s, entry=event.entry, place=event.place,
                      racer=event.racer, lap_s=event.lap_s, clean=event.clean)
        before = history.day
        try:
            history.take(timed)
        except RefusedActError:
            assert history.day == before
            continue
        yield timed, before


@given(st.lists(keys(), max_size=60), st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_entry_is_in_one_place_and_times_add_up(events, by_hand):
    history = History(day(by_hand=by_hand))
    for event, _ in pressed(history, [enter(), enter(), *events]):
        now = history.day
        places = [*now.queue, *([now.on_track] if now.on_track else []),
                  *(outcome.entry.number for outcome in now.outcomes)]
        assert len(places) == len(set(places)) and set(places) <= set(range(1, 1 + len(
            now.entries)))
        run = now.run
        if run is None:
            continue
        assert len(run.laps) <= RULES.laps
        assert (len(run.laps) == RULES.laps) == (run.status == 'lap_complete')
        driven_s = sum(lap.time_s for lap in run.laps)
        if not run.is_over and by_hand:
            whole_s = driven_s + run.lap_elapsed_s(event.at_s)
            assert math.isclose(whole_s, run.elapsed_s(event.at_s), abs_tol=1e-6)
        elif by_hand:
            assert driven_s <= run.time_s + 1e-6
        if by_hand and all(lap.clean for lap in run.laps) and run.lap_clean:
            assert run.incidents == {} and run.penalty_s == 0.0
        assert sum(run.incidents.values()) <= RULES.resets + 1 or not by_hand


@given(st.lists(keys(), max_size=40))
@settings(max_examples=60, deadline=None)
def test_undo_goes_back_step_by_step(events):
    history, past = History(day()), []
    for event, before in pressed(history, [enter(), enter(), *events]):
        if event.act is Act.UNDO:
            assert history.day == past.pop()
        elif event.act is Act.DECLARE:
            past = []
        elif event.act is Act.ENTER:
            past = [after(each, event) for each in past]
        else:
            past.append(before)
        assert history.can_undo == bool(past)


@given(st.lists(keys(), max_size=40), st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_a_day_survives_being_cut_off_at_any_byte(tmp_path_factory, events, cut):
    path = tmp_path_factory.mktemp('day') / 'day.jsonl'
    days, history = [day()], History(day())
    with opened(path) as journal:
        for event, _ in pressed(history, [enter(), *events]):
            journal.append(event)
            days.append(history.day)
    content = path.read_bytes()
    path.write_bytes(content[:max(0, len(content) - cut)])
    with opened(path) as journal:
        again = History(day())
        for event in journal.events:
            again.take(event)
        assert again.day == days[len(journal.events)]
        journal.append(enter(1e6))
    with opened(path) as journal:
        assert journal.events[-1] == enter(1e6)


@given(st.builds(Event, act=st.sampled_from(Act), at_s=st.floats(0, 1e9), entry=st.integers(),
                 racer=st.text(), model=st.text(), identity=st.text(), place=st.integers(),
                 lap_s=st.none() | st.floats(0, 1e5), clean=st.booleans(), status=st.text(),
                 time_s=st.none() | st.floats(0, 1e5)))
def test_events_come_back_as_they_were(event):
    assert Event.from_json(event.to_json()) == event
    assert '\n' not in event.to_json()


@pytest.mark.parametrize('text', ['', '[]', '{}', '{"act": "fly", "at_s": 1}', '{"act": "lap"}',
                                  '{"act": "lap", "at_s": "now"}', '{"act": "lap", "at_s": -1}',
                                  '{"act": "lap", "at_s": NaN}',
                                  '{"act": "lap", "at_s": 1, "x": 1}'])
def test_what_is_no_event_is_refused(text):
    with pytest.raises(ConfigError, match='allowed'):
        Event.from_json(text)


def test_a_run_by_hand():
    now = played((Act.CALL, 1.0), (Act.START, 10.0), (Act.LAP, 20.0), (Act.OFF_TRACK, 22.0),
                 (Act.COLLISION, 25.0), (Act.LAP, 32.0), (Act.LAP, 41.5)).day
    assert now.phase is Phase.OVER
    result = now.run.result('Ada', 'sha256:0', now.rules)
    assert result.lap_times_s == (10.0, 19.0, 9.5)  # 12 s, and 2 and 5 s of penalties
    assert result.lap_clean == (True, False, True)
    assert result.time_s == 38.5 and result.completion == 1.0
    assert result.incidents == {'off_track': 1, 'crashed': 1}
    assert result.status == 'lap_complete'


def test_a_lap_after_the_time_limit_does_not_count():
    run = played((Act.CALL, 0.0), (Act.START, 0.0), (Act.LAP, 60.0), (Act.LAP, 100.5)).day.run
    assert (len(run.laps), run.status, run.time_s) == (1, 'time_up', 100.0)


def test_more_incidents_than_the_rules_allow_end_the_run():
    rules = RaceRules(laps=3, resets=1)
    run = played((Act.CALL, 0.0), (Act.START, 0.0), (Act.OFF_TRACK, 3.0), (Act.COLLISION, 5.0),
                 rules=rules).day.run
    assert run.status == 'crashed' and run.time_s == 7.0 and run.laps == ()


def test_a_key_pressed_twice_is_no_lap():
    history = played((Act.CALL, 0.0), (Act.START, 0.0), (Act.LAP, 9.0))
    with pytest.raises(RefusedActError, match=r'0\.30 s is a key pressed twice; allowed: 1 s'):
        history.take(Event(act=Act.LAP, at_s=9.3))


def test_ending_by_mistake_is_undone_and_the_clock_never_stopped():
    history = played((Act.CALL, 0.0), (Act.START, 0.0), (Act.LAP, 9.0), (Act.END, 12.0))
    history.take(Event(act=Act.UNDO, at_s=13.0))
    history.take(Event(act=Act.LAP, at_s=19.5))
    assert [lap.time_s for lap in history.day.run.laps] == [9.0, 10.5]


def test_what_another_clock_has_timed_cannot_be_undone():
    history = played((Act.CALL, 0.0), (Act.START, 0.0), by_hand=False)
    history.take(Event(act=Act.LAP, at_s=9.0, lap_s=8.9, clean=False))
    with pytest.raises(RefusedActError, match='timed automatically'):
        history.take(Event(act=Act.UNDO, at_s=9.1))
    history.take(Event(act=Act.END, at_s=20.0, status='time_up', time_s=19.0))
    assert history.day.run.laps[0].time_s == 8.9 and history.day.run.time_s == 19.0


def test_what_is_declared_stays():
    history = played((Act.CALL, 0.0), (Act.START, 0.0), (Act.END, 3.0), (Act.DECLARE, 4.0))
    assert history.day.outcomes[0].run.status == 'park'
    with pytest.raises(RefusedActError, match='declared'):
        history.take(Event(act=Act.UNDO, at_s=5.0))
    with pytest.raises(RefusedActError, match='nobody is called to the start; possible when'):
        history.take(Event(act=Act.LAP, at_s=5.0))


def test_skipped_goes_to_the_end_and_the_queue_can_be_ordered():
    history = played((Act.CALL, 0.0), (Act.SKIP, 1.0))
    assert history.day.queue == (2, 1)
    history.take(Event(act=Act.MOVE, at_s=2.0, entry=1, place=0))
    assert history.day.queue == (1, 2)
    history.take(Event(act=Act.WITHDRAW, at_s=3.0, entry=1))
    with pytest.raises(RefusedActError, match='entry 1 does not wait; allowed: 2'):
        history.take(Event(act=Act.MOVE, at_s=4.0, entry=1))


def test_two_race_days_do_not_share_a_journal(tmp_path):
    with opened(tmp_path / 'day.jsonl'), pytest.raises(RacerError, match='runs already'), opened(
            tmp_path / 'day.jsonl'):
        pass


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / 'day.jsonl'
    path.write_text(f'{enter().to_json()}\nnonsense\n')
    with pytest.raises(ConfigError, match=r'day\.jsonl, line 2: event is'), opened(path):
        pass

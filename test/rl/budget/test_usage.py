"""What a run takes falls into quarters of an hour; months in any zone are made of whole ones."""

import datetime
import math
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.budget.ledger import Ledger
from racer_rl.budget.periods import Period, span_of
from racer_rl.budget.prices import Rate
from racer_rl.budget.usage import QUARTER_S, Tally, spread

ZONES = ('UTC', 'Europe/Berlin', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Eucla',
         'Australia/Lord_Howe', 'Pacific/Chatham', 'America/St_Johns', 'America/Havana',
         'Asia/Beirut', 'Pacific/Kiritimati', 'Pacific/Apia', 'Antarctica/Troll')
"""With half and quarter hours, summer time of half an hour and of two, and midnights that are not
there or come twice."""

RATE = Rate(machine='here', currency='EUR', per_wall_s=1e-3, per_cpu_s=2e-3, idle_w=15.0,
            busy_core_w=10.0, date='2026-11-26', why='a test')

MOMENTS = st.floats(datetime.datetime(2015, 1, 1, tzinfo=datetime.UTC).timestamp(),
                    datetime.datetime(2037, 1, 1, tzinfo=datetime.UTC).timestamp())

zones = st.sampled_from(ZONES).map(ZoneInfo)


def close(value):
    return pytest.approx(value, rel=1e-9, abs=1e-6)


@given(end_s=MOMENTS, duration_s=st.floats(0.0, 5 * QUARTER_S))
def test_a_stretch_falls_into_quarters_whole(end_s, duration_s):
    shares = spread(end_s, duration_s)
    assert math.fsum(share for _, share in shares) == pytest.approx(1.0)
    assert all(share > 0.0 for _, share in shares)
    for quarter, share in shares:
        begin = max(end_s - duration_s, quarter * QUARTER_S)
        inside_s = min(end_s, (quarter + 1) * QUARTER_S) - begin
        assert share * duration_s == pytest.approx(inside_s, abs=1e-3)


@given(period=st.sampled_from([Period.MONTHLY, Period.QUARTERLY, Period.ANNUAL]), now_s=MOMENTS,
       zone=zones)
def test_spans_follow_one_another_without_gaps_and_begin_with_quarters(period, now_s, zone):
    span = span_of(period, now_s, zone)
    assert span.begin_s <= now_s < span.end_s
    assert span.begin_s % QUARTER_S == span.end_s % QUARTER_S == 0.0
    following = span_of(period, span.end_s, zone)
    assert following.begin_s == span.end_s and following.name != span.name
    assert span_of(period, span.begin_s - 1.0, zone).end_s == span.begin_s
    first = datetime.datetime.fromtimestamp(span.begin_s, zone)
    before = datetime.datetime.fromtimestamp(span.begin_s - 1.0, zone)
    assert first.day == 1 and before.month != first.month


def test_the_zone_of_the_machine_counts_if_no_other_is_named(monkeypatch):
    now_s = datetime.datetime(2026, 10, 31, 20, 0, tzinfo=datetime.UTC).timestamp()
    monkeypatch.setenv('TZ', 'Asia/Kathmandu')
    try:
        time.tzset()
        here = span_of(Period.MONTHLY, now_s)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert here == span_of(Period.MONTHLY, now_s, ZoneInfo('Asia/Kathmandu'))
    assert here.name == '2026-11'  # there, while it is October in UTC


# One run: where the wall clock begins, then by how much both clocks go on, by how much somebody
# sets the wall clock before the next look, and how many seconds of a core were taken.
looks = st.tuples(st.floats(0.0, 2000.0), st.one_of(st.just(0.0), st.floats(-1e7, 1e7)),
                  st.floats(0.0, 4000.0))


@st.composite
def month_end(draw):
    """A moment within an hour of the end of a month in some zone."""
    span = span_of(Period.MONTHLY, draw(MOMENTS), draw(zones))
    return span.end_s + draw(st.floats(-3600.0, 3600.0))


runs = st.lists(st.tuples(st.one_of(month_end(), MOMENTS), st.lists(looks, max_size=8),
                          st.booleans()), min_size=1, max_size=4)


@given(runs=runs, zone=zones, data=st.data())
@settings(max_examples=60)
def test_periods_sum_up_to_the_runs_whatever_the_clocks_do(run_of, runs, zone, data):
    """Several runs at once, clocks set, months ending, some killed: nothing is lost or doubled."""
    ledger = Ledger(Path(':memory:'))
    tallies = [Tally(RATE, 100.0, energy_measured=False) for _ in runs]
    states = [[100.0, wall_s, 0.0] for wall_s, _, _ in runs]
    expected = [0.0, 0.0]
    monthly = {}
    order = [index for index, (_, beats, _) in enumerate(runs) for _ in beats]
    queues = [list(beats) for _, beats, _ in runs]
    for index in data.draw(st.permutations(order)):
        passed_s, jump_s, worked_s = queues[index].pop(0)
        state = states[index]
        state[0], state[1], state[2] = state[0] + passed_s, state[1] + passed_s, \
            state[2] + worked_s
        tallies[index].add(state[0], state[1], cpu_s=state[2], memory_bytes=1, energy_j=None,
                           sharing=1)
        expected[0] += passed_s
        expected[1] += worked_s
        note_overlap(monthly, state[1] - passed_s, state[1], zone)
        state[1] += jump_s
        if data.draw(st.booleans()):
            write(ledger, run_of, index, tallies[index], None, twice=data.draw(st.booleans()))
    for index, (_, _, killed) in enumerate(runs):
        write(ledger, run_of, index, tallies[index], None if killed else 'then', twice=False)

    by_run = [sums for _, sums in ledger.runs()]
    assert math.fsum(sums.wall_s for sums in by_run) == close(expected[0])
    assert math.fsum(sums.cpu_s for sums in by_run) == close(expected[1])
    spent = [tally.spent for tally in tallies]
    assert math.fsum(sums.money for sums in by_run) == close(
        math.fsum(each.money.amount for each in spent))
    first = ledger.first_quarter()
    if first is not None:
        compare_months(ledger, monthly, first * QUARTER_S, zone, expected[0])
    ledger.close()


def write(ledger, run_of, index, tally, ended, *, twice):
    usage = tally.unwritten()
    for _ in range(1 + twice):
        ledger.write(run_of(str(index), ended=ended), usage)
    tally.written(usage)


def note_overlap(monthly, begin_s, end_s, zone):
    """Add a stretch to the months it is in, without quarters."""
    while begin_s < end_s:
        month = span_of(Period.MONTHLY, begin_s, zone)
        until_s = min(end_s, month.end_s)
        monthly[month.begin_s] = monthly.get(month.begin_s, 0.0) + until_s - begin_s
        begin_s = until_s


def compare_months(ledger, monthly, first_s, zone, wall_s):
    total_s, months = 0.0, 0
    month = span_of(Period.MONTHLY, min([first_s, *monthly]), zone)
    while total_s < wall_s - 1e-3 and months < 400:
        got_s = math.fsum(sums.wall_s for sums in ledger.by_model(month.begin_s, month.end_s))
        assert got_s == pytest.approx(monthly.get(month.begin_s, 0.0), abs=1e-3)
        total_s, months = total_s + got_s, months + 1
        month = span_of(Period.MONTHLY, month.end_s, zone)
    assert total_s == pytest.approx(wall_s, abs=1e-2)


def test_who_shares_a_machine_pays_its_part_of_it_and_all_of_the_own_cores():
    alone, shared = (Tally(RATE, 0.0, energy_measured=False) for _ in range(2))
    for tally, sharing in ((alone, 1), (shared, 2)):
        tally.add(10.0, 1e9, cpu_s=5.0, memory_bytes=7, energy_j=None, sharing=sharing)
    assert alone.spent.money.amount == pytest.approx(10 * 1e-3 + 5 * 2e-3)
    assert shared.spent.money.amount == pytest.approx(5 * 1e-3 + 5 * 2e-3)
    assert alone.spent.energy_j == pytest.approx(10 * 15 + 5 * 10)
    assert shared.spent.energy_j == pytest.approx(5 * 15 + 5 * 10)
    assert shared.spent.wall_s == 10.0 and shared.spent.peak_memory_bytes == 7


def test_readings_that_go_back_take_nothing_away():
    tally = Tally(RATE, 0.0, energy_measured=False)
    tally.add(10.0, 1e9, cpu_s=5.0, memory_bytes=7, energy_j=None, sharing=1)
    tally.add(9.0, 1e9, cpu_s=4.0, memory_bytes=3, energy_j=None, sharing=1)
    tally.add(11.0, 1e9, cpu_s=6.0, memory_bytes=3, energy_j=None, sharing=1)
    assert (tally.spent.wall_s, tally.spent.cpu_s) == (11.0, 6.0)
    assert tally.spent.peak_memory_bytes == 7


def test_what_grew_while_it_was_written_is_written_again():
    tally = Tally(RATE, 0.0, energy_measured=False)
    tally.add(1.0, 1e9, cpu_s=1.0, memory_bytes=1, energy_j=None, sharing=1)
    usage = tally.unwritten()
    tally.add(2.0, 1e9, cpu_s=1.0, memory_bytes=1, energy_j=None, sharing=1)
    tally.written(usage)
    again = tally.unwritten()
    assert [each.wall_s for each in again.values()] == [2.0]
    tally.written(again)
    assert tally.unwritten() == {}


def test_energy_without_watts_is_not_known():
    rented = Rate(machine='big', currency='EUR', per_wall_s=1.0, per_cpu_s=0.0, idle_w=None,
                  busy_core_w=None, date='2026-11-26', why='a test')
    tally = Tally(rented, 0.0, energy_measured=False)
    tally.add(1.0, 1e9, cpu_s=1.0, memory_bytes=1, energy_j=None, sharing=1)
    assert tally.spent.energy_j is None and tally.spent.money.amount == 1.0
    measured = Tally(rented, 0.0, energy_measured=True)
    measured.add(1.0, 1e9, cpu_s=1.0, memory_bytes=1, energy_j=42.0, sharing=1)
    assert measured.spent.energy_j == 42.0 and measured.spent.energy_measured

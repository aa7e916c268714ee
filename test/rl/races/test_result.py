"""Results: files that come back as they went, and races that are driven again to check them."""

import dataclasses
import itertools
import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.races.entrants import Entrant
from racer_rl.races.plan import RacePlan
from racer_rl.races.result import EntryResult, RaceResult
from racer_rl.races.run import run_race
from racer_rl.races.verify import verify
from racer_sim.race_format import Bots, Obstacles, RaceFormat
from racer_sim.randomization import DEFAULT, NONE
from racer_sim.rules import RaceRules, Status
from racer_vehicle.errors import ConfigError

SECONDS = st.floats(0.0, 1e6)
DIGESTS = st.text('0123456789abcdef', min_size=64, max_size=64)
FORMATS = st.sampled_from((
    RaceFormat(), RaceFormat(cars=8), RaceFormat(bots=Bots(count=2, fastest_mps=0.9)),
    RaceFormat(obstacles=Obstacles(count=2, places=((0.1, 1), (0.75, -1))))))
ENTRIES = st.builds(
    EntryResult, name=st.text(min_size=1, max_size=20), identity=DIGESTS.map('sha256:{}'.format),
    status=st.sampled_from([status.label for status in Status]), completion=st.floats(0.0, 1.0),
    time_s=SECONDS, lap_times_s=st.lists(SECONDS, max_size=4).map(tuple),
    lap_clean=st.lists(st.booleans(), max_size=4).map(tuple),
    incidents=st.dictionaries(st.sampled_from(('crashed', 'off_track')), st.integers(1, 99)),
    overtakes=st.integers(-99, 99), failure=st.text(max_size=30))
RESULTS = st.builds(
    RaceResult, entries=st.lists(ENTRIES, min_size=1, max_size=4).map(tuple),
    track_sha256=DIGESTS, trace_sha256=DIGESTS,
    versions=st.dictionaries(st.text(string.ascii_lowercase, min_size=1), st.text()),
    plan=st.builds(
        RacePlan, track=st.text(min_size=1), direction=st.sampled_from(('forward', 'reverse')),
        format=FORMATS, seed=st.integers(0, 2**63 - 1),
        randomization=st.sampled_from((NONE, DEFAULT)),
        rules=st.builds(RaceRules, laps=st.integers(1, 100), resets=st.integers(0, 10_000))))


@settings(max_examples=40)
@given(RESULTS)
def test_a_result_comes_back_as_it_went(result):
    assert RaceResult.from_json(result.to_json()) == result


@settings(max_examples=40)
@given(RESULTS)
def test_who_drove_all_laps_is_placed_before_who_did_not(result):
    placing = result.placing
    assert sorted(map(id, placing)) == sorted(map(id, result.entries))
    for before, after in itertools.pairwise(placing):
        assert before.finished >= after.finished
        if before.finished and after.finished:
            assert before.time_s <= after.time_s
        if not before.finished:
            assert before.completion >= after.completion


@pytest.fixture(scope='module')
def driven(brain):
    """A race of a policy and a bot, and the policy."""
    bundle = brain()
    plan = RacePlan(track='oval', format=RaceFormat(cars=2),
                    rules=RaceRules(laps=1, resets=5, time_limit_s=15.0))
    return run_race(plan, [Entrant(name='one', bundle=bundle), Entrant(name='two', bot='slow')]
                    ), bundle


def test_the_same_race_is_the_same(driven, tmp_path):
    result, bundle = driven
    result.write(tmp_path / 'race.json')
    checked = verify(RaceResult.read(tmp_path / 'race.json'), {bundle.sha256: bundle})
    assert checked.is_same
    assert checked.versions == ()


def test_every_changed_digit_is_found(driven):
    result, bundle = driven
    first = result.entries[0]
    changes = {'time_s': first.time_s + 1e-9, 'completion': first.completion / 2.0,
               'incidents': {}, 'status': 'lap_complete', 'overtakes': 7}
    for name, value in changes.items():
        claimed = dataclasses.replace(result, entries=(
            dataclasses.replace(first, **{name: value}), *result.entries[1:]))
        differences = verify(claimed, {bundle.sha256: bundle}).differences
        assert len(differences) == 1
        assert differences[0].startswith(f'one: {name} was ')


def test_another_seed_track_or_version_is_told_apart(driven):
    result, bundle = driven
    bundles = {bundle.sha256: bundle}
    seed = dataclasses.replace(result, plan=dataclasses.replace(result.plan, seed=1))
    assert any('states of the cars' in line for line in verify(seed, bundles).differences)
    track = dataclasses.replace(result, track_sha256='0' * 64,
                                versions={**result.versions, 'numpy': '1.0'})
    checked = verify(track, bundles)
    assert checked.differences[0].startswith("track 'oval' is another one here")
    assert checked.versions == (('numpy', '1.0', result.versions['numpy']),)


def test_a_policy_that_is_not_here_is_asked_for(driven, brain):
    result, _ = driven
    other = brain((0.1, 0.1))
    with pytest.raises(ConfigError, match=r"the policy of 'one'.*is not here; give its file"):
        verify(result, {other.sha256: other})


def test_what_is_no_result_is_refused(driven, tmp_path):
    result, _ = driven
    content = json.loads(result.to_json())
    for change, words in (
        ({'format': 2}, 'has format 2; allowed: 1'), ({'trace_sha256': 'x'}, '64 hexadecimal'),
        ({'winner': 'me'}, 'has unknown winner'), ({'entries': 3}, r'entries is 3; allowed: a'),
    ):
        with pytest.raises(ConfigError, match=words):
            RaceResult.from_json(json.dumps({**content, **change}))
    with pytest.raises(ConfigError, match='cannot read'):
        RaceResult.read(tmp_path / 'none.json')
    (tmp_path / 'long.json').write_bytes(b' ' * 4_000_001)
    with pytest.raises(ConfigError, match='more than 4000000 bytes'):
        RaceResult.read(tmp_path / 'long.json')

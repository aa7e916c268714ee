"""Ranges that an episode draws from: what they hold, what they refuse, where they come from."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_sim.randomization import (
    DEFAULT,
    NAMES,
    NONE,
    PROFILES,
    STRONG,
    Randomization,
    as_plain,
    find_randomization,
    randomization_from,
)
from racer_vehicle.errors import ConfigError, UnknownNameError

FIELDS = {item.name: item.metadata for item in fields(Randomization)}


@st.composite
def ranges(draw):
    """Any randomisation that is allowed."""
    chosen = {}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        ends = st.floats(FIELDS[name]['low'], FIELDS[name]['high'])
        chosen[name] = tuple(sorted((draw(ends), draw(ends))))
    return Randomization(**chosen)


@given(ranges())
def test_plain_data_brings_the_same_ranges_back(drawn):
    assert randomization_from(json.loads(json.dumps(as_plain(drawn)))) == drawn


def test_profiles_hold_one_another():
    """What the default draws, the strong one draws too, and the car as specified is in both."""
    for name in NAMES:
        neutral, _ = getattr(NONE, name)
        low, high = getattr(DEFAULT, name)
        lowest, highest = getattr(STRONG, name)
        assert lowest <= low <= neutral <= high <= highest, name
    assert NONE.is_neutral and not DEFAULT.is_neutral


def test_profiles_are_found_by_name():
    assert {name: find_randomization(name) for name in PROFILES} == PROFILES
    with pytest.raises(UnknownNameError, match=r"unknown randomization 'storng'; did you mean "
                                               r'strong\?'):
        find_randomization('storng')


def test_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / 'mine.json'
    path.write_text(json.dumps({'profile': 'default', 'friction': [0.5, 0.6], 'noise': [3, 3]}))
    assert find_randomization(str(path)) == replace(DEFAULT, friction=(0.5, 0.6), noise=(3, 3))
    path.write_text(json.dumps({'noise': [1.0, 2.0]}))
    assert find_randomization(str(path)) == Randomization(noise=(1.0, 2.0))


@pytest.mark.parametrize(('text', 'message'), [
    ('{"frction": [1, 1]}', r"unknown range of randomization 'frction'; did you mean friction\?"),
    ('{"friction": [1.5, 1.0]}', r'randomization friction is \(1.5, 1.0\); allowed: two numbers '
                                 r'\[lowest, highest\] from 0.2 to 2.'),
    ('{"friction": 1.0}', r'randomization friction is 1.0; allowed: two numbers'),
    ('{"friction": [1.0, NaN]}', r'randomization friction is \(1.0, nan\); allowed'),
    ('{"slope": [0, 5]}', r'randomization slope is \(0, 5\); allowed: .* from 0 to 0.2'),
    ('[1]', r'holds list; allowed: one object'),
    ('{', r'cannot read .*; give a JSON file'),
])
def test_a_wrong_file_is_refused(tmp_path, text, message):
    path = tmp_path / 'mine.json'
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        find_randomization(str(path))

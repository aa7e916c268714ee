"""Parameter files keep their comments and types, and are YAML that says what was meant."""

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given

from racer_rl.deployment.parameter_files import ParameterFile, assignments
from racer_vehicle.errors import ConfigError, UnknownNameError

TEXT = """\
# A node.
/**:
  ros__parameters:
    driver: v4l2               # v4l2, fake
    lens: ''                   # a file; '': none

    rate_hz: 15.0
    i2c_address: 64            # 0x40
    enabled: false             # a person does
"""


def parameters(text):
    return yaml.safe_load(text)['/**']['ros__parameters']


def test_values_are_read_with_their_types():
    assert ParameterFile('node.yaml', TEXT).values == parameters(TEXT)


@pytest.mark.parametrize('node', ['camera', 'lidar', 'motor', 'inference'])
def test_the_projects_own_files_are_read_as_yaml_does(repository, node):
    text = (repository / 'config' / f'{node}.yaml').read_text('utf-8')
    assert ParameterFile(node, text).values == parameters(text)
    assert ParameterFile(node, text).text == text


def test_a_change_keeps_comments_columns_and_everything_else():
    file = ParameterFile('node.yaml', TEXT)
    file.set('driver', 'fake')
    file.set('lens', '/opt/racer/current/config/lens.yaml')
    file.set('rate_hz', 30)
    assert file.text == TEXT.replace('driver: v4l2               #', 'driver: fake               #'
                                     ).replace("lens: ''                   #",
                                               'lens: /opt/racer/current/config/lens.yaml  #'
                                               ).replace('15.0', '30.0')


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF,
                             exclude_characters="'\x7f\x85"), max_size=30))
def test_any_text_comes_back_as_it_was(value):
    file = ParameterFile('node.yaml', TEXT)
    file.set('driver', value)
    file.add('name', value)
    found = parameters(file.text)
    assert (found['driver'], found['name']) == (value, value)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(-10**9, 10**9),
       st.booleans())
def test_any_number_comes_back_as_it_was(rate_hz, address, enabled):
    file = ParameterFile('node.yaml', TEXT)
    file.set('rate_hz', rate_hz)
    file.set('i2c_address', address)
    file.set('enabled', enabled)
    assert ParameterFile('node.yaml', file.text).values == file.values
    found = parameters(file.text)
    # YAML 1.1 takes 1e+16 for a text, and ROS's reader does not; both take what has a dot.
    assert float(found['rate_hz']) == rate_hz
    assert (found['i2c_address'], found['enabled']) == (address, enabled)


@pytest.mark.parametrize(('name', 'value', 'words'), [
    ('i2c_address', 'x', "i2c_address is 'x'; allowed: int, e.g. 64"),
    ('enabled', 1, 'enabled is 1; allowed: bool'),
    ('rate_hz', True, 'rate_hz is True; allowed: float'),
])
def test_another_type_is_refused(name, value, words):
    with pytest.raises(ConfigError, match=words):
        ParameterFile('node.yaml', TEXT).set(name, value)


def test_an_unknown_parameter_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match='did you mean driver'):
        ParameterFile('node.yaml', TEXT).set('drivr', 'fake')


@pytest.mark.parametrize('line', ['    a: [1, 2]', '  driver: fake', '    driver fake', 'a: 1',
                                  '    nested:', "    a: 'un"])
def test_another_layout_is_refused_by_its_line(line):
    with pytest.raises(ConfigError, match=r'node\.yaml:10: .*one parameter a line'):
        ParameterFile('node.yaml', TEXT + line)


def test_assignments_are_read_with_their_types():
    assert assignments(('a.b=0x', 'c=1', 'd=1.5', 'e=true', 'f=x=y', 'g='), '--set') == {
        'a.b': '0x', 'c': 1, 'd': 1.5, 'e': True, 'f': 'x=y', 'g': ''}
    with pytest.raises(ConfigError, match="--set is 'a'; allowed: NAME=VALUE"):
        assignments(('a',), '--set')

"""`racer keys`, through the command line as a person types it."""

import json
import stat

import pytest

from racer_rl.cli.main import run
from racer_rl.store.keys import find_private_key
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.signing import TrustedKeys, sign

pytestmark = pytest.mark.usefixtures('racer_home')


@pytest.fixture
def racer(capsys):
    """Run a command line; gives back exit code, output and errors."""

    def call(*words):
        code = run(['keys', *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_a_new_key_signs_what_a_car_with_its_public_half_drives(racer, racer_home, toy, tmp_path):
    code, out, _ = racer('new', 'me')
    private, public = racer_home / 'keys' / 'me.pem', racer_home / 'keys' / 'me.pub.pem'
    assert code == 0
    assert str(private) in out and str(public) in out
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    (tmp_path / 'car').mkdir()
    (tmp_path / 'car' / 'me.pub.pem').write_bytes(public.read_bytes())
    trusted = TrustedKeys.read(tmp_path / 'car')
    for name in ('me', str(private)):
        trusted.require_signed(sign(toy(), find_private_key(name)))


def test_show_gives_the_id_in_groups_and_the_public_half(racer, racer_home):
    racer('new', 'me')
    key_id = find_private_key('me').key_id
    _, out, _ = racer('show', 'me')
    assert ' '.join(key_id[k:k + 4] for k in range(0, 32, 4)) in out
    assert (racer_home / 'keys' / 'me.pub.pem').read_text() in out
    _, out, _ = racer('show', 'me', '--json')
    assert json.loads(out)['key_id'] == key_id
    assert 'PRIVATE' not in out


def test_list_tells_which_can_sign_here(racer, racer_home):
    assert racer('list') == (0, '', 'There is no key yet. Make one: racer keys new NAME\n')
    racer('new', 'me')
    racer('new', 'friend')
    (racer_home / 'keys' / 'friend.pem').unlink()
    rows = {row['name']: row['can_sign'] for row in json.loads(racer('list', '--json')[1])}
    assert rows == {'friend': False, 'me': True}
    assert [line.split()[-1] for line in racer('list')[1].splitlines()] == ['here', 'no', 'yes']


def test_a_second_key_of_a_name_is_refused_and_the_first_stays(racer):
    racer('new', 'me')
    before = find_private_key('me').key_id
    code, _, err = racer('new', 'me')
    assert code == 2
    assert 'already' in err
    assert find_private_key('me').key_id == before


@pytest.mark.parametrize('name', ['', '../me', 'a b', '.hidden', 'a.pub'])
def test_names_that_are_no_file_names(racer, name):
    code, _, err = racer('new', name)
    assert code == 2
    assert 'allowed: letters, digits' in err


def test_unknown_keys_are_told_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown key 'me'; there is none yet\. Make one:"):
        find_private_key('me')
    assert run(['keys', 'new', 'me']) == 0
    with pytest.raises(UnknownNameError, match=r"unknown key 'mee'; did you mean me\?"):
        find_private_key('mee')
    with pytest.raises(ConfigError, match='cannot read key'):
        find_private_key('./none.pem')

"""A kernel that calls another one is made again when only the other one has changed."""

import os
import subprocess
import sys

import pytest

from racer_sim.kernels import forget_stale

FIRST = 'from numba import njit\n@njit(cache=True)\ndef one():\n    return {}\n'
SECOND = ('from numba import njit\nfrom first import one\n'
          '@njit(cache=True)\ndef two():\n    return 10 * one()\n')


@pytest.fixture
def code(tmp_path):
    (tmp_path / 'second.py').write_text(SECOND)
    return tmp_path


def result(code, number):
    """What the calling kernel gives in a process of its own, once the called one says `number`."""
    (code / 'first.py').write_text(FIRST.format(number))
    ns = 10**18 + number * 10**9
    os.utime(code / 'first.py', ns=(ns, ns))
    environment = {key: value for key, value in os.environ.items() if key != 'NUMBA_CACHE_DIR'}
    done = subprocess.run([sys.executable, '-c', 'from second import two; print(two())'], cwd=code,
                          env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_what_an_update_left_behind_is_forgotten(code):
    kept = (code / '__pycache__',)
    assert result(code, 1) == 10
    assert forget_stale(code, kept) == 0
    # So numba would have it.
    assert result(code, 2) == 10
    os.utime(code / 'first.py')
    assert forget_stale(code, kept) == 2
    assert result(code, 3) == 30


def test_where_nothing_is_kept_nothing_is_forgotten(code, tmp_path):
    assert forget_stale(code, (tmp_path / 'nowhere',)) == 0
    assert forget_stale(tmp_path / 'nowhere', (code,)) == 0

"""Bundles are loaded beside the driving, the newest counts, and a refusal says why."""

import hashlib
import threading

import pytest

from racer_vehicle import policy_loader
from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.policy_loader import PolicyLoader, load_policy, require_digest
from racer_vehicle.spec import CarSpec

PATIENCE_S = 20.0


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def loader():
    done = threading.Semaphore(0)
    loader = PolicyLoader(CarSpec(), done.release)
    loader.done = done
    yield loader
    loader.close()


def test_a_refusal_comes_out_of_take_once(loader):
    assert loader.take() is None
    loader.submit(b'no bundle', digest(b'no bundle'))
    assert loader.done.acquire(timeout=PATIENCE_S)
    with pytest.raises(ModelMismatchError, match='zip archive'):
        loader.take()
    assert loader.take() is None


def test_of_those_that_wait_only_the_newest_is_loaded(loader, monkeypatch):
    busy, begun, seen = threading.Event(), threading.Event(), []

    def slow(content, car, trusted):
        seen.append(content)
        begun.set()
        busy.wait(PATIENCE_S)
        return content

    monkeypatch.setattr(policy_loader, 'load_policy', slow)
    for content in (b'1', b'2', b'3'):
        loader.submit(content, digest(content))
        assert begun.wait(PATIENCE_S)
    busy.set()
    for _ in range(2):
        assert loader.done.acquire(timeout=PATIENCE_S)
    assert seen == [b'1', b'3']
    assert loader.take() == b'3'


def test_closing_waits_for_the_thread_and_later_bundles_start_another(loader):
    loader.submit(b'x', digest(b'x'))
    loader.close()
    loader.done.acquire(blocking=False)
    assert not loader.done.acquire(timeout=0.1), 'silence after closing'
    loader.submit(b'y', digest(b'y'))
    assert loader.done.acquire(timeout=PATIENCE_S)


def test_bytes_must_be_those_that_were_meant():
    require_digest(b'abc', digest(b'abc'))
    with pytest.raises(ModelMismatchError, match='allowed by its sender: none was given'):
        require_digest(b'abc', '')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelMismatchError, match=r'none\.racer.*No such file'):
        load_policy(tmp_path / 'none.racer', CarSpec())

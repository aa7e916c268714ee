"""Layouts for the tests beside this file, which pytest's import mode does not let them import."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope='session')
def layouts():
    """The module of folders as the community has them."""
    spec = importlib.util.spec_from_file_location(
        'trace_layouts', Path(__file__).with_name('layouts.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Tests on a real Gazebo; where there is none they say so and test nothing.

    python -m pytest test/gazebo
"""

import shutil
from pathlib import Path

import pytest

from racer_sim.gazebo.transport import GazeboError, bindings


def missing():
    """What of Gazebo is not here; empty: nothing."""
    if shutil.which('gz') is None:
        return 'gz is not installed'
    try:
        bindings()
    except GazeboError as error:
        return str(error)
    return ''


def pytest_collection_modifyitems(items):
    what = missing()
    for item in items:
        if what and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f'NOT TESTED on Gazebo: {what}'))

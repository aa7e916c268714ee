"""Tests on a real Gazebo; where there is none they say so and test nothing.

    python -m pytest test/gazebo
"""

import pytest


@pytest.fixture(scope='session', autouse=True)
def only_on_gazebo(gazebo_here):
    """Of the whole folder."""

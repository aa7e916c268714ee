"""What things are called in Gazebo: worlds, models, topics and services."""

from __future__ import annotations

from typing import Final

WORLD: Final = 'racer'
CONTROL: Final = f'/world/{WORLD}/control'
"""Pauses and steps."""

SET_POSES: Final = f'/world/{WORLD}/set_pose_vector/blocking'
"""Puts several models somewhere."""

SET_POSE: Final = f'/world/{WORLD}/set_pose/blocking'
"""Puts a model somewhere; it keeps its velocity."""

ACTUATORS: Final = 'sim/actuators'
"""What the car's joints are to do: four wheel speeds and a steering angle."""

TRUTH: Final = 'sim/truth'
"""Odometry of each physics step, which also tells that the step is done."""

BUMPER: Final = 'sim/contacts'


def model_name(namespace: str) -> str:
    """The model of the car of a namespace."""
    return namespace or 'car'


def guest_name(number: int) -> str:
    """The model of a box or bot that is moved, by its number from 0."""
    return f'guest_{number}'


def gz_topic(namespace: str, name: str) -> str:
    """A topic of a car: the name it has in ROS, from the root.

    Args:
        namespace: Of the car.
        name: Of the contract, or of this module.
    """
    return '/'.join(('', namespace, name)) if namespace else f'/{name}'

"""A track as a Gazebo world: a folder with an SDF file and the picture of the ground.

It is the picture that the embedded camera walks over. Everything is shown in its own colour,
whatever the light: the ground, the field around it, the sky, and boxes and cars with the embedded
camera's shades, so that the two simulators' images can be compared pixel by pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2

from racer_sim.bodies import Box
from racer_sim.courses import Course
from racer_sim.gazebo.car_model import STEP_S, car_model
from racer_sim.gazebo.sdf import (
    Element,
    box,
    document,
    linear,
    plugin,
    pose,
    sdf,
    shaded_box,
    unlit,
)
from racer_sim.gazebo.topics import WORLD, guest_name
from racer_sim.ground import Ground, GroundStyle, paint_ground
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.starting_grid import grid_pose
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CarSpec, require_range
from racer_vehicle.storage import write_atomically

WORLD_FILE: Final = 'world.sdf'
TEXTURE_FILE: Final = 'ground.png'

FIELD_M: Final = 600.0
"""Side of the field around the track: further than the camera sees."""

FIELD_DEPTH_M: Final = 0.01
"""How much lower the field lies than the picture of the ground, so that the picture hides it."""

ROAD_FRICTION: Final = 1.0
"""Of the ground; of two surfaces Gazebo takes the less, and that is the tyre's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSpec:
    """What a world is made of.

    Attributes:
        course: The track, and which way the cars stand on it.
        car: Specification of all cars.
        namespaces: Of their topics, one a car.
        boxes: Obstacles and walls.
        guests: Boxes and bots that somebody moves; nothing moves them otherwise.
        style: Colours of the ground.
        sky: sRGB above the horizon; the embedded simulator's.
        start_share: Of the lap, where the first car stands.
        pace: Simulated seconds per second that Gazebo keeps to; 0: as fast as it goes.
    """

    course: Course
    car: CarSpec = field(default_factory=CarSpec)
    namespaces: tuple[str, ...] = ('',)
    boxes: tuple[Box, ...] = ()
    guests: tuple[Box, ...] = ()
    style: GroundStyle = field(default_factory=GroundStyle)
    sky: tuple[int, int, int] = SimulatorConfig().sky
    start_share: float = 0.0
    pace: float = 1.0

    def __post_init__(self) -> None:
        require_range(self, start_share=(0.0, 1.0), pace=(0.0, 100.0))
        if len(set(self.namespaces)) != len(self.namespaces):
            raise ConfigError(f'namespaces are {self.namespaces}; allowed: a different one for '
                              'each car.')


def write_world(spec: WorldSpec, folder: Path) -> Path:
    """Write a world; Gazebo finds the picture beside its SDF file, wherever the folder is.

    Args:
        spec: What it is made of.
        folder: Is made if missing; the two files in it are replaced.

    Returns:
        The SDF file.
    """
    ground = paint_ground(spec.course.track, spec.style)
    png = cv2.imencode('.png', ground.image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    write_atomically(folder / TEXTURE_FILE, png.tobytes())
    path = folder / WORLD_FILE
    write_atomically(path, world_sdf(spec, ground).encode())
    return path


def world_sdf(spec: WorldSpec, ground: Ground) -> str:
    """The SDF file.

    Args:
        spec: What the world is made of.
        ground: Its picture, by whose size and place it is laid out.
    """
    cars = [car_model(spec.car, number, namespace,
                      grid_pose(spec.course, spec.start_share, number))
            for number, namespace in enumerate(spec.namespaces)]
    boxes = [_box_model(f'{"wall" if box.is_wall else "obstacle"}_{number}', box)
             for number, box in enumerate(spec.boxes)]
    guests = [_box_model(guest_name(number), box) for number, box in enumerate(spec.guests)]
    return document(sdf('world', *_systems(spec.pace), _scene(spec.sky), _sun(),
                        _road(ground), _field(spec.style), *boxes, *guests, *cars, name=WORLD))


def _systems(pace: float) -> tuple[Element, ...]:
    """Physics, and what moves, shows and senses; a world that names one system gets no others."""
    steps = sdf('physics', sdf('max_step_size', STEP_S), sdf('real_time_factor', pace),
                name='steps', type='dart')
    engine = sdf('render_engine', 'ogre2')
    return (steps, plugin('Physics', file='physics'),
            plugin('UserCommands', file='user-commands'),
            plugin('SceneBroadcaster', file='scene-broadcaster'),
            plugin('Sensors', engine, file='sensors'), plugin('Contact', file='contact'))


def _scene(sky: tuple[int, int, int]) -> Element:
    return sdf('scene', sdf('ambient', (1.0, 1.0, 1.0, 1.0)), sdf('background', linear(sky)),
               sdf('shadows', False), sdf('grid', False))


def _sun() -> Element:
    """For whatever somebody adds to the world: all of ours is seen without."""
    return sdf('light', pose((0.0, 0.0, 10.0)), sdf('cast_shadows', False),
               sdf('diffuse', (1.0, 1.0, 1.0, 1.0)), sdf('specular', (0.0, 0.0, 0.0, 1.0)),
               sdf('direction', (0.0, 0.0, -1.0)), name='sun', type='directional')


def _road(ground: Ground) -> Element:
    """The picture of the ground, and what the wheels stand on, which has no end."""
    height_px, width_px = ground.image.shape[:2]
    width_m, height_m = width_px * ground.m_per_px, height_px * ground.m_per_px
    middle = pose((ground.x_min_m + width_m / 2, ground.y_max_m - height_m / 2, 0.0))
    black = (0.0, 0.0, 0.0, 1.0)
    glow = sdf('pbr', sdf('metal', sdf('emissive_map', TEXTURE_FILE), sdf('roughness', 1.0),
                          sdf('metalness', 0.0)))
    picture = sdf('visual', middle, _plane(width_m, height_m),
                  sdf('material', sdf('diffuse', black), sdf('specular', black), glow),
                  name='picture')
    grip = sdf('ode', sdf('mu', ROAD_FRICTION), sdf('mu2', ROAD_FRICTION))
    surface = sdf('collision', _plane(FIELD_M, FIELD_M), sdf('surface', sdf('friction', grip)),
                  name='surface')
    return sdf('model', sdf('static', True), sdf('link', surface, picture, name='link'),
               name='ground')


def _field(style: GroundStyle) -> Element:
    """The field beyond the picture's edges."""
    around = sdf('visual', _plane(FIELD_M, FIELD_M), unlit(style.field), name='around')
    return sdf('model', pose((0.0, 0.0, -FIELD_DEPTH_M)), sdf('static', True),
               sdf('link', around, name='link'), name='field')


def _plane(x_m: float, y_m: float) -> Element:
    return sdf('geometry', sdf('plane', sdf('normal', (0.0, 0.0, 1.0)), sdf('size', (x_m, y_m))))


def _box_model(name: str, standing: Box) -> Element:
    """An obstacle, a piece of a wall or a bot: static, so that nothing pushes it away."""
    size_m = standing.length_m, standing.width_m, standing.height_m
    solid = sdf('collision', pose((0.0, 0.0, standing.height_m / 2)), box(size_m), name='solid')
    link = sdf('link', solid, *shaded_box(size_m, standing.colour), name='link')
    return sdf('model', pose((standing.x_m, standing.y_m, 0.0), standing.yaw_rad),
               sdf('static', True), link, name=name)

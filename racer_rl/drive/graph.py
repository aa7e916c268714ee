"""The car's nodes, a simulator and race control, as programs with their parameters."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from racer_rl.evaluation.laps import EvaluationPlan
from racer_sim.courses import Course
from racer_sim.obstacle_places import require_room_on
from racer_sim.obstacle_words import places_text
from racer_sim.race_format import RaceFormat
from racer_sim.starting_grid import one_course
from racer_vehicle.contract import car_namespaces
from racer_vehicle.errors import ConfigError
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.policy_card import CarDimensions, PolicyCard
from racer_vehicle.spec import CameraSpec, LidarSpec, require_range
from racer_vehicle.supervise import Program

MODES: Final = ('lockstep', 'realtime')

SIMULATORS: Final = {
    'embedded': 'racer_sim.nodes.sim_node',
    'gazebo': 'racer_sim.nodes.gazebo_node',
}
"""What can be behind the `sim/*` topics, and the module that runs it."""

NODES: Final = {
    'sim': SIMULATORS['embedded'],
    'race_control': 'racer_sim.nodes.race_control_node',
    'camera': 'racer_vehicle.nodes.camera_node',
    'lidar': 'racer_vehicle.nodes.lidar_node',
    'inference': 'racer_vehicle.nodes.inference_node',
    'motor': 'racer_vehicle.nodes.motor_node',
}
"""Node to the module that runs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivePlan:
    """What to drive, and how.

    Attributes:
        bundle: File of the policy.
        track: Name or file.
        direction: `forward` or `reverse`.
        simulator: Of `SIMULATORS`.
        mode: `lockstep` or `realtime`.
        factor: Simulated seconds per second, in real time.
        judged: Laps and starts.
        race: What stands and drives around the car; head to head, all cars drive by the bundle.
    """

    bundle: Path
    track: str
    direction: str = 'forward'
    simulator: str = 'embedded'
    mode: str = 'lockstep'
    factor: float = 1.0
    judged: EvaluationPlan
    race: RaceFormat = field(default_factory=RaceFormat)

    def __post_init__(self) -> None:
        for name, known in (('mode', MODES), ('simulator', tuple(SIMULATORS))):
            given = getattr(self, name)
            if given not in known:
                raise ConfigError(f'{name} is {given!r}; allowed: {", ".join(known)}.')
        require_range(self, factor=(0.01, 100.0))
        if self.mode == 'lockstep' and self.factor != 1.0:
            raise ConfigError(f'factor is {self.factor:g} in lock-step; allowed there: none, it '
                              'is as fast as it goes; add --mode realtime.')
        if self.judged.starts % self.race.cars:
            raise ConfigError(f'starts is {self.judged.starts} in a race of {self.race.cars} '
                              f'cars; allowed: {self.race.cars}, or a multiple: each start is '
                              'one of its cars.')
        require_room_on([self.course], self.race)

    @property
    def course(self) -> Course:
        """What is driven on."""
        return one_course(self.track, self.direction)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Of the cars."""
        return car_namespaces(self.race.cars)

    @property
    def on_system_time(self) -> bool:
        """Whether time is the system's, as on a car, and not simulated.

        Gazebo stamps what it senses by its own time.
        """
        return (self.mode == 'realtime' and self.factor == 1.0
                and self.simulator == 'embedded')


def programs(plan: DrivePlan, folder: Path,
             nodes: Collection[str] = tuple(NODES)) -> tuple[Program, ...]:
    """What has to run.

    Args:
        plan: What to drive.
        folder: For the parameter files.
        nodes: Of `NODES`, those that are wanted.

    Raises:
        ModelMismatchError: The bundle cannot be used.
    """
    card = PolicyBundle.read(plan.bundle).card
    car, own = car_parameters(card), _parameters(plan, card)
    modules = NODES | {'sim': SIMULATORS[plan.simulator]}
    wanted = [('', 'sim'), *((namespace, name) for namespace in plan.namespaces
                             for name in NODES if name != 'sim')]
    found = []
    for namespace, node in wanted:
        # The simulator makes the clock and does not follow it.
        clock = {'use_sim_time': node != 'sim' and not plan.on_system_time}
        place = {'place': plan.namespaces.index(namespace)} if node == 'race_control' else {}
        name = f'{namespace}.{node}' if namespace else node
        file = write_parameters(folder, name, car | clock | own[node] | place)
        within = ('-r', f'__ns:=/{namespace}') if namespace else ()
        if node in nodes:
            found.append(Program(name=name, module=modules[node], arguments=(
                '--ros-args', '--params-file', str(file), *within)))
    return tuple(found)


def _parameters(plan: DrivePlan, card: PolicyCard) -> dict[str, dict[str, Any]]:
    """Node to its own parameters."""
    judged, rgb = plan.judged, card.observation.camera.colour == 'rgb'
    course = {'track': plan.track, 'direction': plan.direction}
    embedded = {'stamps': 'system' if plan.on_system_time else 'simulated'}
    return {
        'sim': {
            **course, 'mode': plan.mode, 'factor': plan.factor, 'seed': judged.seed,
            'image': 'rgb8' if rgb else 'mono8',
            **(embedded if plan.simulator == 'embedded' else {}),
            **_race_parameters(plan.race), 'namespaces': plan.namespaces,
        },
        'race_control': {**course, 'laps': judged.laps, 'resets': judged.resets,
                         'time_limit_s': judged.rules.time_limit_s,
                         'leaves': plan.race.cars > 1},
        'camera': {'driver': 'simulated', 'colour': 'rgb' if rgb else 'grey'},
        'lidar': {'driver': 'simulated'},
        'inference': {'bundle': str(plan.bundle), 'wait_for_scan': plan.mode == 'lockstep'},
        'motor': {'driver': 'simulated'},
    }


def _race_parameters(race: RaceFormat) -> dict[str, Any]:
    """What the simulators' nodes call what stands and drives around the car."""
    obstacles, bots = race.obstacles, race.bots
    return {
        'obstacles': obstacles.count, 'obstacle_places': places_text(obstacles.places),
        'obstacles_move': obstacles.moved, 'obstacle_gap_m': obstacles.min_gap_m,
        'bots': bots.count, 'bot_slowest_mps': bots.slowest_mps,
        'bot_fastest_mps': bots.fastest_mps, 'bots_change_lanes': bots.changes_lanes,
        'bots_steady_share': bots.steady_share,
    }


def car_parameters(card: PolicyCard) -> dict[str, float | int]:
    """The car that a policy was trained on, as every node's `car.*`, `camera.*`, `lidar.*`."""
    parts: dict[str, CarDimensions | CameraSpec | LidarSpec] = {
        'car': card.car, 'camera': card.observation.native_camera,
        'lidar': card.observation.native_lidar,
    }
    return {f'{prefix}.{item.name}': getattr(part, item.name)
            for prefix, part in parts.items() for item in dataclasses.fields(part)}


def write_parameters(folder: Path, name: str, parameters: Mapping[str, Any]) -> Path:
    """A parameter file; JSON is YAML, and keeps numbers and words apart without further rules.

    Args:
        folder: For the file.
        name: Of the node.
        parameters: Name to value.
    """
    path = folder / f'{name}.yaml'
    path.write_text(json.dumps({'/**': {'ros__parameters': dict(parameters)}}), encoding='utf-8')
    return path

"""What a model's camera sees, and which of its pixels decide how it steers.

The saliency of a pixel is how much the chosen action would change if the pixel did: the gradient
of the action's score (of a table) or of the steering (of a box) by the policy's picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from racer_rl.analysis.style import new_figure, styled
from racer_rl.envs.batch import Observation
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.store.models import ModelFolder
from racer_rl.training.acting import FEW_THREADS, deterministic_policy, torch_threads
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.policies import ActorModule, actor_module
from racer_sim.simulator import Simulator
from racer_vehicle.action import DiscreteActions

GLANCES: Final = 6
LONGEST_LAP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Glance:
    """One moment of a lap.

    Attributes:
        image: uint8 (height, width, 3), RGB, as the camera gave it.
        saliency: float64 (height, width), 0 to 1; 0 where the policy sees nothing.
        action: What the policy chose, in words.
    """

    image: NDArray[np.uint8]
    saliency: NDArray[np.float64]
    action: str


def look(folder: ModelFolder, checkpoint: str, count: int = GLANCES) -> tuple[Glance, ...]:
    """Drive a lap with a model and look at evenly spaced moments of it.

    Args:
        folder: Of a model of ours.
        checkpoint: `best` or `last`.
        count: Moments; fewer if the drive is shorter.

    Raises:
        ModelMismatchError: The checkpoint is damaged.
    """
    model = load_checkpoint(folder.checkpoint(checkpoint))[0]
    setup = folder.setup
    course = replace(setup, track=setup.tracks[0],
                     direction='forward' if setup.direction == 'both' else setup.direction)
    policy, module = deterministic_policy(model), actor_module(model)
    images: list[NDArray[np.uint8]] = []
    seen: list[tuple[Observation, NDArray[Any]]] = []

    def watch(simulator: Simulator) -> None:
        images.append(simulator.images()[0])

    def driver(observation: Observation) -> NDArray[Any]:
        chosen = policy(observation)
        seen.append((observation, chosen))
        return chosen

    plan = EvaluationPlan(laps=1, starts=1, lap_time_limit_s=LONGEST_LAP_S)
    with torch_threads(FEW_THREADS):
        evaluate(driver, course, plan, watch)
        moments = ((np.arange(count) + 0.5) / count * len(seen)).astype(np.int64)
        return tuple(_glance(images[row], seen[row][0], seen[row][1], module, course)
                     for row in np.unique(moments))


def saliency(module: ActorModule, observation: Observation) -> NDArray[np.float64]:
    """How much each pixel of the policy's picture matters to what it chooses.

    Args:
        module: What drives.
        observation: Of one car, with a leading 1.

    Returns:
        float64 (height, width) of the policy's picture, channels added, not negative.
    """
    camera = torch.from_numpy(observation['camera']).float().requires_grad_()
    lidar = observation.get('lidar')
    # Before it is limited to -1..1: at the limit the gradient of that would be nothing.
    output = module.head(module.torso(camera, None if lidar is None else torch.from_numpy(lidar)))
    score = output[0].max() if module.squash == 'none' else output[0, 0]
    (gradient,) = torch.autograd.grad(score, camera)
    return np.asarray(gradient[0].abs().sum(dim=0).double().numpy())


def _glance(image: NDArray[np.uint8], observation: Observation, chosen: NDArray[Any],
            module: ActorModule, setup: RaceSetup) -> Glance:
    """A moment with its saliency laid over the camera's own picture."""
    colours = image[:3].transpose(1, 2, 0) if setup.colour == 'rgb' else np.repeat(
        image[:1].transpose(1, 2, 0), 3, axis=2)
    height_px, width_px = colours.shape[:2]
    top_px = setup.observation.camera.crop_top_px
    small = saliency(module, observation)
    most = float(np.percentile(small, 99.5))
    spread = np.zeros((height_px, width_px))
    spread[top_px:] = cv2.resize(np.clip(small / max(most, 1e-12), 0.0, 1.0),
                                 (width_px, height_px - top_px), interpolation=cv2.INTER_LINEAR)
    steering_rad, speed_mps = setup.actions.decode(chosen)[0]
    words = f'{math.degrees(steering_rad):+.0f}°  {speed_mps:.1f} m/s'
    if isinstance(setup.actions, DiscreteActions):
        words = f'action {int(chosen[0])}: {words}'
    return Glance(np.ascontiguousarray(colours), spread, words)


@styled
def camera_figure(glances: tuple[Glance, ...]) -> Figure:
    """Moments of a lap, each with what mattered in it in colour.

    Args:
        glances: At least one.
    """
    rows = -(-len(glances) // 2)
    figure = new_figure(2.35 * rows)
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, glance in zip(panels, glances, strict=False):
        axes.imshow(glance.image, interpolation='antialiased')
        axes.imshow(glance.saliency, cmap='autumn', vmin=0.0, vmax=1.0, interpolation='bilinear',
                    alpha=0.9 * glance.saliency**1.5)
        axes.set_title(glance.action, fontweight='normal')
    return figure

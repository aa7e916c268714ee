"""A new model that begins with what another one knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.store.lineage import Kinship, Lineage, file_sha256
from racer_rl.store.locks import at_rest, present, staged
from racer_rl.store.models import ModelFolder
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.inheritance import Inheritance
from racer_rl.training.plan import TrainingPlan
from racer_rl.training.train import Training
from racer_vehicle.errors import ConfigError

_COPY: Final = '.parent.zip'


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """Whom to clone, and what to take over.

    Attributes:
        folder: The model.
        checkpoint: `best`, `last` or a number of steps.
        optimizer: Whether to take over the optimiser's state as well as the weights, where the
            clone's critic is told of the same things.
        std: As of `Inheritance`.
    """

    folder: ModelFolder
    checkpoint: str = 'best'
    optimizer: bool = True
    std: float | None = None


def clone(parent: Parent, path: Path, plan: TrainingPlan) -> ModelFolder:
    """Make a model of the parent's weights; it has been trained for no step of its own.

    Its `best` and `last` checkpoint are the parent's policy, so that it drives as the parent does;
    training it is resuming it.

    Args:
        parent: May be in training meanwhile.
        path: Folder of the new one; it appears complete, or not at all.
        plan: Of the new one.

    Raises:
        TakenError: There is a model of that name.
        BusyError: The parent is being deleted or renamed.
        ModelMismatchError: The parent has no such checkpoint, or the plan does not fit it.
        ConfigError: The disk refused.
    """
    try:
        with present(parent.folder.path), staged(path) as hidden:
            copy = hidden / _COPY
            with at_rest(parent.folder.path):
                copy.hardlink_to(parent.folder.require_checkpoint(parent.checkpoint))
            _build(parent, copy, ModelFolder(hidden), plan)
            copy.unlink()
    except OSError as error:
        raise ConfigError(
            f'cannot write {error.filename or path}: {error.strerror}; free space there, or set '
            'RACER_HOME to a folder that you may write.') from error
    return ModelFolder(path)


def _build(parent: Parent, checkpoint: Path, folder: ModelFolder, plan: TrainingPlan) -> None:
    # Critics in company are told of objects, and others are not.
    before, now = parent.folder.setup.race, plan.setup.race
    optimizer = parent.optimizer and before.has_company == now.has_company
    # Read before anything is built: reading sets the global random generators.
    model = load_checkpoint(checkpoint)[0]
    lineage = Lineage(
        kind=Kinship.CLONE, model=parent.folder.name, id=parent.folder.run.get('id', ''),
        checkpoint=parent.checkpoint, steps=model.num_timesteps, sha256=file_sha256(checkpoint),
        optimizer=optimizer)
    training = Training(folder, plan, resume=False, inherits=Inheritance(
        parent=model, optimizer=optimizer, std=parent.std))
    try:
        training.save('best')
        training.save('last')
        folder.create(plan.setup, plan.hyperparameters, training.reward, plan.seed, plan.method,
                      lineage)
    finally:
        training.close()

"""The training run: drive and learn, evaluate, keep the best, stop when it is time.

`Training.run` is the whole loop; what surrounds it keeps a run safe. Checkpoints are written
between updates and atomically, Ctrl-C takes effect after the update at hand, and an error in a
person's reward function leaves the last good model in place.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import torch
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from racer_rl.envs.build import build_batch
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.interruption import interrupt_flag
from racer_rl.reward.library import find_reward
from racer_rl.reward.log import RewardLog
from racer_rl.store.locks import training_in
from racer_rl.store.models import ModelFolder
from racer_rl.traces.files import TraceFolder
from racer_rl.traces.sampling import episodes_per_iteration
from racer_rl.traces.writing import TrainingTrace
from racer_rl.training.acting import FEW_THREADS, torch_threads
from racer_rl.training.algorithms import RacerPPO, build_model
from racer_rl.training.assessment import Assessment, Candidate
from racer_rl.training.checkpoint import Model, Snapshot, load_checkpoint
from racer_rl.training.continuation import continue_world, keep_world
from racer_rl.training.curriculum import SpeedCurriculum
from racer_rl.training.curve import draw_training
from racer_rl.training.history import RewardWatch
from racer_rl.training.inheritance import Inheritance
from racer_rl.training.keeping import Keeper
from racer_rl.training.networks import find_network
from racer_rl.training.plan import StopReason, TrainingPlan
from racer_rl.training.routes import Route, TaughtRoute, TrialRoute
from racer_rl.training.standing import Meter, Standing, Watcher
from racer_rl.training.stopping import Brake, no_brake, no_longer_better, reached
from racer_rl.training.teacher import Teacher
from racer_sim.simulator import Simulator
from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ConfigError, RewardError


class Training:
    """One run: the learner, its cars and its folder."""

    def __init__(
        self,
        folder: ModelFolder,
        plan: TrainingPlan,
        *,
        resume: bool,
        elsewhere: Simulator | None = None,
        improved: Callable[[Model], None] | None = None,
        inherits: Inheritance | None = None,
        brake: Brake = no_brake,
    ) -> None:
        """Build everything, or load it; nothing is written yet.

        Args:
            folder: Of the model.
            plan: What to do.
            resume: Go on from the folder's last checkpoint.
            elsewhere: Where to drive and to evaluate, instead of the embedded simulator; with a
                car for each run of the evaluation.
            improved: Told when the model is the best so far.
            inherits: What a new model begins with, instead of nothing.
            brake: Asked before every round whether something outside stops the run.

        Raises:
            RacerError: Something of the plan or the checkpoint cannot be used.
        """
        self.folder, self.plan = folder, plan
        self.reward = find_reward(plan.setup.reward)
        torch.set_num_threads(find_network(plan.setup.network).threads)
        batch = build_batch(
            plan.setup,
            cars=plan.hyperparameters.n_envs,
            seed=plan.seed,
            reward=self.reward,
            simulator=elsewhere,
            log=RewardLog(folder.path / 'reward.log'),
        )
        self._improved, self._own_cars, self._brake = improved, elsewhere is None, brake
        self.env = RaceVecEnv(batch)
        self._trace = TrainingTrace(
            TraceFolder(folder.path), plan.trace, simulator=batch.simulator,
            discrete=isinstance(plan.setup.actions, DiscreteActions),
            episodes_per_iteration=episodes_per_iteration(
                plan.hyperparameters.to_deepracer_json()),
        )
        self._curriculum = SpeedCurriculum(batch, plan.hyperparameters.start_speed_mps)
        self.meter = Meter()
        # Aside, the model learns on meanwhile: whoever is told of it would get another one.
        aside = plan.held_out is not None and elsewhere is None and improved is None
        self.assessment = Assessment(plan, elsewhere, self._keep, aside=aside)
        self._reward_watch = RewardWatch()
        if resume:
            best = folder.checkpoint('best')
            best_kept = load_checkpoint(best)[1] if best.is_file() else None
            self.model, kept = load_checkpoint(folder.require_checkpoint('last'), self.env)
            batch.simulator.random.bit_generator.state = kept['simulator']
            batch.simulator.episodes = self.meter.episodes = kept['episodes']
            self._curriculum.limit_mps = kept.get('speed_limit_mps', float('inf'))
            self.assessment.resume(kept, best_kept)
            self._trace.resume()
        else:
            # How many threads compute the first weights changes their last bits.
            with torch_threads(FEW_THREADS):
                self.model = build_model(
                    plan.hyperparameters, plan.setup.network, self.env, plan.seed
                )
            if inherits is not None:
                inherits.hand_over(self.model)
        self._trace.watch(batch)
        if resume and not continue_world(kept, batch, self.meter):
            self.model._last_obs = None
        self._route = self._make_route()
        self._keeper = Keeper(folder, keep=plan.keep, earlier=folder.sessions if resume else ())
        self._began_steps = self._schedule_began = self.model.num_timesteps
        if resume and kept.get('schedule_began') is not None:
            self._schedule_began = kept['schedule_began']

    def _make_route(self) -> Route:
        """As planned; but a model that has learnt from its teacher goes on by trial."""
        if self.plan.distillation is None or self.has_learnt:
            return TrialRoute(self.model, self.env, self.plan, self.meter, self._spent,
                              self._curriculum)
        assert isinstance(self.model, RacerPPO)
        log = RewardLog(self.folder.path / 'reward.log')
        teacher = Teacher(self.plan, self.reward, log)
        self._trace.watch(teacher.env.batch)
        return TaughtRoute(self.model, self.env, self.plan, self.meter, self._spent,
                           self._curriculum, teacher)

    def run(self, watch: Watcher) -> StopReason:
        """Train until a limit is reached; the folder then holds the last and the best checkpoint.

        Args:
            watch: Told after every round.

        Raises:
            RewardError: The reward function failed; the model as of the last update is kept.
        """
        logger = Logger(
            str(self.folder.path),
            [TensorBoardOutputFormat(str(self.folder.path / 'tensorboard'))],
        )
        self.model.set_logger(logger)
        self._keeper.begin()
        with closing(logger), closing(self._trace), interrupt_flag() as interrupted:
            try:
                unjudged = self.plan.limits.until_laps or not self.assessment.history.rows
                if self.has_learnt and unjudged:
                    # It came with some knowledge, which may be all that is asked for.
                    self._assess()
                while (reason := self._reason(bool(interrupted))) is None:
                    moved = self._route.moves_model
                    self._route.learn()
                    if moved and self.assessment.is_due(self.model.num_timesteps):
                        self._assess()
                    self._reward_watch.note(self.meter.mean_reward, self.meter.completion)
                    logger.dump(self.model.num_timesteps)
                    if moved and self._keeper.is_due:
                        self.save('last')
                    watch(self.standing)
                if not reason.cuts_short:
                    self.assessment.conclude(self.model, self.meter.mean_reward, self._cars)
                    self._trace.evaluated(self.assessment.judgement.evaluation)
            except RewardError:
                self.save('last')
                raise
        self.save('last', reason)
        if self.assessment.history.rows:
            draw_training(self.assessment.history, self.folder.path / 'training.png',
                          reason=reason.value,
                          delivered_steps=self.assessment.best_record.get('steps'))
        return reason

    def _assess(self) -> None:
        self.assessment.assess(self.model, self.meter.mean_reward, self._cars)
        self._trace.evaluated(self.assessment.judgement.evaluation)

    @property
    def has_learnt(self) -> bool:
        """Whether the model has been updated at least once, in this session or before."""
        return self.model._n_updates > 0

    @property
    def _can_continue(self) -> bool:
        """Whether the cars are the embedded simulator's, and where the model last saw them."""
        return (self._own_cars and self._route.by_trial
                and self.model._last_obs is not None)

    @property
    def standing(self) -> Standing:
        """Where training is."""
        return Standing(
            steps=self.model.num_timesteps,
            session_steps=self.model.num_timesteps - self._began_steps,
            episodes=self.meter.episodes,
            seconds=self._keeper.seconds,
            mean_reward=self.meter.mean_reward,
            completion=self.meter.completion,
            best_lap_s=self.meter.best_lap_s,
            evaluation=self.assessment.judgement.evaluation,
            best=self.assessment.best,
            held_out=self.assessment.judgement.held_out,
            warning=self._reward_watch.warning or self.assessment.warning,
            phase=self._route.phase,
        )

    def _spent(self) -> float:
        """Share of the limit of steps or time that is used up, 0 to 1."""
        limits, seconds = self.plan.limits, self._keeper.seconds
        done = self.model.num_timesteps - self._schedule_began
        to_do = math.inf if limits.steps is None else limits.steps - self._schedule_began
        return min(max(seconds / limits.time_s, done / max(to_do, 1)), 1.0)

    def close(self) -> None:
        """End the processes that were started."""
        self.assessment.close()
        self._route.close()
        self.env.close()

    def _reason(self, interrupted: bool) -> StopReason | None:
        """Why the run has to stop, if it has; whoever is outside is asked before every round."""
        limit = reached(self.plan, self.meter, self.assessment, steps=self.model.num_timesteps,
                        seconds=self._keeper.seconds, model_learns=self._route.moves_model,
                        interrupted=interrupted)
        return limit or self._brake() or no_longer_better(
            self.plan.limits, self.assessment.history)

    def _cars(self) -> dict[str, Any]:
        """What a checkpoint keeps of the cars."""
        return {'simulator': self.env.batch.simulator.random.bit_generator.state,
                'episodes': self.meter.episodes,
                'speed_limit_mps': self._curriculum.limit_mps}

    def _keep(self, candidate: Candidate) -> None:
        """Write what is the best so far, and tell of it."""
        self._write('best', candidate.snapshot, candidate.cars)
        if self._improved is not None:
            self._improved(self.model)

    def save(self, which: str, reason: StopReason | None = None) -> None:
        """Write the model as it is.

        Args:
            which: `best` or `last`.
            reason: Why the session ended, if it has.
        """
        began_s = time.monotonic()
        goes_on = which == 'last' and self._can_continue
        world = keep_world(self.env.batch, self.meter) if goes_on else {}
        ended = reason is not None and not reason.cuts_short
        schedule = {'schedule_began': None if ended else self._schedule_began}
        self._write(which, Snapshot(self.model), {**self._cars(), **world, **schedule})
        if which == 'last':
            self._keeper.wrote_last(self.model.num_timesteps, reason,
                                    took_s=time.monotonic() - began_s)

    def _write(self, which: str, snapshot: Snapshot, cars: Mapping[str, Any]) -> None:
        """Write a checkpoint, `best` or `last`, with all that the run knows besides the model."""
        best = self.assessment.best_record
        self._keeper.write(which, snapshot, {**cars, **self.assessment.as_plain()}, {
            'steps': self.model.num_timesteps,
            'episodes': self.meter.episodes,
            'best_steps': best.get('steps'),
            'best': best.get('evaluation'),
        })


def train(
    folder: ModelFolder,
    plan: TrainingPlan,
    watch: Watcher,
    *,
    resume: bool = False,
    elsewhere: Simulator | None = None,
    improved: Callable[[Model], None] | None = None,
    brake: Brake = no_brake,
) -> tuple[StopReason, Standing]:
    """Run a plan in a model's folder.

    Args:
        folder: New, or with a run to resume.
        plan: What to do.
        watch: Told after every round.
        resume: Go on where the last checkpoint stands.
        elsewhere: Where to drive and to evaluate, instead of the embedded simulator.
        improved: Told when the model is the best so far.
        brake: Asked before every round whether something outside stops the run.

    Returns:
        Why training ended, and where it stands.

    Raises:
        RacerError: The plan cannot be used (then nothing was written), the reward function
            failed, or the disk refused.
    """
    try:
        with training_in(folder.path):
            return _train(folder, plan, watch, resume=resume, elsewhere=elsewhere,
                          improved=improved, brake=brake)
    except OSError as error:
        raise ConfigError(
            f'cannot write {error.filename or folder.path}: {error.strerror}; free space there, '
            'or set RACER_HOME to a folder that you may write.'
        ) from error


def _train(folder: ModelFolder, plan: TrainingPlan, watch: Watcher, *, resume: bool,
           elsewhere: Simulator | None, improved: Callable[[Model], None] | None,
           brake: Brake) -> tuple[StopReason, Standing]:
    """As `train`, by the only process that trains the model."""
    training = Training(
        folder, plan, resume=resume, elsewhere=elsewhere, improved=improved, brake=brake
    )
    try:
        if resume:
            folder.remove_unfinished()
        else:
            # First, because `create` makes it a model, and a model can be resumed.
            training.save('last')
            folder.create(plan.setup, plan.hyperparameters, training.reward, plan.seed,
                          plan.method, identity=plan.model_id)
        return training.run(watch), training.standing
    except RewardError:
        if not resume and not training.has_learnt:
            folder.forget()  # there is no good model to keep, and its name is wanted again
        raise
    finally:
        training.close()

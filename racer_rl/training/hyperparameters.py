"""Settings of the learner: ours, Stable-Baselines3's and DeepRacer's names for them, with ranges.

A field is declared once, with its allowed range and the name it has in DeepRacer's
`hyperparameters.json`; reading, checking and writing all follow that declaration.

DeepRacer measures a rollout in episodes, we measure it in steps. `num_episodes_between_training`
becomes `STEPS_PER_EPISODE` steps for each episode, over all cars together, rounded to the nearest
number with which every car drives as many steps and minibatches come out whole. (The nearest, not
the next: then a file written and read again does not grow.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from racer_rl.training.networks import find_network
from racer_vehicle.errors import ConfigError, UnknownNameError

STEPS_PER_EPISODE: Final = 80
"""Mean length of a training episode.

44,247 steps in 568 episodes, which is 78, in a public DeepRacer console run on the 2018 track
(sample logs of `aws-deepracer-community/deepracer-utils`).
"""

_EPISODES_KEY: Final = 'num_episodes_between_training'
_LOSS_TYPES: Final = {'mse': 'mean squared error', 'huber': 'huber'}
_EXPLORATION_KEYS: Final = ('exploration_type', 'e_greedy_value', 'epsilon_steps')


def _number(default: float, low: float, high: float, deepracer: str = '', *,
            words: tuple[str, ...] = ()) -> Any:
    """A field holding a number in a closed range (whole if its default is), or one of `words`."""
    return field(default=default, metadata={
        'low': low, 'high': high, 'words': words, 'deepracer': deepracer})


def _word(default: str, deepracer: str, spellings: Mapping[str, str]) -> Any:
    """A field holding one of our words, each with its DeepRacer spelling."""
    return field(default=default, metadata={
        'words': tuple(spellings), 'deepracer': deepracer, 'spellings': spellings})


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedHyperparameters:
    """What both algorithms have; use one of the two subclasses.

    Attributes:
        learning_rate: Step size of Adam.
        learning_rate_decay: Share of it that is gone, evenly, when the run's limit of time or
            steps is reached; 0 keeps it.
        n_envs: Cars that drive at the same time.
        batch_size: Samples in a minibatch.
        gamma: Discount per step.
        stack_size: Camera frames the policy sees at once.
        start_speed_mps: Curriculum: at first no car drives faster, and the limit rises as the
            episodes succeed; 0: no limit but the fastest action.
        max_episodes: Training ends after so many.
        stop_mean_return: Training ends when the mean return of an episode reaches it.
    """

    learning_rate: float = _number(3e-4, 1e-8, 0.1, 'lr')
    learning_rate_decay: float = _number(0.0, 0.0, 1.0)
    n_envs: int = _number(16, 1, 4096)
    batch_size: int = _number(256, 2, 65_536, 'batch_size')
    gamma: float = _number(0.99, 0.0, 1.0, 'discount_factor')
    stack_size: int = _number(1, 1, 16, 'stack_size')
    start_speed_mps: float = _number(0.0, 0.0, 4.0)
    max_episodes: int = _number(100_000, 1, 10**9, 'term_cond_max_episodes')
    stop_mean_return: float = _number(100_000.0, -1e12, 1e12, 'term_cond_avg_score')

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item, getattr(self, item.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOHyperparameters(SharedHyperparameters):
    """Proximal policy optimisation.

    Attributes:
        n_steps: Steps each car drives before each update.
        n_epochs: Passes over a rollout.
        gae_lambda: Of generalised advantage estimation.
        ent_coef: Weight of the entropy bonus.
        clip_range: How far an update may move an action's probability ratio from 1.
        vf_coef: Weight of the value loss.
        max_grad_norm: Longest gradient.
        init_std: Standard deviation of continuous actions at the start; the range is -1..1.
        value_loss: `mse` or `huber`.
    """

    ALGORITHM: ClassVar[str] = 'clipped_ppo'
    INERT: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(_EXPLORATION_KEYS, 'PPO explores by sampling from its own distribution'),
        'sac_alpha': 'it belongs to SAC; PPO has beta_entropy',
    }

    n_steps: int = _number(64, 1, 100_000)
    n_epochs: int = _number(4, 1, 100, 'num_epochs')
    gae_lambda: float = _number(0.95, 0.0, 1.0)
    ent_coef: float = _number(0.01, 0.0, 1.0, 'beta_entropy')
    clip_range: float = _number(0.2, 0.01, 1.0)
    vf_coef: float = _number(0.5, 0.0, 10.0)
    max_grad_norm: float = _number(0.5, 1e-3, 100.0)
    init_std: float = _number(0.5, 1e-3, 3.0)
    value_loss: Literal['mse', 'huber'] = _word('mse', 'loss_type', _LOSS_TYPES)

    def __post_init__(self) -> None:
        SharedHyperparameters.__post_init__(self)  # super() does not survive slots=True
        if self.rollout_steps % self.batch_size:
            raise ConfigError(
                f'a rollout of {self.rollout_steps} steps (n_envs {self.n_envs} x n_steps '
                f'{self.n_steps}) does not split into minibatches of {self.batch_size}; '
                f'allowed: a whole number of them; change batch_size, or n_steps to a multiple of '
                f'{self.batch_size // math.gcd(self.batch_size, self.n_envs)}.'
            )

    @property
    def rollout_steps(self) -> int:
        """Steps of all cars between two updates."""
        return self.n_envs * self.n_steps

    def algorithm_settings(self) -> dict[str, Any]:
        """Keyword arguments of `RacerPPO`."""
        names = ('learning_rate', 'n_steps', 'batch_size', 'n_epochs', 'gamma', 'gae_lambda',
                 'ent_coef', 'clip_range', 'vf_coef', 'max_grad_norm', 'value_loss')
        return {name: getattr(self, name) for name in names}

    def to_deepracer_json(self) -> str:
        """Text of a `hyperparameters.json`; what DeepRacer has no name for is left out."""
        episodes = max(1, round(self.rollout_steps / STEPS_PER_EPISODE))
        return _deepracer_json(self, {
            'exploration_type': 'categorical', 'e_greedy_value': 0.05, 'epsilon_steps': 10_000,
            _EPISODES_KEY: episodes})


@dataclass(frozen=True, slots=True, kw_only=True)
class SACHyperparameters(SharedHyperparameters):
    """Soft actor-critic; continuous actions only.

    Attributes:
        buffer_size: Steps remembered.
        learning_starts: Steps driven at random before learning.
        tau: Share of the critic that enters its slow copy at each update.
        train_freq: Steps of each car between two rounds of updates.
        gradient_steps: Updates in a round.
        ent_coef: Weight of the entropy, or `auto` to learn it.
    """

    ALGORITHM: ClassVar[str] = 'sac'
    INERT: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(_EXPLORATION_KEYS, 'SAC explores by sampling from its own distribution'),
        'beta_entropy': 'it belongs to PPO; SAC has sac_alpha',
        'loss_type': 'the critics of SAC learn by mean squared error',
        'num_epochs': 'SAC has no passes over a rollout; see gradient_steps',
        _EPISODES_KEY: 'SAC learns while it drives; see train_freq',
    }

    buffer_size: int = _number(100_000, 1_000, 10_000_000)
    learning_starts: int = _number(1_000, 0, 1_000_000)
    tau: float = _number(0.005, 1e-5, 1.0)
    train_freq: int = _number(1, 1, 10_000)
    gradient_steps: int = _number(1, 1, 10_000)
    ent_coef: float | Literal['auto'] = _number(0.2, 0.0, 1.0, 'sac_alpha', words=('auto',))

    def algorithm_settings(self) -> dict[str, Any]:
        """Keyword arguments of `RacerSAC`."""
        names = ('learning_rate', 'batch_size', 'gamma', 'buffer_size', 'learning_starts', 'tau',
                 'train_freq', 'gradient_steps', 'ent_coef')
        return {name: getattr(self, name) for name in names}

    def to_deepracer_json(self) -> str:
        """Text of a `hyperparameters.json`; what DeepRacer has no name for is left out."""
        return _deepracer_json(self, {'exploration_type': 'additive_noise', _EPISODES_KEY: 1})


Hyperparameters = PPOHyperparameters | SACHyperparameters

ALGORITHMS: Final[Mapping[str, type[PPOHyperparameters] | type[SACHyperparameters]]] = {
    'ppo': PPOHyperparameters, 'clipped_ppo': PPOHyperparameters, 'sac': SACHyperparameters,
}
"""By our name and by the one in DeepRacer's `model_metadata.json`."""


def load_hyperparameters(path: Path | None, algorithm: str, network: str,
                         wanted: Mapping[str, Any] | None = None,
                         ) -> tuple[Hyperparameters, tuple[str, ...]]:
    """The network's recommended settings, changed by what a file says.

    Args:
        path: A JSON object with our, Stable-Baselines3's or DeepRacer's names; None for no file.
        algorithm: A key of `ALGORITHMS`.
        network: A name in the catalogue of networks.
        wanted: By field name, over the recommended ones and below those of the file.

    Returns:
        The settings, and one line for each thing in the file that a person should know: what has
        no effect here, and what was converted.

    Raises:
        UnknownNameError: Of the algorithm, the network or a setting.
        ConfigError: The file is not a JSON object, or a value is out of range or given twice.
    """
    kind = ALGORITHMS.get(algorithm)
    if kind is None:
        raise UnknownNameError('algorithm', algorithm, ALGORITHMS)
    spec = find_network(network)
    recommended = {**(spec.ppo if kind is PPOHyperparameters else spec.sac), **(wanted or {})}
    given, notes = _translate({} if path is None else _read(path), kind)
    episodes = given.pop(_EPISODES_KEY, None)
    if episodes is None:
        return kind(**{**recommended, **given}), tuple(notes)
    if 'n_steps' in given:
        raise ConfigError(f'n_steps and {_EPISODES_KEY} are both given; they set the same thing; '
                          'remove one.')
    settings = {**recommended, **given}
    settings['n_steps'] = _steps_for_episodes(
        episodes, kind(**{**settings, 'n_steps': settings.get('batch_size', 256)}))
    result = kind(**settings)
    notes.append(f'{_EPISODES_KEY} = {episodes} became n_steps = {settings["n_steps"]} for each '
                 f'of {result.n_envs} cars, at {STEPS_PER_EPISODE} steps an episode.')
    return result, tuple(notes)


def _steps_for_episodes(episodes: Any, settings: Hyperparameters) -> int:
    """Steps for each car: see the module for the rule."""
    if not isinstance(episodes, int) or isinstance(episodes, bool) or not 1 <= episodes <= 10_000:
        raise ConfigError(f'{_EPISODES_KEY} is {episodes!r}; allowed: a whole number, 1 to 10000; '
                          'change it, or leave it out.')
    chunk = math.lcm(settings.n_envs, settings.batch_size)
    chunks = max(1, round(episodes * STEPS_PER_EPISODE / chunk))
    return chunks * chunk // settings.n_envs


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ConfigError(f'cannot read {path}: {error.strerror}; give the path of a JSON '
                          'file.') from None
    except ValueError as error:
        raise ConfigError(f'{path} is not JSON ({error}); allowed: one object of names and '
                          'values; correct it.') from None
    if not isinstance(content, dict):
        raise ConfigError(f'{path} holds a {type(content).__name__}; allowed: one object of '
                          'names and values; correct it.')
    return content


def _translate(given: Mapping[str, Any],
               kind: type[Hyperparameters]) -> tuple[dict[str, Any], list[str]]:
    """Settings by field name (and `_EPISODES_KEY` for PPO), and notes about what has no effect."""
    by_name = {item.name: item for item in fields(kind)}
    by_name |= {alias: item for item in fields(kind) if (alias := item.metadata['deepracer'])}
    result: dict[str, Any] = {}
    notes: list[str] = []
    spelled: dict[str, str] = {}
    for key, value in given.items():
        if key in kind.INERT:
            notes.append(f'{key} = {value!r} has no effect here: {kind.INERT[key]}.')
        elif key == _EPISODES_KEY:
            result[key] = value
        elif key not in by_name:
            raise UnknownNameError('hyperparameter', key, {*by_name, *kind.INERT, _EPISODES_KEY},
                                   'Correct or remove it.')
        else:
            item = by_name[key]
            if item.name in result:
                raise ConfigError(f'{spelled[item.name]} and {key} are both given; they set the '
                                  'same thing; remove one.')
            spelled[item.name] = key
            ours = {theirs: word for word, theirs in item.metadata.get('spellings', {}).items()}
            result[item.name] = ours.get(value, value) if isinstance(value, str) else value
    return result, notes


def _check(item: Field[Any], value: object) -> None:
    """Refuse a value that its field's declaration does not allow."""
    words, low, high = (item.metadata.get(key) for key in ('words', 'low', 'high'))
    if isinstance(value, str) and value in (words or ()):
        return
    whole = isinstance(item.default, int)
    noun = 'a whole number' if whole else 'a number'
    allowed = [] if low is None else [f'{noun}, {low:g} to {high:g}']
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if low is not None and number and low <= value <= high:  # type: ignore[operator]
        return
    spellings = item.metadata.get('spellings', {})
    allowed += [spellings.get(word, word) for word in words or ()]
    alias = item.metadata['deepracer']
    name = f'{item.name} ({alias})' if alias not in {'', item.name} else item.name
    raise ConfigError(f'{name} is {value!r}; allowed: {" or ".join(allowed)}; change it, or leave '
                      "it out for the network's recommended value.")


def _deepracer_json(settings: Hyperparameters, constants: Mapping[str, Any]) -> str:
    content = dict(constants)
    for item in fields(settings):
        value, alias = getattr(settings, item.name), item.metadata['deepracer']
        if alias and not (isinstance(value, str) and 'spellings' not in item.metadata):
            content[alias] = item.metadata.get('spellings', {}).get(value, value)
    return json.dumps(content, indent=2, sort_keys=True) + '\n'

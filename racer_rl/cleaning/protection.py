"""Models that must stay as they are, whatever is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from racer_vehicle.errors import ConfigError

PROTECTED: Final = Path('leagues') / 'protected.json'
"""Below the store: a JSON list of names or ids of models that races name."""


def protected_models(home: Path) -> frozenset[str]:
    """Names and ids of models that a race names.

    Whoever holds races keeps them in `leagues/protected.json`, e.g. `["red", "4f0c…"]`; an id
    outlives a model's renaming.

    Args:
        home: `$RACER_HOME`.

    Raises:
        ConfigError: The file is there and is not such a list: then nothing may be removed.
    """
    path = home / PROTECTED
    try:
        names = json.loads(path.read_bytes())
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _damaged(path, f'it holds {json.dumps(names)[:60]}')
    return frozenset(names)


def _damaged(path: Path, what: str) -> ConfigError:
    return ConfigError(f'{path} is damaged ({what}); allowed: a JSON list of names or ids of '
                       'models; restore it, because nothing is removed before it is known which '
                       'models races need.')

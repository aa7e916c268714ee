"""What `racer evaluate` showed of a model, one file each, in `evaluations/` of its folder."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from racer_vehicle.storage import write_atomically

EVALUATIONS: Final = 'evaluations'


def keep_evaluation(model: Path, kind: str, record: Mapping[str, Any],
                    conditions: Mapping[str, Any]) -> Path:
    """Write down what an evaluation showed.

    Args:
        model: Folder of the model.
        kind: `laps` or `robust`.
        record: What `racer evaluate --json` prints.
        conditions: What was asked for, as far as `record` does not say it.

    Returns:
        The new file, called by the time.

    Raises:
        OSError: The disk refused.
    """
    now = datetime.datetime.now(datetime.UTC)
    content = {'when': now.isoformat(timespec='seconds'), 'kind': kind,
               'conditions': dict(conditions), 'result': dict(record)}
    path = model / EVALUATIONS / f'{now:%Y%m%dT%H%M%S.%f}.json'
    write_atomically(path, (json.dumps(content, indent=2) + '\n').encode())
    return path


def read_evaluations(model: Path) -> list[dict[str, Any]]:
    """All that were kept, oldest first; files that are no such record are passed over."""
    found = []
    for path in sorted((model / EVALUATIONS).glob('*.json')):
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and {'when', 'kind', 'result'} <= content.keys():
            found.append(content)
    return found

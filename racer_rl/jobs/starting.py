"""Starting a job that needs no terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.jobs.records import JobFolder, new_job
from racer_rl.jobs.running import RESUMES, VARIABLE
from racer_vehicle.children import independent

_LOOK_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A command that came to nothing.

    Attributes:
        code: Its exit code.
        output: All that it printed.
    """

    code: int
    output: str


def start_job(model: str, words: Sequence[str], *, folder: Path, resumes: str = '',
              ) -> JobFolder | Refusal:
    """Start a command in a session of its own, and wait until it is a job or refuses.

    Args:
        model: That it will train.
        words: After `racer`.
        folder: To start it in.
        resumes: Id of the job that it goes on with; empty: none.

    Returns:
        The job, which runs now; or why there is none.
    """
    job = new_job(model)
    environment = {**independent(os.environ), VARIABLE: job.id, RESUMES: resumes}
    with job.log.open('ab') as log:
        # -P: a file of the person's that is called like a module is none.
        process = subprocess.Popen(
            [sys.executable, '-u', '-P', '-m', 'racer_rl.cli', *words], cwd=folder,
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
    try:
        while not job.exists and process.poll() is None:
            time.sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        process.kill()
        process.wait()
        shutil.rmtree(job.path)
        raise
    if job.exists:
        return job
    refusal = Refusal(code=process.returncode, output=job.log.read_text(errors='replace'))
    shutil.rmtree(job.path)
    return refusal

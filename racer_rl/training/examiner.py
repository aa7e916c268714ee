"""Judges a copy of the policy in a process of its own, while the policy itself learns on.

Held-out driving takes about as long as the learning that it judges. Beside it, it costs a second
core instead of time; on one core it costs what it would have cost anyway.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from racer_rl.training.acting import FEW_THREADS, Actor, torch_threads
from racer_rl.training.judgement import Judgement, Podium, judge
from racer_rl.training.plan import TrainingPlan
from racer_vehicle.children import owned


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be judged.

    Attributes:
        policy: A copy.
        plan: What it has to drive.
        podium: What it has to beat, as `Podium.as_plain` has it.
    """

    policy: Actor
    plan: TrainingPlan
    podium: dict[str, Any]

    def answer(self) -> Judgement:
        """Drive and judge, here and now."""
        with torch_threads(FEW_THREADS):
            return judge(self.policy, self.plan, None, Podium(self.podium).would_take)


class Examiner:
    """The process; one question at a time."""

    def __init__(self) -> None:
        """Start it: it takes seconds to import what it needs, and nobody waits for that."""
        self._process = subprocess.Popen(
            [sys.executable, '-m', __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=owned(os.environ),
        )
        self._asked: Question | None = None

    @property
    def process_id(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_asked(self) -> bool:
        """Whether an answer is to be fetched."""
        return self._asked is not None

    def ask(self, question: Question) -> None:
        """Have a policy judged; fetch the answer before the next question."""
        assert self._asked is None and self._process.stdin is not None
        self._asked = question
        try:
            pickle.dump(question, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # `answer` copes

    def answer(self) -> Judgement:
        """Wait for the judgement; it is made here if the process has died, e.g. for memory."""
        question, self._asked = self._asked, None
        assert question is not None and self._process.stdout is not None
        try:
            judged: Judgement = pickle.load(self._process.stdout)  # noqa: TID251 (our own)
        except (EOFError, pickle.UnpicklingError):
            return question.answer()  # slower, and the same
        return judged

    def close(self) -> None:
        """End the process, whatever it is doing; a second time does nothing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # of a question that nobody has read
                    pipe.close()


def main() -> int:
    """Answer questions until the other side goes."""
    # Ctrl-C reaches all of a terminal's processes; whoever asks decides what it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), 'wb')
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    torch.set_num_threads(FEW_THREADS)
    while True:
        try:
            question: Question = pickle.load(sys.stdin.buffer)  # noqa: TID251 (our own)
        except EOFError:
            return 0
        answer = question.answer()
        try:
            pickle.dump(answer, answers)
            answers.flush()
        except BrokenPipeError:
            return 0


if __name__ == '__main__':
    # Pickle names classes by their module, which is `__main__` here and not elsewhere.
    from racer_rl.training.examiner import main as examine

    sys.exit(examine())

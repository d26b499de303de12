"""Programs that look suspicious and are honest: they pass, and what they gain is measured."""

import asyncio
import shutil
from typing import Any

import pytest

from outpace.evaluators.base import Evaluation, evaluated
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.timing import Pairing
from tests.redteam.cheats.honest import HONEST
from tests.redteam.cheats.model import Honest
from tests.redteam.cheats.tasks import TARGETS

ANY_GAIN = 1.5
"""They gain five times and more; how sharply that is known depends on what else the machine has to do."""


def test_they_are_at_least_twenty() -> None:
    assert len({program.id for program in HONEST}) == len(HONEST) >= 20


def judged(program: Honest, sandbox: Any) -> Evaluation:
    target = TARGETS[program.task]
    evaluator = CascadeEvaluator(sandbox, pairing=Pairing(least=5, most=7))
    found = asyncio.run(asyncio.wait_for(evaluated(evaluator, target.task, target.candidate(program.program)), 120))
    assert found.status == "ok", found.feedback
    assert found.score is not None
    return found


@pytest.mark.timing
@pytest.mark.parametrize("program", HONEST, ids=lambda program: program.id)
def test_an_honest_program_passes(program: Honest, judging_sandbox: Any) -> None:
    if program.task == "compiled" and shutil.which("cc") is None:
        pytest.skip("there is no C compiler here")
    found = judged(program, judging_sandbox)
    if program.task == "unit":
        assert found.score is not None and found.score > 0.9
        return
    assert found.score is not None
    assert found.interval is not None and found.interval[0] <= found.score <= found.interval[1]
    if program.gain and not found.score > ANY_GAIN:  # a busy moment of the machine may hide it
        again = [judged(program, judging_sandbox) for _ in range(3)]
        assert max(one.score or 0.0 for one in again) > ANY_GAIN, [(one.score, one.interval) for one in (found, *again)]

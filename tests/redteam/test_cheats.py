"""Cheats are refused, fail, or gain nothing; the naive judge beside ours falls for them."""

import asyncio
import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outpace.evaluators.base import Evaluation, evaluated
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.timing import Pairing
from tests.redteam.cheats.beyond import CATALOGUE, NEEDS_A_GPU, OWN, POLICY
from tests.redteam.cheats.correctness import CORRECTNESS
from tests.redteam.cheats.environment import ENVIRONMENT
from tests.redteam.cheats.evaluator import EVALUATOR
from tests.redteam.cheats.model import VOID, Cheat
from tests.redteam.cheats.tasks import SIZE, TARGETS, Target
from tests.redteam.cheats.timing import TIMING

CHEATS: list[Cheat] = [*TIMING, *CORRECTNESS, *EVALUATOR, *ENVIRONMENT]
NAIVE = Path(__file__).parent / "naive.py"
QUICK = Pairing(least=3, most=3)
NO_GAIN = 1.05
GAIN = {"speedup": 1.1, "metric": 1.05}  # with the honest part alone it would be 0.5, or 1
TRIES = 5  # the naive judge takes a wall clock at its word, and so needs a quiet moment
"""What the naive judge must at least be made to believe: 1.15 is all that there is to gain in the metric task."""
SOTA = {
    "softmax": "import numpy\ndef solve(x):\n    powers = numpy.exp(x - x.max())\n    return powers / powers.sum()\n",
    "unit": "import numpy\nnorm = numpy.linalg.norm\ndef solve(x):\n    return x / norm(x)\n",
    "relu": "import numpy\ndef solve(x):\n    return numpy.maximum(x, 0)\n",
}
FILES = {
    "tolerance.json": '{"atol": 2e-4}',
    "lib/rules.py": "def accept(same, output, expected):\n    return same(output, expected)\n",
    "home/.ssh/id": "a private key",
    "cache/kernel.py": "",
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Return the port of a listener on loopback that answers everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    line.sendall(b"a solution")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def rival() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Return the marker in the command line of a process that a cheat may want to kill, and the process."""
    marker = f"rival-{uuid.uuid4().hex}"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", marker]) as process:
        yield marker, process
        process.kill()


def filled(cheat: Cheat, task: str, port: int, marker: str) -> str:
    """Return the whole program with what it needs to know of this test."""
    return TARGETS[task].prelude + cheat.program.replace("@PORT@", str(port)).replace("@RIVAL@", marker)


def judged(target: Target, program: str, sandbox: Any) -> Evaluation:
    """Let the real judge evaluate a program."""
    evaluator = CascadeEvaluator(sandbox, pairing=QUICK)
    return asyncio.run(asyncio.wait_for(evaluated(evaluator, target.task, target.candidate(program)), 120))


def naively(cheat: Cheat, task: str, program: str, folder: Path) -> dict[str, Any]:
    """Let the naive judge evaluate a program; ``accepted`` and ``ratio`` as it, or a forger, tells."""
    for name, text in {**FILES, "sota.py": SOTA[task]}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    order = {"program": program, "task": task, "size": SIZE, "naive": dataclasses.asdict(cheat.naive)}
    env = {
        "NAIVE_SEED": str(1000 if cheat.entry == "C16" else 0),
        "NAIVE_API_KEY": "key-4711",
        "NAIVE_CACHE": str(folder / "cache"),
        "NAIVE_HOME": str(folder / "home"),
        "PATH": os.defpath,
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, str(NAIVE)],
        input=json.dumps(order),
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    verdicts = [line for line in done.stdout.splitlines() if line.startswith(("RESULT ", "FAIL "))]
    if not verdicts:  # as many a harness reads it: no complaint, and return code 0
        return {"accepted": done.returncode == 0, "ratio": 1.0, "said": done.stderr}
    kind, _, text = verdicts[0].partition(" ")
    return json.loads(text) if kind == "RESULT" else {"accepted": False, "ratio": 0.0, "said": text}


def attacks(fools: bool | None = None) -> list[Any]:
    """Return every cheat with each of its tasks as parameters."""
    return [
        pytest.param(cheat, task, id=cheat.id if task == cheat.tasks[0] else f"{cheat.id}-on-{task}")
        for cheat in CHEATS
        for task in cheat.tasks
        if fools is None or (cheat.fools != "no") == fools
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("cheat", "task"), attacks(fools=True))
def test_the_naive_judge_falls_for_it(cheat: Cheat, task: str, port: int, rival: Any, tmp_path: Path) -> None:
    gain = GAIN[TARGETS[task].task.spec.goal.kind] if cheat.fools == "gain" else 0.0
    verdicts = []
    for attempt in range(TRIES):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        verdicts.append(naively(cheat, task, filled(cheat, task, port, rival[0]), folder))
        if verdicts[-1]["accepted"] and verdicts[-1]["ratio"] >= gain:
            return
    pytest.fail(f"the naive judge was not fooled: {verdicts}")


@pytest.mark.parametrize(("cheat", "task"), attacks())
def test_our_judge_does_not(cheat: Cheat, task: str, port: int, rival: Any, judging_sandbox: Any) -> None:
    target = TARGETS[task]
    found = judged(target, filled(cheat, task, port, rival[0])[len(target.prelude) :], judging_sandbox)
    outcome = VOID if found.status == "ok" else found.status
    assert outcome in cheat.outcomes, (found.status, found.score, found.interval, found.feedback)
    assert re.search(cheat.reason, found.feedback), found.feedback
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", found.feedback), "orders to a terminal"
    assert rival[1].poll() is None, "it killed a process of the host"
    if found.status != "ok":
        assert (found.score, found.interval, found.rank(target.task.spec.goal)) == (None, None, None)
    elif target.task.spec.goal.kind == "speedup":
        assert found.interval is not None and found.interval[0] <= NO_GAIN, (found.score, found.interval)
    else:
        start = judged(target, "def solve(x):\n    return honest(x)\n", judging_sandbox)
        assert found.score is not None and start.score is not None and found.score <= start.score * (1 + 1e-12)


def test_every_entry_of_the_catalogue_is_attacked_or_listed_with_a_reason() -> None:
    covered = {cheat.entry for cheat in CHEATS}
    assert CATALOGUE - covered - set(NEEDS_A_GPU) - set(POLICY) == set()
    assert covered | set(NEEDS_A_GPU) | set(POLICY) == CATALOGUE | OWN
    assert not covered & (set(NEEDS_A_GPU) | set(POLICY))
    assert all(NEEDS_A_GPU.values()) and all(POLICY.values())


def test_the_cheats_are_many_and_each_is_named_once() -> None:
    names = [cheat.id for cheat in CHEATS]
    assert len(set(names)) == len(names) >= 60
    assert sum(cheat.fools != "no" for cheat in CHEATS) >= 60
    assert {cheat.entry[0] for cheat in CHEATS} == {"T", "C", "E", "X"}


@pytest.mark.parametrize("task", SOTA)
def test_what_the_cheats_are_made_of_is_as_they_say(task: str, judging_sandbox: Any, tmp_path: Path) -> None:
    """The honest part is right and gains nothing, the cheap one is wrong, with both judges."""
    target = TARGETS[task]
    plain = Cheat(id="none", title="", program="", outcomes=frozenset())
    for name, good in (("honest", True), ("cheap", False)):
        program = f"def solve(x):\n    return {name}(x)\n"
        found = judged(target, program, judging_sandbox)
        assert (found.status == "ok") == good, found.feedback
        if found.interval is not None:
            assert found.interval[0] <= NO_GAIN
        assert naively(plain, task, target.prelude + program, tmp_path)["accepted"] == good

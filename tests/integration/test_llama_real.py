"""A run with a real small model on llama.cpp's server: whole programs, and children that are valid; never a score.

``.ci/llama-env.sh`` makes the environment; OUTPACE_TEST_LLAMA names its Python.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outpace.agent.store import open_store

pytestmark = [pytest.mark.llama]
PYTHON = os.environ.get("OUTPACE_TEST_LLAMA", "")
if not PYTHON:
    pytest.skip(
        "OUTPACE_TEST_LLAMA names no Python with llama.cpp (.ci/llama-env.sh makes one)", allow_module_level=True
    )

TASK = {
    "task.toml": """
name = "speed"
title = "Choose a speed"
entry = "speed"

[goal]
kind = "metric"
name = "distance"
direction = "minimise"

[answer]
kind = "number"

[[cases]]
name = "only"
split = "train"
""",
    "statement.md": "Change SPEED from 10 to 42 and give the whole program.\n",
    "program.py": "# EVOLVE-BLOCK-START\nSPEED = 10\n\n\ndef speed():\n    return SPEED\n# EVOLVE-BLOCK-END\n",
    "task.py": """
from outpace.tasks import spec
from outpace.tasks.spec import WrongAnswer


class Task(spec.Task):
    def generate(self, case, seed):
        return {}

    def reference(self, problem):
        return 42

    def check(self, problem, output):
        if not 0 <= output <= 1000:
            raise WrongAnswer(f"expected a number from 0 to 1000, got {output}")

    def score(self, problem, output):
        return abs(float(output) - 42.0)
""",
}
PROMPTS = {  # a model of this size loses the thread in prompts of the usual length
    "system.md.j2": "You change Python programs.\n",
    "user.md.j2": "Here is a Python program:\n\n{{ parent.code | fence('python') }}\n\n{{ spec.statement }}\n",
}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return written(tmp_path / "speed", TASK)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return written(tmp_path / "prompts", PROMPTS)


def written(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def base_url(tmp_path: Path) -> Iterator[str]:
    """The address of a server that ends with the test."""
    script = Path(__file__).with_name("llama_server.py")
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(
            [PYTHON, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert server.stdin is not None and server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            assert address, (tmp_path / "server.log").read_text()[-2000:]
            yield f"{address}/v1"
        finally:
            server.stdin.close()
            server.wait(60)
            server.stdout.close()


def valid_children(options: list[str], home: Path) -> int:
    """Run, and return how many programs that the model wrote were judged right."""
    command = [str(Path(sys.executable).with_name("outpace")), "run", *options, "--home", str(home), "--json"]
    given = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    ran = subprocess.run(command, env=given, capture_output=True, text=True, timeout=540, check=False)
    assert ran.returncode == 0, ran.stderr
    store = open_store(home)
    run = store.run("last")
    spent, statuses = store.spent(run.id), store.statuses(run.id)
    store.close()
    assert run.status == "finished"
    assert spent.model_calls >= 1
    assert spent.tokens > 0, "the server counts"
    return statuses.get("ok", 0) - 1  # the starting program is one of them


def test_a_small_model_makes_valid_children(task: Path, prompts: Path, base_url: str, tmp_path: Path) -> None:
    options = [str(task), "--model", "openai:smollm2", "--base-url", base_url, "--edit", "whole", "--workers", "1"]
    options += ["--prompts", str(prompts), "--max-tokens", "150", "--in-flight", "2"]
    greedy = valid_children([*options, "--temperature", "0", "--model-calls", "2"], tmp_path / "greedy")
    if not greedy:  # the same prompt has the same answer then: try others
        assert valid_children([*options, "--temperature", "0.7", "--model-calls", "16"], tmp_path / "sampled") >= 1

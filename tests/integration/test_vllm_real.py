"""A real vLLM server on the CPU, with a tiny model made here: started, asked and ended by Outpace.

``.ci/vllm-env.sh`` makes the environment; OUTPACE_TEST_VLLM names its Python. What this cannot show: speed, GPUs, large
models.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from outpace.agent.store import open_store

pytestmark = [pytest.mark.vllm]
PYTHON = os.environ.get("OUTPACE_TEST_VLLM", "")
if not PYTHON:
    pytest.skip("OUTPACE_TEST_VLLM names no Python with vLLM (.ci/vllm-env.sh makes one)", allow_module_level=True)

MARK = "OUTPACE_TEST_MARK"
# vLLM 0.32 on a CPU dies of a request with a seed whose prompt is read in more than one piece: read prompts whole
ARGUMENTS = "--enforce-eager --max-model-len 8192 --no-enable-chunked-prefill --max-num-batched-tokens 8192"
OWNER = """
import asyncio, json, sys
from outpace.agent.models.base import Message, Sampling
from outpace.agent.models.vllm import VllmModel

text = {"type": "string", "maxLength": 16}
edit = {"type": "object", "properties": {"search": text, "replace": text}, "required": ["search", "replace"]}
schema = {"type": "object", "properties": {"edits": {"type": "array", "items": edit, "minItems": 1, "maxItems": 2}}}
schema["required"] = ["edits"]
system = Message("system", "You improve programs. " * 100)


async def main():
    model = VllmModel(sys.argv[1], python=sys.argv[2])

    async def ask(number, **sampling):
        messages = [system, Message("user", f"Improve program {number}.")]
        answer = await model.complete(messages, key=f"{number}/0", sampling=Sampling(temperature=0.8, **sampling))
        return [[answer.text, *(one.text for one in answer.others)], answer.finish, answer.usage.cached_tokens]

    await ask(0, max_tokens=1)
    formed = await asyncio.gather(*(ask(n, max_tokens=400, seed=n, n=2, schema=schema) for n in range(1, 5)))
    cut = await ask(9, max_tokens=8)
    print(json.dumps({"formed": formed, "cut": cut}), flush=True)
    await asyncio.sleep(600)


asyncio.run(main())
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    maker = Path(__file__).with_name("tiny_llama.py")
    subprocess.run([PYTHON, maker, folder], check=True, capture_output=True, timeout=300)
    return folder


class Marked:
    """An environment whose processes, children of children included, can be told from all others."""

    def __init__(self) -> None:
        self._mark = uuid.uuid4().hex
        self.environment = {
            **os.environ,
            MARK: self._mark,
            "OUTPACE_VLLM_ARGS": ARGUMENTS,
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "HF_HUB_OFFLINE": "1",
        }

    @property
    def running(self) -> list[int]:
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"{MARK}={self._mark}".encode() in environ.read_bytes().split(b"\0"):
                    found.append(int(environ.parent.name))
            except OSError:  # gone meanwhile, or somebody else's
                continue
        return found

    def gone(self) -> bool:
        """Wait until no process is left, for a minute at most."""
        until = time.monotonic() + 60.0
        while self.running and time.monotonic() < until:
            time.sleep(0.1)
        return not self.running


@pytest.fixture
def marked() -> Iterator[Marked]:
    made = Marked()
    yield made
    for pid in made.running:
        os.kill(pid, signal.SIGKILL)


def test_answers_fit_the_schema_and_nothing_is_left_of_a_killed_owner(weights: Path, marked: Marked) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, weights, PYTHON], stdout=subprocess.PIPE, text=True, env=marked.environment
    ) as owner:
        assert owner.stdout is not None
        said = json.loads(owner.stdout.readline())
        assert len(marked.running) >= 4, "owner, keeper, server, engine"
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    assert marked.gone()
    for texts, finish, cached in said["formed"]:
        assert (len(texts), finish) == (2, "stop")
        assert cached > 0, "what the requests have in common is read once"
        for text in texts:
            edits = json.loads(text, strict=False)["edits"]
            assert 1 <= len(edits) <= 2
            assert all(set(edit) == {"search", "replace"} for edit in edits)
    assert said["cut"][1] == "length"


def test_a_run_starts_the_server_and_ends_it(weights: Path, marked: Marked, tmp_path: Path) -> None:
    outpace = str(Path(sys.executable).with_name("outpace"))
    command = [outpace, "run", "circle_packing", "--home", str(tmp_path), "--json"]
    command += ["--model", f"vllm:{weights}", "--vllm-python", PYTHON, "--edit", "json", "--max-tokens", "64"]
    ran = subprocess.run(
        [*command, "--model-calls", "8", "--workers", "1"],
        env=marked.environment,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert marked.gone()
    store = open_store(tmp_path)
    run = store.run("last")
    assert run.status == "finished"
    assert store.spent(run.id).model_calls == 8
    keys = [f"{number}/{turn}" for number in range(1, 17) for turn in range(2)]
    answers = [answer for key in keys if (answer := store.completion(run.id, key))]
    store.close()
    assert len(answers) == 8
    assert {answer.model for answer in answers} == {str(weights)}
    assert sum(answer.usage.cached_tokens for answer in answers) > 0
    assert all(answer.text.startswith("{") for answer in answers), "the schema was obeyed"

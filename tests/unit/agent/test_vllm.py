"""``VllmModel``: a server that is started, asked and ended; a stand-in takes the place of vLLM."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.models.base import Completion, Message, Model, Sampling
from outpace.agent.models.contract import ModelContract
from outpace.agent.models.open import open_model
from outpace.agent.models.vllm import VllmModel, environment
from outpace.errors import MissingPackage, ModelPermanent, UsageError

ASK = [Message("system", "You improve programs."), Message("user", "Improve this one.")]
STAND_IN = '''
"""Serves as vLLM does, and writes down what it saw."""

import argparse, http.server, json, os, signal, subprocess, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("command", choices=["serve"])
parser.add_argument("model")
parser.add_argument("--served-model-name")
parser.add_argument("--host")
parser.add_argument("--port", type=int)
parser.add_argument("--enable-prompt-tokens-details", action="store_true")
parser.add_argument("--enable-prefix-caching", action="store_true")
parser.add_argument("--structured-outputs-config", type=json.loads)
parser.add_argument("--seen")
parser.add_argument("--unready", type=int, default=0)
parser.add_argument("--die")
parser.add_argument("--die-when-asked", action="store_true")
parser.add_argument("--stubborn", action="store_true")
options = parser.parse_args()
print("starting with the key", os.environ["VLLM_API_KEY"], flush=True)
if options.die:
    print("loading\\nValueError: " + options.die, flush=True)
    sys.exit(3)
if options.stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


def saw(**what):
    with open(options.seen, "a") as file:
        file.write(json.dumps(what) + "\\n")


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        options.unready -= 1
        self.answer(503 if options.unready >= 0 else 200, {})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        saw(body=body, authorization=self.headers["authorization"])
        if options.die_when_asked:
            print("torch.OutOfMemoryError: no memory is left", flush=True)
            os._exit(9)
        choice = {"message": {"role": "assistant", "content": "an answer"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}
        right = self.headers["authorization"] == "Bearer " + os.environ["VLLM_API_KEY"]
        self.answer(200 if right else 401, {"model": body["model"], "choices": [choice], "usage": usage})

    def log_message(self, *_):
        pass


saw(pids=[os.getpid(), engine.pid], arguments=sys.argv[1:], environment=dict(os.environ))
http.server.ThreadingHTTPServer((options.host, options.port), Handler).serve_forever()
'''


class StandIn:
    """Where the stand-in writes what it saw, and how it is told what to do."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen, self._monkeypatch = folder / "seen.jsonl", monkeypatch
        inner = folder / "path" / "vllm" / "entrypoints" / "cli"
        inner.mkdir(parents=True)
        for package in (inner, inner.parent, inner.parent.parent):
            (package / "__init__.py").touch()
        (inner / "main.py").write_text(STAND_IN, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(folder / "path"))
        self.told()

    def told(self, *arguments: str) -> None:
        """Have the servers that are started from now on do something else."""
        self._monkeypatch.setenv("OUTPACE_VLLM_ARGS", " ".join(["--seen", f"'{self.seen}'", *arguments]))

    def saw(self, what: str) -> list[Any]:
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        return [line[what] for line in map(json.loads, lines) if what in line]

    @property
    def left(self) -> list[int]:
        """The processes of servers that still run."""
        return [pid for pids in self.saw("pids") for pid in pids if runs(pid)]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    made = StandIn(tmp_path, monkeypatch)
    yield made
    assert not made.left


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def asked(model: VllmModel, *, count: int = 1, sampling: Sampling | None = None) -> list[Completion]:
    async def ask() -> list[Completion]:
        try:
            requests = (model.complete(ASK, key=f"{n}/0", sampling=sampling or Sampling()) for n in range(count))
            return await asyncio.gather(*requests)
        finally:
            await model.aclose()

    return asyncio.run(ask())


def made(name: str = "tiny", **options: Any) -> VllmModel:
    return VllmModel(name, python=sys.executable, **options)


@pytest.mark.usefixtures("stand_in")
class TestContract(ModelContract):
    @pytest.fixture
    def model(self) -> Model:
        return made()


def test_a_server_is_started_asked_and_ended(stand_in: StandIn) -> None:
    model = open_model("vllm:tiny", vllm_python=sys.executable)
    assert isinstance(model, VllmModel)
    assert not stand_in.saw("pids"), "nothing runs before the first request"
    answers = asked(model, count=8)
    assert {(answer.text, answer.model, answer.usage.cached_tokens) for answer in answers} == {("an answer", "tiny", 8)}
    assert len(stand_in.saw("pids")) == 1, "one server serves all"
    assert not stand_in.left, "the server and the process that it put into a session of its own are gone"
    arguments = stand_in.saw("arguments")[0]
    assert arguments[:6] == ["serve", "tiny", "--served-model-name", "tiny", "--host", "127.0.0.1"]
    assert {"--enable-prompt-tokens-details", "--enable-prefix-caching"} <= set(arguments)


def test_it_waits_until_the_server_is_ready(stand_in: StandIn) -> None:
    stand_in.told("--unready", "3")
    assert asked(made())[0].text == "an answer"


def test_a_server_that_is_never_ready_is_given_up(stand_in: StandIn) -> None:
    stand_in.told("--unready", "1000000")
    with pytest.raises(ModelPermanent, match=r"vLLM was not ready after 0\.6 s\. The end of its log: "):
        asked(made(start_s=0.6))


def test_a_server_that_dies_at_the_start_shows_its_log_without_the_key(stand_in: StandIn) -> None:
    stand_in.told("--die", "'no such model'")
    with pytest.raises(ModelPermanent) as caught:
        asked(made("/models/none"), count=4)
    text = str(caught.value)
    assert "ended with exit code 3" in text
    assert "ValueError: no such model" in text
    assert "Try it by hand: vllm serve /models/none" in text
    assert "\n" not in text


def test_a_server_that_dies_later_ends_the_requests_at_once(stand_in: StandIn) -> None:
    stand_in.told("--die-when-asked")
    with pytest.raises(ModelPermanent, match=r"exit code 9.*OutOfMemoryError: no memory is left"):
        asked(made(), count=3)


def test_the_key_is_random_and_in_no_argument(stand_in: StandIn) -> None:
    asked(made())
    asked(made())
    keys = [one.removeprefix("Bearer ") for one in stand_in.saw("authorization")]
    assert len(set(keys)) == 2
    assert min(map(len, keys)) >= 32
    assert not any(key in str(stand_in.saw("arguments")) for key in keys)


def test_other_keys_stay_here(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    asked(made())
    (seen,) = stand_in.saw("environment")
    assert "sk-ours" not in str(seen)
    assert stand_in.saw("authorization") != ["Bearer sk-ours"]


def test_what_a_server_gets_of_the_environment() -> None:
    ours = {
        "PATH": "/bin",
        "HF_TOKEN": "hf",
        "HF_HOME": "/models",
        "TOKENIZERS_PARALLELISM": "false",
        "KEYBOARD": "de",
        "OPENAI_API_KEY": "x",
        "ANTHROPIC_APIKEY": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "GITHUB_TOKEN": "x",
        "PGPASSWORD": "x",
        "OPENAI_BASE_URL": "http://x",
        "VLLM_API_KEY": "x",
        "VIRTUAL_ENV": "/x",
    }
    kept = environment(ours, "its own")
    assert "x" not in kept.values()
    assert set(kept) - set(ours) == {"VLLM_HOST_IP", "VLLM_NO_USAGE_STATS", "PYTHONUNBUFFERED"}
    assert {"PATH", "HF_TOKEN", "HF_HOME", "TOKENIZERS_PARALLELISM", "KEYBOARD"} <= set(kept)
    assert kept["VLLM_API_KEY"] == "its own"


def test_a_schema_goes_out_as_structured_outputs(stand_in: StandIn) -> None:
    schema = {"type": "object", "properties": {"thought": {"type": "string"}}}
    asked(made(), sampling=Sampling(schema=schema, n=2, seed=3))
    (body,) = stand_in.saw("body")
    assert body["structured_outputs"] == {"json": schema, "disable_any_whitespace": True}
    assert "response_format" not in body
    assert (body["n"], body["seed"], body["model"]) == (2, 3, "tiny")


def test_a_folder_is_served_by_its_path_under_its_name(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").mkdir()
    monkeypatch.chdir(tmp_path)
    model = made("weights")
    assert (model.name, asked(model)[0].model) == ("vllm:weights", "weights")
    assert stand_in.saw("arguments")[0][1:4] == [str(tmp_path / "weights"), "--served-model-name", "weights"]


def test_a_cancelled_request_leaves_the_server_to_the_others(stand_in: StandIn) -> None:
    stand_in.told("--unready", "4")
    model = made()

    async def ask() -> str:
        first, second = (asyncio.create_task(model.complete(ASK, key=f"{n}/0")) for n in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        try:
            return (await second).text
        finally:
            await model.aclose()

    assert asyncio.run(ask()) == "an answer"
    assert len(stand_in.saw("pids")) == 1


OWNER = """
import asyncio, sys
from outpace.agent.models.base import Message
from outpace.agent.models.vllm import VllmModel

async def ask():
    model = VllmModel("tiny", python=sys.executable)
    await model.complete([Message("user", "Hello.")], key="1/0")
    print("answered", flush=True)
    if sys.argv[1:] == ["raise"]:
        raise RuntimeError("something else went wrong")
    await asyncio.sleep(600)

asyncio.run(ask())
"""


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "SIGINT", "raise"])
def test_nothing_is_left_however_its_owner_ends(stand_in: StandIn, end: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, end], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "answered\n"
        if end != "raise":
            assert len(stand_in.left) == 2
            owner.send_signal(signal.Signals[end])
        owner.wait()
    until = time.monotonic() + 60.0
    while stand_in.left and time.monotonic() < until:
        time.sleep(0.02)
    assert not stand_in.left


def test_a_running_server_is_joined_and_no_process_is_started(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = made()

    async def ask() -> None:
        await owner.complete(ASK, key="1/0")
        assert owner._server is not None
        monkeypatch.setenv("VLLM_API_KEY", owner._server.key)
        joined = open_model("vllm:tiny", base_url=f"{owner._server.url}/v1")
        assert isinstance(joined, VllmModel)
        answer = await joined.complete(ASK, key="1/0", sampling=Sampling(schema={"type": "object"}))
        assert (joined.name, answer.text) == ("vllm:tiny", "an answer")
        await joined.aclose()
        assert len(stand_in.left) == 2, "it is not ours to end"
        await owner.aclose()

    asyncio.run(ask())
    assert len(stand_in.saw("pids")) == 1
    assert "structured_outputs" in stand_in.saw("body")[1]


def test_an_interpreter_without_vllm_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingPackage, match=r"has no vLLM\. Install vLLM into an environment of its own"):
        open_model("vllm:tiny", vllm_python=sys.executable)
    with pytest.raises(MissingPackage, match=r"This Python has no vLLM\. .*--vllm-python"):
        open_model("vllm:tiny")
    with pytest.raises(UsageError, match=r"is no Python that runs: No such file or directory\."):
        open_model("vllm:tiny", vllm_python=str(tmp_path / "python"))


def test_arguments_that_cannot_be_read_are_refused(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTPACE_VLLM_ARGS", "--max-model-len '2048")
    with pytest.raises(UsageError, match="OUTPACE_VLLM_ARGS cannot be read: No closing quotation"):
        made()

"""A whole run against an endpoint that has a bad day: nothing is lost, nothing is paid twice, the ledger is right."""

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import outpace
from outpace.agent.budget import Spent
from outpace.agent.cli.main import main
from outpace.agent.evolve import Report, RunOptions, start_run
from outpace.agent.models.base import Completion, Message, Sampling
from outpace.agent.models.openai import MOST_BYTES, OpenAIModel
from outpace.agent.models.paid import UNSEEN_TOKENS
from outpace.agent.models.retry import Retry
from outpace.agent.proposing import Proposing
from outpace.agent.store import open_store
from outpace.errors import ModelTransient

KEY = "sk-test-of-a-bad-day-0123456789abcdef"
RINGS = re.compile(r"^RINGS = .*$", re.MULTILINE)
QUICK = Retry(first_s=0.01, cap_s=0.05, deadline_s=60.0)
FAULTS = ("limit", "limit", "error", "error", "hang", "cut", "close", "json", "huge")
GARBLED = ("json", "huge")  # what comes with status 200 and may have been paid for
USAGES: Mapping[str, Any] = {
    "right": {"prompt_tokens": 100, "completion_tokens": 20},
    "negative": {"prompt_tokens": -5, "completion_tokens": -1},
    "absurd": {"prompt_tokens": 10**12, "completion_tokens": 10**30},
    "text": {"prompt_tokens": "many", "completion_tokens": [], "cost": "a lot"},
    "missing": None,
}
ANSWERS = ("edit", "edit", "edit", "edit", "empty", "refusal", "truncated")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@dataclass
class BadDay:
    """Decides what each try of a request gets, by chance that hangs on the request and not on when it comes.

    A request is known by its seed, which each brief has one of, and its turn. ``answered`` counts the whole answers
    that each request got, ``garbled`` the unreadable ones; ``took`` holds what an honest count of the last one is.
    """

    server: Any
    fault: Any
    slow_s: float = 0.0
    faults: tuple[str, ...] = FAULTS
    usages: tuple[str, ...] = tuple(USAGES)
    tries: Counter[tuple[int, int]] = field(default_factory=Counter)
    answered: Counter[tuple[int, int]] = field(default_factory=Counter)
    garbled: Counter[tuple[int, int]] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)

    def reply(self, seen: Any) -> Any:
        self.server.requests.append(seen)
        self.server.arrived.set()
        request = request_of(seen)
        number, chance = self.tries[request], random.Random(f"{request}")
        self.tries[request] += 1
        troubles = [chance.choice(self.faults) for _ in range(chance.choice((0, 0, 1, 2)))]
        kind, usage = chance.choice(ANSWERS), chance.choice(self.usages)
        if number < len(troubles):
            self.met[troubles[number]] += 1
            self.garbled[request] += troubles[number] in GARBLED
            return self.trouble(troubles[number])
        self.met[kind] += 1
        self.met[usage] += 1
        self.server.stopping.wait(self.slow_s)
        self.answered[request] += 1
        return self.fault(status=200, body=self.answer(kind, usage, seen.body["messages"], chance))

    def trouble(self, kind: str) -> Any:
        if kind == "limit":
            return self.fault(status=429, headers={"retry-after-ms": "50"})
        if kind == "json":
            return self.fault(status=200, body='{"choices": [{"message": ')
        if kind == "huge":
            return self.fault(status=200, body=completion("x" * 10_000_000, "stop", None))
        return self.fault(status=500) if kind == "error" else self.fault(kind=kind)

    def answer(self, kind: str, usage: str, messages: list[dict[str, str]], chance: random.Random) -> dict[str, Any]:
        line = RINGS.findall("\n".join(one["content"] for one in messages if one["role"] == "user"))[0]
        better = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {0.4 + 0.1 * chance.random():.6f}, 0.02)]"
        edit = f"Wider.\n\n<<<<<<< SEARCH\n{line}\n=======\n{better}\n>>>>>>> REPLACE\n"
        text = {"empty": "", "truncated": edit[:60]}.get(kind, edit)
        body = completion(text, "length" if kind == "truncated" else "stop", USAGES[usage])
        if kind == "refusal":
            body["choices"][0]["message"] = {
                "role": "assistant",
                "content": None,
                "refusal": "I cannot help with that.",
            }
        return body


def completion(text: str, finish: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "bad-day", "choices": [choice]}
    return body if usage is None else {**body, "usage": usage}


def request_of(seen: Any) -> tuple[int, int]:
    return seen.body["seed"], sum(one["role"] == "assistant" for one in seen.body["messages"])


@pytest.fixture
def bad_day(model_server: Any, fault: Any) -> BadDay:
    day = BadDay(model_server, fault)
    model_server.reply = day.reply
    return day


def run(day: BadDay, home: Path, **bounds: Any) -> Report:
    model = OpenAIModel("bad-day", base_url=day.server.base_url, timeout_s=5.0, retry=QUICK)
    options = RunOptions(
        task="circle_packing",
        proposing=Proposing(models=(model,), base_url=day.server.base_url),
        seed=2,
        workers=2,
        budget=outpace.Budget(**bounds),
    )
    return asyncio.run(start_run(options, home=home))


def kept(home: Path) -> tuple[dict[tuple[int, int], Completion], Spent]:
    """Return the stored answers of the last run, by request as the endpoint sees it, and the run's bill."""
    store = open_store(home)
    try:
        of = store.run("last").id
        briefs = [one.brief for one in store.results(of)] + [one.brief for one in store.pending(of)]
        found = {
            (brief.seed % 2**31, turn): answer
            for brief in briefs
            for turn in (0, 1)
            if (answer := store.completion(of, f"{brief.number}/{turn}"))
        }
        return found, store.spent(of)
    finally:
        store.close()


def total(answers: Mapping[Any, Completion]) -> Spent:
    bills = [Spent.on(answer.usage) for answer in answers.values()]
    names = ("model_calls", "tokens", "usd", "unpriced_calls")
    return Spent(**{name: sum(getattr(bill, name) for bill in bills) for name in names})


def agree(day: BadDay, home: Path) -> Spent:
    """Hold the endpoint's log, the stored answers and the bill against one another; return the bill."""
    answers, spent = kept(home)
    assert set(day.answered) == set(answers), "each whole answer is kept"
    assert max(day.answered.values()) == 1, "nothing is paid twice"
    sums = total(answers)
    for name in ("model_calls", "tokens", "usd", "unpriced_calls"):
        assert getattr(spent, name) == getattr(sums, name), name
    for request, answer in answers.items():
        assert 1 <= answer.usage.calls <= 1 + day.garbled[request], "what cannot be read may have been paid for"
        assert answer.usage.tokens < UNSEEN_TOKENS, "an absurd count is not believed"
    return spent


@pytest.mark.slow
def test_a_run_ends_by_its_calls_whatever_the_endpoint_does(bad_day: BadDay, tmp_path: Path) -> None:
    report = run(bad_day, tmp_path, model_calls=70)
    assert report.ended == "model_calls"
    spent = agree(bad_day, tmp_path)
    assert 70 <= spent.model_calls <= 70 + Retry().garbled - 1, "one call may be tried again where it cannot be read"
    assert len(bad_day.answered) <= 70
    assert {*FAULTS, *ANSWERS, *USAGES} <= set(bad_day.met), "the day was not bad enough to say anything"
    assert report.statuses["ok"] > 1 and report.statuses["failed"] >= 1
    assert report.champion is not None
    assert report.spent == spent


def test_a_run_ends_by_its_tokens_even_if_the_endpoint_does_not_count_them(bad_day: BadDay, tmp_path: Path) -> None:
    bad_day.usages, bad_day.faults = ("missing", "negative", "text"), ("limit", "error", "cut", "json")
    report = run(bad_day, tmp_path, tokens=150_000)
    assert report.ended == "tokens"
    spent = agree(bad_day, tmp_path)
    answers, _ = kept(tmp_path)
    assert all(answer.usage.tokens > 1000 for answer in answers.values()), "a prompt has more bytes than that"
    assert 150_000 <= spent.tokens < 500_000


def test_what_an_endpoint_says_beyond_reason_counts_by_length(bad_day: BadDay, tmp_path: Path) -> None:
    bad_day.faults, bad_day.usages = ("error",), ("absurd", "right")
    run(bad_day, tmp_path, model_calls=12)
    answers, spent = kept(tmp_path)
    sizes = {request_of(seen): len(json.dumps(seen.body["messages"])) for seen in bad_day.server.requests}
    absurd = [request for request, answer in answers.items() if answer.usage.tokens != 120]
    assert 0 < len(absurd) < len(answers)
    for request in absurd:
        assert 0.5 * sizes[request] < answers[request].usage.tokens < 1.5 * sizes[request]
    assert spent.tokens == sum(answer.usage.tokens for answer in answers.values())


def test_an_answer_without_end_is_not_read_to_its_end(model_server: Any, fault: Any) -> None:
    model_server.faults = [fault(status=200, body=completion("x" * (MOST_BYTES + 1), "stop", None))] * 3
    model = OpenAIModel("bad-day", base_url=model_server.base_url, retry=QUICK)

    async def ask() -> Completion:
        async with model:
            return await model.complete([Message("user", "Hello.")], key="1/0", sampling=Sampling())

    with pytest.raises(ModelTransient, match=r"no chat completion: more than 8 MiB in one answer\. Given up after 3"):
        asyncio.run(ask())
    model_server.answers = ["back again"]
    assert asyncio.run(ask()).text == "back again"


MODEL = """\
from outpace.agent.models.openai import OpenAIModel
from outpace.agent.models.retry import Retry


def quick(base_url=None):
    retry = Retry(first_s=0.01, cap_s=0.05, deadline_s=60.0)
    model = OpenAIModel("bad-day", base_url=base_url, timeout_s=5.0, retry=retry)
    model.name = "bad_day_model:quick"
    return model
"""


@pytest.mark.slow
def test_kills_on_a_bad_day_pay_for_no_kept_answer_again(bad_day: BadDay, tmp_path: Path) -> None:
    (tmp_path / "bad_day_model.py").write_text(MODEL)
    bad_day.slow_s = 0.05
    home, chance = tmp_path / "home", random.Random(8)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    outpace_at = [sys.executable, "-m", "outpace", "--home", str(home)]
    endpoint = ["--model", "bad_day_model:quick", "--base-url", bad_day.server.base_url]
    command = [*outpace_at, "run", "circle_packing", *endpoint, "--model-calls", "90", "--workers", "2"]
    answers: Mapping[tuple[int, int], Completion] = {}
    paid = 0
    for _ in range(3):
        before = len(bad_day.server.requests)
        bad_day.server.arrived.clear()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        if bad_day.server.arrived.wait(60):
            time.sleep(1.5 * chance.random())
        process.kill()
        process.wait()
        again = {request_of(seen) for seen in bad_day.server.requests[before:]}
        assert not again & set(answers), "an answer that was kept has been asked for again"
        answers, _ = kept(home)
        paid = sum(bad_day.answered.values()) - len(answers)
        command = [*outpace_at, "resume", "last"]
    before = len(bad_day.server.requests)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert not {request_of(seen) for seen in bad_day.server.requests[before:]} & set(answers)
    answers, spent = kept(home)
    assert set(answers) == set(bad_day.answered)
    assert sum(bad_day.answered.values()) - len(answers) <= paid, "only what was in flight at a kill is paid twice"
    assert spent.model_calls == total(answers).model_calls
    assert spent.tokens == total(answers).tokens


def refused(status: int, message: str, **more: str) -> dict[str, Any]:
    return {"status": status, "body": {"error": {"message": message, **more}}}


LONG = "This model's maximum context length is 2048 tokens."
NO_CREDIT = "You exceeded your current quota."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (refused(401, f"Incorrect API key provided: {KEY}"), "provided: [key]. Check the key in OPENAI_API_KEY."),
        (refused(404, "The model `x` does not exist."), "Is there a model 'x', and does the base URL end"),
        (refused(400, LONG, code="context_length_exceeded"), "do not fit the context of 'x': take a larger one."),
        (refused(429, NO_CREDIT, code="insufficient_quota"), "The account has no credit left: add some,"),
        (
            {**refused(429, "Slow down."), "headers": {"Retry-After": "3600"}},
            "is failing for now (429): Slow down. It asks to wait 3,600 s: go on after that. Given up after 1 try",
        ),
    ],
)
def test_what_does_not_pass_stops_the_run_at_once_and_says_what_to_do(
    model_server: Any,
    fault: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    given: Mapping[str, Any],
    said: str,
) -> None:
    model_server.faults = [fault(**given)] * 99
    assert command(tmp_path, "run", "circle_packing", *at(model_server), "--model-calls", "4") == 1
    shown = capfd.readouterr().err.splitlines()
    assert shown[-1].startswith("outpace: ") and said in shown[-1]
    assert sum(said in line for line in shown) == 1
    assert any(line.startswith("What was found is stored; go on with: outpace resume ") for line in shown)
    assert 1 <= len(model_server.requests) <= 4, "nobody goes on asking"
    model_server.faults, model_server.answers = [], lambda _: "I know nothing better."
    assert command(tmp_path, "resume", "last") == 0
    everything = [*shown, *capfd.readouterr()]
    assert not any(KEY in text for text in everything)
    assert KEY.encode() not in (tmp_path / "outpace.db").read_bytes()
    answers, spent = kept(tmp_path)
    assert len(answers) == spent.model_calls == 4


@pytest.mark.slow
def test_an_endpoint_that_is_not_there_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    where = ["--model", "openai:x", "--base-url", "http://127.0.0.1:9/v1"]
    assert command(tmp_path, "run", "circle_packing", *where, "--model-calls", "4") == 1
    shown = capfd.readouterr().err.splitlines()
    assert "Cannot reach http://127.0.0.1:9/v1: " in shown[-1]
    assert "Check that the server runs and that the base URL is right. Given up after" in shown[-1]


@pytest.mark.slow
def test_what_passes_is_waited_for_and_that_is_said_once(
    model_server: Any, fault: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model_server.faults = [
        fault(status=429, headers={"Retry-After": "2"}, body={"error": {"message": "Slow down."}})
    ] * 4
    model_server.answers = lambda _: "I know nothing better."
    assert command(tmp_path, "run", "circle_packing", *at(model_server), "--model-calls", "4") == 0
    shown = capfd.readouterr().err
    waits = re.findall(
        r"^openai:x, request \d+/0: .* is failing for now \(429\): Slow down\. Next try in .*$", shown, re.M
    )
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("refusal", "The model refused to answer: I cannot help with that. If that goes on: another model"),
        ("empty", "it is empty, apart from thoughts perhaps. If that goes on: look at how the endpoint serves"),
        ("truncated", "cut off at the token limit before it was complete. If that goes on: --max-tokens."),
    ],
)
def test_why_nothing_came_of_answers_is_said_once(
    bad_day: BadDay, tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, said: str
) -> None:
    def reply(seen: Any) -> Any:
        body = bad_day.answer(kind, "right", seen.body["messages"], random.Random(1))
        return bad_day.fault(status=200, body=body)

    bad_day.server.reply = reply
    assert command(tmp_path, "run", "circle_packing", *at(bad_day.server), "--model-calls", "6") == 0
    shown = capfd.readouterr().err
    assert shown.count(said) == 1
    assert len(re.findall(r"^Brief \d+ gave no candidate: ", shown, re.M)) == 1


def at(server: Any) -> list[str]:
    return ["--model", "openai:x", "--base-url", server.base_url, "--workers", "1", "--in-flight", "1"]


def command(home: Path, *arguments: str) -> int:
    """Run the command line here, and return its exit code."""
    before, sys.argv = sys.argv, ["outpace", "--home", str(home), *arguments]
    try:
        main()
    except SystemExit as leaving:
        return int(leaving.code or 0)
    finally:
        sys.argv = before
    return 0

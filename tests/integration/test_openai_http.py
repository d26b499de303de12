"""``OpenAIModel`` against a real HTTP server, through the official client, with the faults that endpoints have."""

import asyncio
import logging
import socket
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, TypeVar

import pytest

from outpace.agent.models.base import Choice, Completion, Message, Sampling
from outpace.agent.models.openai import OpenAIModel
from outpace.agent.models.retry import Retry
from outpace.agent.proposal import Brief, Member, ModelUsage
from outpace.agent.proposers.model import ModelProposer
from outpace.errors import ModelError, ModelPermanent, ModelTransient, ProposalError, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

KEY = "sk-test-0123456789abcdef0123456789abcdef"
ASK = [Message("system", "You improve programs."), Message("user", "Improve this one.")]
QUICK = Retry(first_s=0.01, cap_s=0.05, deadline_s=20.0, contact_s=0.3)
PROGRAM = "import math\n\n\n# EVOLVE-BLOCK-START\ndef area(r):\n    return 3 * r * r\n\n\n# EVOLVE-BLOCK-END\n"
DIFF = """Use the real number.

<<<<<<< SEARCH
    return 3 * r * r
=======
    return math.pi * r * r
>>>>>>> REPLACE
"""
WAITS = [("Retry-After", "1"), ("retry-after-ms", "200")]
UNSUPPORTED = {"message": "Unsupported parameter", "param": "temperature", "code": "unsupported_parameter"}
T = TypeVar("T")


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


def used(model: OpenAIModel, use: Callable[[OpenAIModel], Awaitable[T]]) -> T:
    async def run() -> T:
        async with model:
            return await use(model)

    return asyncio.run(run())


def asked(model: OpenAIModel, sampling: Sampling | None = None) -> Completion:
    return used(model, lambda m: m.complete(ASK, key="1/0", sampling=sampling or Sampling()))


def task() -> Task:
    goal = Goal(kind="metric", name="error", direction="minimise")
    spec = TaskSpec(
        name="area", title="Area", statement="State the area.", entry="area", goal=goal, cases=(Case(name="a"),)
    )
    return Task(spec, Candidate({"program.py": PROGRAM}))


def brief() -> Brief:
    member = Member(Candidate({"program.py": PROGRAM}), Evaluation(status="ok", score=0.1))
    return Brief(number=7, parents=(member,), seed=2**40 + 5)


def test_an_answer_comes_back_with_its_usage(model_server: Any) -> None:
    model_server.answers = ["Hello."]
    model_server.usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 30},
        "cost": 0.0125,
    }
    answer = asked(OpenAIModel("tiny", base_url=model_server.base_url))
    assert (answer.text, answer.model, answer.finish) == ("Hello.", "tiny", "stop")
    assert answer.usage == ModelUsage(
        calls=1, input_tokens=36, cached_tokens=64, output_tokens=20, reasoning_tokens=30, cost_usd=0.0125
    )
    assert answer.latency_s > 0


def test_the_request_says_what_was_asked_and_nothing_else(model_server: Any) -> None:
    model_server.answers = ["a", "b"]
    model = OpenAIModel("tiny", base_url=model_server.base_url + "/", extra={"top_k": 20})
    asked(model)
    asked(model, Sampling(max_tokens=77, temperature=0.5, seed=2**31 + 3, schema={"type": "object"}))
    plain, full = (seen.body for seen in model_server.requests)
    messages = [
        {"role": "system", "content": "You improve programs."},
        {"role": "user", "content": "Improve this one."},
    ]
    assert plain == {"model": "tiny", "messages": messages, "top_k": 20}
    assert full == plain | {
        "max_tokens": 77,
        "temperature": 0.5,
        "seed": 3,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
        },
    }
    assert {seen.headers["authorization"] for seen in model_server.requests} == {"Bearer no-key-needed"}


def test_several_answers_come_with_one_request(model_server: Any) -> None:
    model_server.answers = ["one", "two", "three", "four"]
    model = OpenAIModel("tiny", base_url=model_server.base_url)
    first, second = asked(model, Sampling(n=3)), asked(model)
    assert [first.choice(index) for index in range(4)] == [Choice("one"), Choice("two"), Choice("three"), None]
    assert (first.usage.calls, second.text, second.others) == (1, "four", ())
    assert [seen.body.get("n") for seen in model_server.requests] == [3, None]


@pytest.mark.parametrize(
    "refusal",
    [
        {"message": "Unsupported parameter: 'n'", "code": "unsupported_parameter", "param": "n"},
        {"message": "Only one completion choice is allowed"},
        {"message": "'n' : number must be at most 1"},
        {"message": "n > 1 is not supported"},
    ],
)
def test_an_endpoint_that_gives_one_answer_at_a_time_is_asked_for_one(
    model_server: Any, fault: Any, refusal: dict[str, str]
) -> None:
    model_server.faults = [fault(status=400, body={"error": refusal})]
    model_server.answers = ["one", "two"]
    model = OpenAIModel("tiny", base_url=model_server.base_url)
    answers = [asked(model, Sampling(n=3)), asked(model, Sampling(n=3))]
    assert [(answer.text, answer.others) for answer in answers] == [("one", ()), ("two", ())]
    assert [seen.body.get("n") for seen in model_server.requests] == [3, None, None]


def test_a_key_is_taken_out_of_every_answer(model_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model_server.answers = [KEY, f"print('{KEY}')"]
    answer = asked(OpenAIModel("tiny", base_url=model_server.base_url), Sampling(n=2))
    assert (answer.text, answer.others) == ("[key]", (Choice("print('[key]')"),))


def test_a_schema_that_an_endpoint_does_not_take_is_only_asked_for(model_server: Any) -> None:
    model_server.unknown, model_server.answers = {"response_format"}, ["{}"]
    assert asked(OpenAIModel("tiny", base_url=model_server.base_url), Sampling(schema={"type": "object"})).text == "{}"
    assert ["response_format" in seen.body for seen in model_server.requests] == [True, False]


def test_an_answer_cut_off_at_the_token_limit_says_so(model_server: Any) -> None:
    model_server.answers, model_server.finish, model_server.usage = ["half"], "length", None
    answer = asked(OpenAIModel("tiny", base_url=model_server.base_url))
    assert answer.finish == "length"
    assert answer.usage == ModelUsage(calls=1, cost_usd=None)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_passes_by_itself_is_waited_for(model_server: Any, fault: Any, status: int) -> None:
    model_server.faults = [fault(status=status), fault(status=status)]
    model_server.answers = ["at last"]
    assert asked(OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK)).text == "at last"
    assert len(model_server.requests) == 3


def test_retry_after_is_honoured(model_server: Any, fault: Any) -> None:
    model_server.faults = [
        fault(status=429, headers={"Retry-After": "1"}),
        fault(status=429, headers={"retry-after-ms": "200"}),
    ]
    model_server.answers = ["at last"]
    assert asked(OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK)).text == "at last"
    first, second, third = (seen.at_s for seen in model_server.requests)
    assert second - first >= 1.0  # the wait is a lower bound; how late the test comes does not matter
    assert third - second >= 0.2


def test_a_wait_beyond_the_deadline_is_given_up_at_once(model_server: Any, fault: Any) -> None:
    model_server.faults = [fault(status=429, headers={"Retry-After": "3600"})]
    with pytest.raises(ModelTransient, match=r"\(429\).*asks to wait 3,600 s: go on after that\. Given up after 1 try"):
        asked(OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK))
    assert len(model_server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error", "remedy"),
    [
        (429, {"message": "You exceeded your current quota.", "code": "insufficient_quota"}, "no credit left"),
        (429, {"message": "You exceeded your current quota.", "type": "insufficient_quota"}, "no credit left"),
        (402, {"message": "Insufficient credits"}, "no credit left"),
        (401, {"message": "Invalid key"}, "Set a key in OPENAI_API_KEY"),
        (403, {"message": "Country not supported"}, "has no access to the model 'tiny'"),
        (404, {"message": "No such model"}, "Is there a model 'tiny'"),
        (400, {"message": "too long", "code": "context_length_exceeded"}, "do not fit the context of 'tiny'"),
        (400, {"message": "This model's maximum context length is 2048 tokens."}, "do not fit the context"),
        (400, {"message": "temperature must be at most 1"}, "change the model or its settings"),
        (
            400,
            {"message": "Unsupported parameter", "param": "temperature", "code": "unsupported_parameter"},
            "leave it out",
        ),
        (418, {"message": "I am a teapot"}, "change the model or its settings"),
    ],
)
def test_what_will_not_get_better_ends_at_once(
    model_server: Any, fault: Any, status: int, error: dict[str, str], remedy: str
) -> None:
    model_server.faults = [fault(status=status, body={"error": error})]
    model_server.answers = ["never asked for"]
    with pytest.raises(ModelPermanent, match=remedy) as caught:
        asked(OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK))
    assert len(model_server.requests) == 1
    assert "\n" not in str(caught.value)
    assert error["message"].rstrip(".") in str(caught.value)


def test_a_hanging_endpoint_is_left_after_the_time_limit(model_server: Any, fault: Any) -> None:
    model_server.faults = [fault(kind="hang")]
    model_server.answers = ["at last"]
    assert asked(OpenAIModel("tiny", base_url=model_server.base_url, timeout_s=0.3, retry=QUICK)).text == "at last"
    assert len(model_server.requests) == 2


def test_an_endpoint_that_always_hangs_is_given_up(model_server: Any, fault: Any) -> None:
    model_server.faults = [fault(kind="hang")] * 100
    retry = Retry(first_s=0.01, cap_s=0.01, deadline_s=0.6)
    with pytest.raises(ModelTransient, match=r"No whole answer from http://127.0.0.1:\d+/v1: waited"):
        asked(OpenAIModel("tiny", base_url=model_server.base_url, timeout_s=0.2, retry=retry))
    assert 2 <= len(model_server.requests) <= 4


@pytest.mark.parametrize("kind", ["cut", "close"])
def test_a_lost_connection_is_tried_again(model_server: Any, fault: Any, kind: str) -> None:
    model_server.faults = [fault(kind=kind)]
    model_server.answers = ["at last"]
    assert asked(OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK)).text == "at last"


@pytest.mark.parametrize(
    "body",
    ['{"choices": [', "<html>busy</html>", "[]", '{"choices": []}', '{"choices": [{"message": null}]}', "[" * 100_000],
)
def test_an_unreadable_answer_is_asked_for_again_but_not_for_ever(model_server: Any, fault: Any, body: str) -> None:
    model_server.faults = [fault(status=200, body=body)] * 2
    model_server.answers = ["at last"]
    model = OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK)
    answer = asked(model)
    assert answer.text == "at last"
    assert answer.usage == ModelUsage(calls=3, input_tokens=300, output_tokens=60), "each may have been paid for"
    model_server.faults = [fault(status=200, body=body)] * 9
    with pytest.raises(ModelTransient, match="no chat completion"):
        asked(model)
    assert len(model_server.requests) == 3 + QUICK.garbled


def test_an_endpoint_that_is_not_there_is_named_soon() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ModelTransient, match=f"Cannot reach {url}: .*Check that the server runs"):
            asked(OpenAIModel("tiny", base_url=url, retry=QUICK))


@pytest.mark.parametrize("concurrent", [1, 4])
def test_a_field_that_the_endpoint_does_not_know_is_left_out(model_server: Any, concurrent: int) -> None:
    model_server.unknown = {"seed", "max_tokens"}
    model_server.answers = lambda _: "fine"

    async def ask(model: OpenAIModel) -> list[Completion]:
        sampling = Sampling(seed=1, max_tokens=10)
        return await asyncio.gather(*(model.complete(ASK, key=f"{n}/0", sampling=sampling) for n in range(concurrent)))

    answers = used(OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK), ask)
    assert [answer.text for answer in answers] == ["fine"] * concurrent
    last = model_server.requests[-1].body
    assert last["max_completion_tokens"] == 10
    assert not {"seed", "max_tokens"} & set(last)


def test_a_wrong_key_stops_at_once_and_is_never_shown(
    model_server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", KEY)
    model_server.key = "another"
    model = OpenAIModel("tiny", base_url=model_server.base_url, api_key_env="MY_KEY")
    with pytest.raises(
        ModelPermanent, match=r"Incorrect API key provided: \[key\]\. Check the key in MY_KEY\."
    ) as caught:
        asked(model)
    assert model_server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    shown = [str(caught.value), repr(caught.value), repr(model), str(vars(caught.value)), caplog.text]
    shown += traceback.format_exception(caught.value)
    assert not any(KEY in text or KEY[:12] in text for text in shown)


def test_the_key_is_in_no_answer_and_no_transient_error(
    model_server: Any, fault: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    model_server.key = KEY
    model_server.answers = [f"print('{KEY}')"]
    model_server.faults = [fault(status=500, body="x" * 190 + KEY), fault(status=503, body={"error": {"message": KEY}})]
    model = OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK)
    answer = asked(model)
    assert answer.text == "print('[key]')"
    model_server.faults = [fault(status=429, body="x" * 190 + KEY, headers={"Retry-After": "999"})]
    with pytest.raises(ModelError) as caught:
        asked(model)
    shown = [
        str(asdict(answer)),
        str(caught.value),
        repr(model),
        caplog.text,
        *traceback.format_exception(caught.value),
    ]
    assert not any(KEY[:8] in text for text in shown)


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret\nsecond line")
    with pytest.raises(UsageError, match="OPENAI_API_KEY holds") as caught:
        OpenAIModel("tiny", base_url="http://127.0.0.1:9/v1")
    assert "secret" not in str(caught.value)


def test_an_unknown_model_is_named(model_server: Any) -> None:
    model_server.models = {"other"}
    with pytest.raises(ModelPermanent, match="The model `tiny` does not exist"):
        asked(OpenAIModel("tiny", base_url=model_server.base_url))


def test_a_wrong_path_is_named(model_server: Any) -> None:
    with pytest.raises(ModelPermanent, match="often /v1"):
        asked(OpenAIModel("tiny", base_url=model_server.base_url.removesuffix("/v1")))


def test_a_model_serves_one_event_loop_after_the_other(model_server: Any) -> None:
    model_server.answers = ["first", "second"]
    model = OpenAIModel("tiny", base_url=model_server.base_url)
    assert [asked(model).text, asked(model).text] == ["first", "second"]


def test_a_proxy_is_not_asked_for_a_server_on_this_machine(model_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    model_server.answers = ["direct"]
    assert asked(OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK)).text == "direct"


def test_cancelling_ends_a_request(model_server: Any, fault: Any) -> None:
    model_server.faults = [fault(kind="hang")]

    async def run(model: OpenAIModel) -> None:
        request = asyncio.create_task(model.complete(ASK, key="1/0"))
        await asyncio.to_thread(model_server.arrived.wait)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    used(OpenAIModel("tiny", base_url=model_server.base_url, retry=QUICK), run)


def test_many_requests_at_once_all_get_their_own_answer(model_server: Any) -> None:
    model_server.answers = lambda messages: messages[-1]["content"].upper()

    async def run(model: OpenAIModel) -> list[Completion]:
        return await asyncio.gather(
            *(model.complete([Message("user", f"number {n}")], key=f"{n}/0") for n in range(32))
        )

    answers = used(OpenAIModel("tiny", base_url=model_server.base_url), run)
    assert [answer.text for answer in answers] == [f"NUMBER {n}" for n in range(32)]


def test_a_diff_from_the_server_becomes_a_candidate(model_server: Any) -> None:
    model_server.answers = [DIFF]
    proposal = used(
        OpenAIModel("tiny", base_url=model_server.base_url), lambda m: ModelProposer.of(m).propose(task(), brief())
    )
    assert proposal.candidate.program == PROGRAM.replace("3 * r", "math.pi * r")
    assert (proposal.proposer, proposal.operator) == ("model:openai:tiny", "diff")
    assert proposal.thought == "Use the real number."
    assert proposal.usage.tokens == 120
    assert model_server.requests[0].body["seed"] == (2**40 + 5) % 2**31


def test_a_diff_that_does_not_fit_goes_back_with_the_real_lines(model_server: Any) -> None:
    model_server.answers = [DIFF.replace("return 3 * r * r", "return 3 * r ** 2"), DIFF]
    proposal = used(
        OpenAIModel("tiny", base_url=model_server.base_url), lambda m: ModelProposer.of(m).propose(task(), brief())
    )
    assert proposal.candidate.program == PROGRAM.replace("3 * r", "math.pi * r")
    assert (proposal.usage.calls, proposal.usage.tokens) == (2, 240)
    turns = model_server.requests[1].body["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert "6 |     return 3 * r * r" in turns[-1]["content"]


def test_two_useless_answers_are_a_failed_proposal(model_server: Any) -> None:
    model_server.answers = ["I would rather not.", "No."]
    with pytest.raises(ProposalError, match="Asked twice"):
        used(
            OpenAIModel("tiny", base_url=model_server.base_url), lambda m: ModelProposer.of(m).propose(task(), brief())
        )
    assert len(model_server.requests) == 2

"""The chat completions form of requests, answers and usage."""

import json
from typing import Any

import pytest

from outpace.agent.models.base import Choice, Message, Sampling
from outpace.agent.models.chat import Garbled, Reply, answer_of, finish_of, request_of, total_usage, usage_of
from outpace.agent.proposal import ModelUsage


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, ModelUsage(calls=1)),
        ("many", ModelUsage(calls=1)),
        ({}, ModelUsage(calls=1)),
        ({"prompt_tokens": 10, "completion_tokens": 4}, ModelUsage(calls=1, input_tokens=10, output_tokens=4)),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 8}},
            ModelUsage(calls=1, input_tokens=2, cached_tokens=8),
        ),
        (
            {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 5}},
            ModelUsage(calls=1, output_tokens=4, reasoning_tokens=5),
        ),
        ({"prompt_tokens": 10, "prompt_tokens_details": None}, ModelUsage(calls=1, input_tokens=10)),
        # numbers that make no sense
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 99}},
            ModelUsage(calls=1, cached_tokens=10),
        ),
        ({"prompt_tokens": -5, "completion_tokens": "7"}, ModelUsage(calls=1)),
        ({"prompt_tokens": 3.0, "completion_tokens": True}, ModelUsage(calls=1, input_tokens=3)),
        ({"prompt_tokens": 3.5, "completion_tokens": float("nan")}, ModelUsage(calls=1)),
        # prices
        ({"cost": 0.25}, ModelUsage(calls=1, cost_usd=0.25)),
        ({"cost": 0}, ModelUsage(calls=1, cost_usd=0.0)),
        ({"cost": -1}, ModelUsage(calls=1)),
        ({"cost": float("inf")}, ModelUsage(calls=1)),
        ({"cost": "0.25"}, ModelUsage(calls=1)),
    ],
)
def test_usage_comes_in_disjoint_buckets(usage: object, expected: ModelUsage) -> None:
    assert usage_of(usage) == expected


def test_a_sum_has_a_price_only_if_all_its_parts_have() -> None:
    one = ModelUsage(calls=1, input_tokens=5, cached_tokens=4, output_tokens=3, reasoning_tokens=2, cost_usd=0.5)
    assert total_usage([one, one]) == ModelUsage(
        calls=2, input_tokens=10, cached_tokens=8, output_tokens=6, reasoning_tokens=4, cost_usd=1.0
    )
    assert total_usage([one, ModelUsage(calls=1)]).cost_usd is None
    assert total_usage([]) == ModelUsage()


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("stop", "stop"),
        (None, "stop"),
        ("eos", "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
    ],
)
def test_finish_reasons(word: str | None, finish: str) -> None:
    assert finish_of(word) == finish


def choice(finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"message": message, "finish_reason": finish}


def answer(*choices: Any, **message: Any) -> bytes:
    return json.dumps({"model": "m-1", "choices": [*choices, *([choice(**message)] if message else [])]}).encode()


def test_answers_are_read() -> None:
    assert answer_of(answer(content="text")) == Reply((Choice("text"),), "m-1", ModelUsage(calls=1))
    assert answer_of(answer(content=None)).choices == (Choice(""),)
    assert answer_of(answer(content=None, refusal="I will not.")).choices == (Choice("I will not.", "refusal"),)


def test_all_texts_of_an_answer_are_read_each_with_its_own_finish() -> None:
    body = answer(choice(content="one"), {"message": 3}, choice("length", content="two"), None, choice(content=["x"]))
    assert answer_of(body).choices == (Choice("one"), Choice("two", "length"))


def test_a_request_says_how_many_answers_only_where_it_is_not_one() -> None:
    assert "n" not in request_of([], Sampling(), limit_name="max_tokens")
    assert request_of([], Sampling(n=4), limit_name="max_tokens")["n"] == 4


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"null", "without 'choices'"),
        (b'{"choices": [3]}', "without 'choices'"),
        (b'{"choices": [{"message": "hi"}]}', "without a 'message'"),
        (answer(content=[{"type": "text"}]), "of type list, not text"),
    ],
)
def test_what_is_no_answer_is_told(body: bytes, why: str) -> None:
    with pytest.raises(Garbled, match=why):
        answer_of(body)


def test_a_message_that_is_not_unicode_can_still_be_sent() -> None:
    request = request_of([Message("user", "half a pair: \ud800")], Sampling(), limit_name="max_tokens")
    assert request["messages"] == [{"role": "user", "content": "half a pair: ?"}]

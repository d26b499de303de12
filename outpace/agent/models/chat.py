"""The words of a chat completions endpoint: our request in its form, its answer in ours."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outpace.agent.models.base import Choice, Message, Sampling
from outpace.agent.proposal import ModelUsage

_LENGTH = {"length", "max_tokens", "model_length", "max_output_tokens"}
_STOP = {"stop", "eos", "eos_token", "end_turn", "stop_sequence"}
_LEAST, _ROUNDING = -1e6, 1e-3  # of log-probabilities; what is as good as impossible is often told as -9999
_SEEDS = 2**31  # llama.cpp takes 32 bits and keeps one value for "any"; 31 bits are understood everywhere


class Garbled(ValueError):
    """What came back is not a chat completion; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answered: one text at least, its own name of the model where it gives one, and the usage."""

    choices: tuple[Choice, ...]
    model: str | None
    usage: ModelUsage


def request_of(messages: Sequence[Message], sampling: Sampling, *, limit_name: str) -> dict[str, Any]:
    """Return the fields of a request; ``limit_name`` is what the endpoint calls the token limit."""
    turns = [{"role": turn.role, "content": turn.content.encode(errors="replace").decode()} for turn in messages]
    request: dict[str, Any] = {"messages": turns}
    if sampling.max_tokens is not None:
        request[limit_name] = sampling.max_tokens
    if sampling.temperature is not None:
        request["temperature"] = sampling.temperature
    if sampling.seed is not None:
        request["seed"] = sampling.seed % _SEEDS
    if sampling.effort is not None:
        request["reasoning_effort"] = sampling.effort
    if sampling.n > 1:
        request["n"] = sampling.n
    if sampling.logprobs:
        request["logprobs"] = True
    if sampling.schema is not None:
        schema = {"name": "answer", "schema": dict(sampling.schema), "strict": True}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    return request


def answer_of(body: bytes) -> Reply:
    """Return what an answer says; a text of several that cannot be read is left out. Raises ``Garbled``."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Garbled(f"not JSON ({error})") from None
    found = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(found, list) or not found:
        raise Garbled("a JSON value without 'choices'")
    choices: list[Choice] = []
    unreadable: list[Garbled] = []
    for one in found:
        try:
            choices.append(_choice(one))
        except Garbled as error:
            unreadable.append(error)
    if not choices:
        raise unreadable[0]
    model = answer.get("model")
    return Reply(tuple(choices), model if isinstance(model, str) and model else None, usage_of(answer.get("usage")))


def _choice(choice: object) -> Choice:
    if not isinstance(choice, dict):
        raise Garbled("a JSON value without 'choices'")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Garbled("a choice without a 'message'")
    text = message.get("content") or message.get("refusal") or ""
    if not isinstance(text, str):
        raise Garbled(f"a message whose content is of type {type(text).__name__}, not text")
    finish = "refusal" if message.get("refusal") else finish_of(choice.get("finish_reason"))
    return Choice(text, finish, logprob_of(choice.get("logprobs")))


def logprob_of(told: object) -> float | None:
    """Return the mean log-probability of a token; None where none are told, or one of them makes no sense."""
    tokens = told.get("content") if isinstance(told, Mapping) else None
    if not isinstance(tokens, list) or not tokens:
        return None
    values = [_logprob(one.get("logprob")) if isinstance(one, Mapping) else None for one in tokens]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def finish_of(word: object) -> str:
    """Return ``stop``, ``length`` (cut off at the token limit), or the endpoint's own word."""
    if not isinstance(word, str) or word.casefold() in _STOP:
        return "stop"
    return "length" if word.casefold() in _LENGTH else word


def usage_of(usage: object) -> ModelUsage:
    """Return the usage of one call in disjoint buckets.

    Chat endpoints count cached tokens inside ``prompt_tokens`` and reasoning inside ``completion_tokens``; both are
    taken out. What is missing or makes no sense counts as 0. ``cost_usd`` is what the endpoint says it charged.
    """
    if not isinstance(usage, Mapping):
        return ModelUsage(calls=1)
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    cached = min(prompt, _count(_inside(usage, "prompt_tokens_details", "cached_tokens")))
    reasoning = min(completion, _count(_inside(usage, "completion_tokens_details", "reasoning_tokens")))
    return ModelUsage(
        calls=1,
        input_tokens=prompt - cached,
        cached_tokens=cached,
        output_tokens=completion - reasoning,
        reasoning_tokens=reasoning,
        cost_usd=_price(usage.get("cost")),
    )


def total_usage(usages: Sequence[ModelUsage]) -> ModelUsage:
    """Return the sum; its cost is unknown as soon as one of the costs is."""
    costs = [usage.cost_usd for usage in usages]
    known = [cost for cost in costs if cost is not None]
    return ModelUsage(
        calls=sum(usage.calls for usage in usages),
        input_tokens=sum(usage.input_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
        cost_usd=sum(known) if known and len(known) == len(costs) else None,
    )


def _inside(usage: Mapping[str, Any], details: str, name: str) -> object:
    inner = usage.get(details)
    return inner.get(name) if isinstance(inner, Mapping) else None


def _count(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _logprob(value: object) -> float | None:
    """Return a logarithm of a probability, which is finite and, but for rounding, not above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _LEAST <= value < _ROUNDING:
        return None
    return min(0.0, float(value))


def _price(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    return float(value)

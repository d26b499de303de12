"""What went wrong at an endpoint: what passes by itself, what does not, and what to do about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from outpace.agent.models.retry import asked_wait_s
from outpace.errors import ModelError, ModelPermanent, ModelTransient

if TYPE_CHECKING:
    import openai

Kind = Literal["permanent", "transient", "unreached", "garbled", "parameter"]
_TRANSIENT = {408, 409, 425, 429}
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum context|too many tokens|(prompt|input) is too long", re.IGNORECASE
)
_UNKNOWN = re.compile(
    r"(unsupported|unknown|unrecognized|unexpected|extra) (parameter|field|argument|inputs?)|extra_forbidden",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"""[`'"]n[`'"]|\bn (must|should|has to) be|\bn ?(>|=)|(one|single|multiple) (completion )?(choice|answer)s?"""
)
_SAID = 200  # characters of the endpoint's own words that an error quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What error texts need to know of an endpoint: its address, the model, where the key comes from.

    ``key`` is here only so that it can be taken out of what the endpoint says: some quote it.
    """

    url: str
    model: str
    key_env: str
    key: str | None = field(repr=False)

    def said(self, text: str) -> str:
        """Return the endpoint's words as the middle of our sentence: without the key, on one line, short."""
        line = " ".join((text.replace(self.key, "[key]") if self.key else text).split()).rstrip(".")
        return line if len(line) <= _SAID else line[: _SAID - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed try.

    ``error`` is raised if there is no other try; ``asked_s`` is the wait that the endpoint asked for; ``parameter``
    names the field that the endpoint does not know (kind ``parameter``); ``crowded`` tells that it found it one request
    too many.
    """

    kind: Kind
    error: ModelError
    asked_s: float | None = None
    parameter: str = ""
    crowded: bool = False


def unreached_failure(endpoint: Endpoint, why: str) -> Failure:
    """Return what it amounts to when no connection came about."""
    text = (
        f"Cannot reach {endpoint.url}: {endpoint.said(why)}. Check that the server runs and that the base URL is right."
    )
    return Failure(kind="unreached", error=ModelTransient(text))


def lost_failure(endpoint: Endpoint, why: str) -> Failure:
    """Return what a lost connection, or an answer that did not come in time, amounts to."""
    return Failure(
        kind="transient", error=ModelTransient(f"No whole answer from {endpoint.url}: {endpoint.said(why)}.")
    )


def garbled_failure(endpoint: Endpoint, why: str) -> Failure:
    """Return what an unreadable answer amounts to."""
    text = f"{endpoint.url} answered with something that is no chat completion: {endpoint.said(why)}."
    return Failure(kind="garbled", error=ModelTransient(text))


def status_failure(endpoint: Endpoint, error: "openai.APIStatusError") -> Failure:
    """Return what an HTTP error status amounts to; permanent ones carry the remedy in one line."""
    status, said = error.status_code, endpoint.said(_words(error.body))
    words = {error.code, error.type}
    if status in (400, 422) and (parameter := _unknown_parameter(error, said)):
        refused = _permanent(endpoint, status, said, f"It does not take '{parameter}': leave it out.")
        return Failure(kind="parameter", error=refused, parameter=parameter)
    if status == 402 or words & _NO_CREDIT:
        remedy = "The account has no credit left: add some, or use another key or endpoint."
    elif status == 401:
        remedy = f"Check the key in {endpoint.key_env}." if endpoint.key else f"Set a key in {endpoint.key_env}."
    elif status == 403:
        remedy = f"The key in {endpoint.key_env} has no access to the model '{endpoint.model}' from here."
    elif status == 404:
        remedy = f"Is there a model '{endpoint.model}', and does the base URL end as the server wants it (often /v1)?"
    elif status in _TRANSIENT or status >= 500:
        failed = ModelTransient(f"{endpoint.url} is failing for now ({status}): {said}.")
        asked_s = asked_wait_s(error.response.headers)
        return Failure(kind="transient", error=failed, asked_s=asked_s, crowded=status == 429)
    elif "context_length_exceeded" in words or status == 413 or _TOO_LONG.search(said):
        remedy = f"The prompt and the answer do not fit the context of '{endpoint.model}': take a larger one."
    else:
        remedy = "The request as it stands will not be taken: change the model or its settings."
    return Failure(kind="permanent", error=_permanent(endpoint, status, said, remedy))


def _permanent(endpoint: Endpoint, status: int, said: str, remedy: str) -> ModelPermanent:
    return ModelPermanent(f"{endpoint.url} refused the request ({status}): {said}. {remedy}")


def _unknown_parameter(error: "openai.APIStatusError", said: str) -> str:
    """Return the name of the field that an endpoint does not know, if that is why it refused."""
    if error.param == "n" or _SEVERAL.search(said):  # of n, endpoints rather say that they take no more than 1
        return "n"
    if error.code not in {"unsupported_parameter", "unknown_parameter"} and not _UNKNOWN.search(said):
        return ""
    names = ("max_completion_tokens", "max_tokens", "seed", "temperature", "reasoning_effort", "response_format")
    if isinstance(error.param, str) and error.param in names:
        return error.param
    first = re.search(rf"\b({'|'.join(names)})\b", said)
    return first.group(1) if first else ""


def _words(body: object) -> str:
    """Return what the body of an error response says."""
    words: object = body
    if isinstance(body, Mapping):
        words = body.get("message") or body.get("detail") or body.get("error") or dict(body)
    return str(words or "no reason given")

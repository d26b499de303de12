"""Any endpoint that speaks the OpenAI chat completions protocol, through the official client."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.models.chat import Garbled, Reply, answer_of, request_of, total_usage
from outpace.agent.models.failures import (
    Endpoint,
    Failure,
    garbled_failure,
    lost_failure,
    status_failure,
    unreached_failure,
)
from outpace.agent.models.gate import Gate
from outpace.agent.models.prices import price
from outpace.agent.models.retry import Retry
from outpace.agent.proposal import ModelUsage
from outpace.errors import ModelError, UsageError

if TYPE_CHECKING:
    import openai

DEFAULT_URL = "https://api.openai.com/v1"
NO_KEY = "no-key-needed"  # the client insists on one; servers without keys ignore it
_CONNECT_S = 10.0
_SILENT_S, _SAY_EVERY_S = 1.0, 30.0
MOST_BYTES = 8 * 2**20
"""The longest answer that is read, in bytes: some two million tokens. What goes on beyond that is no answer."""
TOLD_BYTES = 8
"""How many times as long it may be with log-probabilities: each token comes with a record of its own."""
_NEARBY = {"localhost", "127.0.0.1", "::1"}
_WITHOUT = {  # what can be left out where an endpoint does not take it, and what that means
    "seed": "no seed: its answers will not repeat",
    "n": "no number of answers: each is asked for by itself",
    "response_format": "no schema: the form of its answers is only asked for, not enforced",
}
_LIMIT_NAMES = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}  # each with the other
_LONG_KEY = 16  # a key of at least so many characters cannot be a word that an honest answer holds
_LOG = logging.getLogger(__name__)


class OpenAIModel:
    """A model behind a chat completions endpoint: OpenAI itself, vLLM, llama.cpp, Ollama, a gateway.

    One request is tried until it is answered, or until trying is pointless or has taken too long (``retry``); the
    client's own retries are off, as they also retry what cannot get better. How many requests are under way at a time
    follows the endpoint's rate limits (``Gate``). What an endpoint does not take is learned
    from its refusal: the other name of the token limit is used instead; a seed, a number of answers or a schema is left
    out.

    The key is read from the environment when the model is made; it is in no text, error or log of ours. Use the model
    in one event loop at a time and ``aclose()`` it there (or ``async with``); it may be used again afterwards.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 300.0,
        retry: Retry | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Name the model and its endpoint.

        ``base_url`` defaults to the environment's OPENAI_BASE_URL, then to OpenAI; ``timeout_s`` bounds one try;
        ``extra`` holds further fields of the request body, for example ``{"reasoning_effort": "low"}``.

        Raises:
            UsageError: an impossible name, URL or time, or no key where one is needed.
        """
        if not name.strip() or not timeout_s > 0:
            raise UsageError(f"OpenAIModel: expected a model's name and timeout_s above 0, got {name!r}, {timeout_s}.")
        given_url = base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or None
        self._url = _checked_url(given_url or DEFAULT_URL)
        key = _key_of(api_key_env, needed=given_url is None)
        self.name = f"openai:{name}"
        self._model, self._timeout_s, self._extra = name, timeout_s, dict(extra or {})
        self._retry = retry or Retry()
        self.most_calls = self._retry.garbled  # of one request: answers that cannot be read may have been paid for
        self._endpoint = Endpoint(url=self._url, model=name, key_env=api_key_env, key=key)
        self._limit_name = "max_completion_tokens" if given_url is None else "max_tokens"
        self._gate = Gate()
        self._without: set[str] = set()  # what the endpoint does not take
        self._met = False  # whether the endpoint has ever answered
        self._said_at = -_SAY_EVERY_S  # when somebody was last told that a request waits
        self._chance = random.Random()  # noqa: S311  spreads retries in time, decides nothing
        self._client: openai.AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        """Show the name and the address, never the key."""
        return f"OpenAIModel({self._model!r}, base_url={self._url!r})"

    async def __aenter__(self) -> Self:
        """Return the model itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of this event loop. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.close()

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        """Return the answer; ``latency_s`` is that of the try that succeeded.

        An answer before it that could not be read may have been paid for and says nothing reliable of it: its usage
        counts as that of the answer which followed.

        Raises:
            ModelPermanent: bad key, no credit, unknown model, prompt too long, malformed request: at once.
            ModelTransient: rate limits, server errors, time-outs or lost connections that did not pass in time.
        """
        started, refused = time.monotonic(), _unasked(sampling)
        tries = garbled = 0
        while True:
            async with self._gate.passed() as ticket:
                left_s = self._retry.deadline_s - (time.monotonic() - started)
                outcome = await self._attempt(messages, sampling, min(self._timeout_s, max(left_s, 0.001)))
            if isinstance(outcome, Completion):
                self._gate.answered()
                return replace(outcome, usage=total_usage([outcome.usage] * (1 + garbled)))
            if outcome.crowded:
                self._gate.refused(ticket)
            if outcome.kind == "parameter" and self._adapted(outcome.parameter, refused):
                continue
            if outcome.kind in ("permanent", "parameter"):
                raise outcome.error
            tries, garbled = tries + 1, garbled + (outcome.kind == "garbled")
            wait_s, spent_s = self._retry.wait_s(tries, outcome.asked_s, self._chance), time.monotonic() - started
            if garbled >= self._retry.garbled or spent_s + wait_s >= self._patience_s(outcome):
                raise _given_up(outcome, tries, spent_s)
            level = logging.WARNING if self._worth_saying(spent_s + wait_s) else logging.INFO
            _LOG.log(level, "%s, request %s: %s Next try in %.1f s.", self.name, key, outcome.error, wait_s)
            await asyncio.sleep(wait_s)

    def price(self, usage: ModelUsage) -> float | None:
        """Return what that usage costs in dollars by the published prices, or None where there is no price."""
        return price(usage, model=self._model, url=self._url)

    def _worth_saying(self, waited_s: float) -> bool:
        """Return whether the user should hear that a request waits: not of short waits, and not of each of many."""
        now = time.monotonic()
        if waited_s < _SILENT_S or now - self._said_at < _SAY_EVERY_S:
            return False
        self._said_at = now
        return True

    def _patience_s(self, failure: Failure) -> float:
        unmet = failure.kind == "unreached" and not self._met
        return min(self._retry.contact_s, self._retry.deadline_s) if unmet else self._retry.deadline_s

    def _adapted(self, parameter: str, refused: set[str]) -> bool:
        """Stop sending a field that the endpoint does not take; return whether there is something new to try.

        ``refused`` holds the fields that this very request was refused for, or does not have: the same one twice is
        final.
        """
        if parameter in refused or parameter not in (*_WITHOUT, *_LIMIT_NAMES):
            return False
        refused.add(parameter)
        if parameter in _WITHOUT and parameter not in self._without:
            self._without.add(parameter)
            _LOG.warning("%s takes %s.", self.name, _WITHOUT[parameter])
        elif parameter == self._limit_name:
            self._limit_name = _LIMIT_NAMES[parameter]
        return True

    async def _attempt(self, messages: Sequence[Message], sampling: Sampling, timeout_s: float) -> Completion | Failure:
        """Ask once. Failures are returned, not raised: an exception of the client would drag its request along."""
        import httpx2
        import openai

        client = self._opened()
        request, extra = self._request(messages, sampling)
        began = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                body = await _body(client, request, extra, MOST_BYTES * (TOLD_BYTES if sampling.logprobs else 1))
            self._met = True
            reply = answer_of(body)
        except openai.APIStatusError as error:
            self._met = True
            return status_failure(self._endpoint, error)
        except (TimeoutError, openai.APIConnectionError, httpx2.RequestError) as error:
            late = isinstance(error, TimeoutError | openai.APITimeoutError | httpx2.TimeoutException)
            if isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.ConnectError):
                return unreached_failure(self._endpoint, str(error.__cause__) or "no connection in time")
            why = f"waited {timeout_s:.3g} s" if late else str(error.__cause__ or error)
            return lost_failure(self._endpoint, why)
        except Garbled as error:
            return garbled_failure(self._endpoint, str(error))
        return self._completion(reply, time.monotonic() - began)

    def _request(self, messages: Sequence[Message], sampling: Sampling) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the fields of a request that the client knows, and the further ones."""
        request = request_of(messages, sampling, limit_name=self._limit_name) | {"model": self._model}
        return {name: value for name, value in request.items() if name not in self._without}, self._extra

    def _completion(self, reply: Reply, latency_s: float) -> Completion:
        usage = reply.usage
        if usage.cost_usd is None:
            usage = replace(usage, cost_usd=self.price(usage))
        first, *others = [replace(one, text=self._without_key(one.text)) for one in reply.choices]
        return Completion(
            text=first.text,
            model=reply.model or self._model,
            finish=first.finish,
            usage=usage,
            latency_s=latency_s,
            others=tuple(others),
            logprob=first.logprob,
        )

    def _without_key(self, text: str) -> str:
        secret = self._endpoint.key
        return text.replace(secret, "[key]") if secret and len(secret) >= _LONG_KEY else text

    def _opened(self) -> "openai.AsyncOpenAI":
        """Return the client of the running event loop."""
        import openai

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            timeout = openai.Timeout(self._timeout_s, connect=min(_CONNECT_S, self._timeout_s))
            nearby = urlsplit(self._url).hostname in _NEARBY  # the environment's proxy does not lead to this machine
            self._client = openai.AsyncOpenAI(
                api_key=self._endpoint.key or NO_KEY,
                base_url=self._url,
                max_retries=0,
                timeout=timeout,
                http_client=openai.DefaultAsyncHttpxClient(trust_env=False, timeout=timeout) if nearby else None,
            )
        return self._client


async def _body(client: "openai.AsyncOpenAI", request: dict[str, Any], extra: dict[str, Any], most: int) -> bytes:
    """Ask, and return the body of the answer; raises ``Garbled`` as soon as that is longer than ``most`` bytes."""
    body = bytearray()
    create = client.chat.completions.with_streaming_response.create
    async with create(**request, extra_body=extra) as answer:
        async for part in answer.iter_bytes():
            body += part
            if len(body) > most:
                raise Garbled(f"more than {most >> 20} MiB in one answer")
    return bytes(body)


def _unasked(sampling: Sampling) -> set[str]:
    """Return the fields that can be left out and that this request does not have."""
    asked = {"seed": sampling.seed is not None, "n": sampling.n > 1, "response_format": sampling.schema is not None}
    return {name for name in _WITHOUT if not asked[name]}


def _given_up(failure: Failure, tries: int, spent_s: float) -> ModelError:
    asked = "" if failure.asked_s is None else f" It asks to wait {failure.asked_s:,.0f} s: go on after that."
    said = "1 try" if tries == 1 else f"{tries} tries"
    return type(failure.error)(f"{failure.error}{asked} Given up after {said} in {spent_s:.1f} s.")


def _key_of(variable: str, *, needed: bool) -> str | None:
    """Return the key from the environment, or None where there is none and none is needed."""
    key = os.environ.get(variable, "").strip()
    if not key and needed:
        raise UsageError(f"The model needs a key: set {variable}, or name a server without keys with --base-url.")
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError(f"The key in {variable} holds spaces, line breaks or non-ASCII characters: set it again.")
    return key or None


def _checked_url(url: str) -> str:
    """Return a base URL without its last slash; refuse what is none, and secrets in it."""
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        raise UsageError(f"The base URL {url!r} is not a URL. Expected one like http://127.0.0.1:8000/v1.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_fits:
        raise UsageError(f"The base URL {url!r} is not a URL. Expected one like http://127.0.0.1:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"The base URL of {parts.hostname} holds a user, a query or a fragment, where secrets would show. "
            "Expected scheme, host, port and path only; the key belongs into the environment."
        )
    return url.rstrip("/")

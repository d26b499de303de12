"""The seam for language models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from outpace.agent.proposal import ModelUsage


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One text of an answer; ``finish`` and ``logprob`` as in ``Completion``."""

    text: str
    finish: str = "stop"
    logprob: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's answer.

    ``finish`` is ``stop``, or ``length`` where the token limit cut it off, or the endpoint's own word. ``others`` are
    the further texts where more than one was asked for (``Sampling.n``); there may be fewer of them than asked for.
    ``logprob`` is the mean log-probability of a token of the text, None where the endpoint does not tell.
    """

    text: str
    model: str
    finish: str = "stop"
    usage: ModelUsage = field(default_factory=lambda: ModelUsage(calls=1))
    latency_s: float = 0.0
    others: tuple[Choice, ...] = ()
    logprob: float | None = None

    def choice(self, index: int) -> Choice | None:
        """Return the text of that number, from 0, or None where the answer has fewer."""
        texts = (Choice(self.text, self.finish, self.logprob), *self.others)
        return texts[index] if index < len(texts) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample; None leaves it to the endpoint. ``effort`` is how hard a reasoning model thinks ("low", "high").

    ``n`` is how many texts an answer is to have; ``schema`` is a JSON schema that each is to fit. ``logprobs`` asks for
    the log-probabilities of their tokens.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    effort: str | None = None
    schema: Mapping[str, Any] | None = None
    n: int = 1
    logprobs: bool = False


FREE = Sampling()


class Model(Protocol):
    """Completes conversations.

    A model that holds something open (connections, a process) has an ``async aclose()`` besides, called at the end.
    """

    name: str

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        """Return the answer.

        ``key`` names this request within the run (brief and turn): whoever records answers files them under it.
        Raises ``ModelTransient`` or ``ModelPermanent``.
        """
        ...

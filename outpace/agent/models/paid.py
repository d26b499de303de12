"""A model that asks the run's ledger before it asks its endpoint."""

from collections.abc import Sequence
from dataclasses import replace

from outpace.agent.budget import Spent
from outpace.agent.ledger import UNKNOWN, Claim, Ledger
from outpace.agent.models.base import FREE, Completion, Message, Model, Sampling
from outpace.agent.models.open import close
from outpace.agent.proposal import ModelUsage

MESSAGE_TOKENS = 32
"""What the form of a conversation adds to each message, at most."""
UNSEEN_TOKENS = 1_000_000
"""What a call may take beyond what it shows: prompts that an endpoint adds, thoughts that it keeps to itself."""


class PaidModel:
    """Wraps a model: what a call may cost at most is reserved before it is made, and what it has cost is booked."""

    def __init__(self, model: Model, ledger: Ledger) -> None:
        """Wrap ``model``; its name stays."""
        self.name = model.name
        self._model, self._ledger = model, ledger

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        """Ask once the budget allows it.

        Raises ``BudgetSpent`` and ``UsageError`` as ``Ledger.reserved`` does; an answer that has come is returned.
        """
        tries = getattr(self._model, "most_calls", 1)
        tokens, usd = most_tokens(messages, sampling), self._most_usd(messages, sampling)
        claim = Claim(model_calls=tries, tokens=tries * tokens, usd=tries * usd)
        async with self._ledger.reserved(claim) as entry:
            completion = await self._model.complete(messages, key=key, sampling=sampling)
            if not self._believed(completion, messages, sampling):
                completion = replace(completion, usage=self._by_length(completion, messages))
            entry.cost = Spent.on(completion.usage)
            return completion

    def _believed(self, completion: Completion, messages: Sequence[Message], sampling: Sampling) -> bool:
        """Return whether the tokens of an answer can be what it took.

        What was sent and what came back tells how many tokens that was at most; beyond it an endpoint may count prompts
        that it adds and thoughts that it does not show, but no more than ``UNSEEN_TOKENS`` a call. An endpoint that
        counts nothing is not believed where the budget bounds tokens: such a bound would be none.
        """
        usage = completion.usage
        if not usage.tokens:
            return self._ledger.budget.tokens is None
        written = max((sampling.max_tokens or 0) * sampling.n, _written(completion))
        return usage.tokens <= max(1, usage.calls) * (most_read(messages) + written + UNSEEN_TOKENS)

    def _by_length(self, completion: Completion, messages: Sequence[Message]) -> ModelUsage:
        """Return a usage in place of one that cannot be: each byte read or written counts as a token.

        Text has no more tokens than that. The price follows from it where the model knows it; otherwise it is what the
        endpoint said.
        """
        calls = max(1, completion.usage.calls)
        usage = ModelUsage(
            calls=completion.usage.calls,
            input_tokens=calls * most_read(messages),
            output_tokens=calls * _written(completion),
            cost_usd=completion.usage.cost_usd,
        )
        priced = getattr(self._model, "price", None)
        known = None if priced is None else priced(usage)
        return usage if known is None else replace(usage, cost_usd=float(known))

    def _most_usd(self, messages: Sequence[Message], sampling: Sampling) -> float:
        """Return what a call costs at most, where the model knows its price (an optional method ``price``)."""
        priced = getattr(self._model, "price", None)
        if priced is None or sampling.max_tokens is None:
            return UNKNOWN
        most_written = sampling.max_tokens * sampling.n
        most = priced(ModelUsage(calls=1, input_tokens=most_read(messages), output_tokens=most_written))
        return UNKNOWN if most is None else float(most)

    async def aclose(self) -> None:
        """Close the wrapped model."""
        await close(self._model)


def _written(completion: Completion) -> int:
    """Return how many tokens the texts of an answer have at most."""
    texts = (completion.text, *(one.text for one in completion.others))
    return sum(len(text.encode(errors="replace")) for text in texts)


def most_tokens(messages: Sequence[Message], sampling: Sampling) -> float:
    """Return how many tokens a call reads and writes at most."""
    return UNKNOWN if sampling.max_tokens is None else sampling.max_tokens * sampling.n + most_read(messages)


def most_read(messages: Sequence[Message]) -> int:
    """Return how many tokens a conversation has at most: a token is a byte of text at least."""
    return sum(len(one.content.encode(errors="replace")) + MESSAGE_TOKENS for one in messages)

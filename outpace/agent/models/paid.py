"""A model that asks the run's ledger before it asks its endpoint."""

from collections.abc import Sequence

from outpace.agent.budget import Spent
from outpace.agent.ledger import UNKNOWN, Claim, Ledger
from outpace.agent.models.base import FREE, Completion, Message, Model, Sampling
from outpace.agent.models.open import close
from outpace.agent.proposal import ModelUsage

MESSAGE_TOKENS = 32
"""What the form of a conversation adds to each message, at most."""


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
        claim = Claim(model_calls=1, tokens=most_tokens(messages, sampling), usd=self._most_usd(messages, sampling))
        async with self._ledger.reserved(claim) as entry:
            completion = await self._model.complete(messages, key=key, sampling=sampling)
            entry.cost = Spent.on(completion.usage)
            return completion

    def _most_usd(self, messages: Sequence[Message], sampling: Sampling) -> float:
        """Return what a call costs at most, where the model knows its price (an optional method ``price``)."""
        priced = getattr(self._model, "price", None)
        if priced is None or sampling.max_tokens is None:
            return UNKNOWN
        most = priced(ModelUsage(calls=1, input_tokens=most_read(messages), output_tokens=sampling.max_tokens))
        return UNKNOWN if most is None else float(most)

    async def aclose(self) -> None:
        """Close the wrapped model."""
        await close(self._model)


def most_tokens(messages: Sequence[Message], sampling: Sampling) -> float:
    """Return how many tokens a call reads and writes at most."""
    return UNKNOWN if sampling.max_tokens is None else sampling.max_tokens + most_read(messages)


def most_read(messages: Sequence[Message]) -> int:
    """Return how many tokens a conversation has at most: a token is a byte of text at least."""
    return sum(len(one.content.encode(errors="replace")) + MESSAGE_TOKENS for one in messages)

"""What is booked for an answer: what the endpoint counted, as far as that can be."""

import asyncio
from collections.abc import Sequence

import pytest

from outpace.agent.budget import Budget, Spent
from outpace.agent.ledger import Ledger
from outpace.agent.models.base import FREE, Choice, Completion, Message, Sampling
from outpace.agent.models.paid import MESSAGE_TOKENS, UNSEEN_TOKENS, PaidModel
from outpace.agent.proposal import ModelUsage
from outpace.errors import BudgetSpent

ASK = [Message("user", "é" * 500)]
READ = 1000 + MESSAGE_TOKENS


class Counting:
    """Answers "four" and "twelve bytes", and counts as it is told to."""

    name = "counting"

    def __init__(self, usage: ModelUsage) -> None:
        self.usage = usage

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        return Completion(text="four", model="m", usage=self.usage, others=(Choice("twelve bytes"),))


class Priced(Counting):
    """Takes a dollar for a thousand tokens."""

    def price(self, usage: ModelUsage) -> float | None:
        return usage.tokens / 1000


def booked(model: Counting, budget: Budget, sampling: Sampling = FREE) -> tuple[ModelUsage, Spent]:
    """Return the usage of an answer as it is stored, and what the ledger has booked for it."""
    ledger = Ledger(budget)
    answer = asyncio.run(PaidModel(model, ledger).complete(ASK, key="1/0", sampling=sampling))
    return answer.usage, ledger.spent


CALLS, TOKENS = Budget(model_calls=9), Budget(tokens=9_000_000)


@pytest.mark.parametrize("budget", [CALLS, TOKENS])
@pytest.mark.parametrize("tokens", [1, 5000, READ + UNSEEN_TOKENS])
def test_what_can_be_is_believed(budget: Budget, tokens: int) -> None:
    usage = ModelUsage(calls=1, input_tokens=1, reasoning_tokens=tokens - 1, cost_usd=0.5)
    assert booked(Counting(usage), budget) == (usage, Spent.on(usage))


def test_a_limit_of_the_answer_and_several_calls_allow_more() -> None:
    usage = ModelUsage(calls=1, output_tokens=2_500_000)
    assert booked(Counting(usage), CALLS)[0].tokens == READ + 16
    assert booked(Counting(usage), CALLS, Sampling(max_tokens=500_000, n=3))[0] == usage
    thrice = ModelUsage(calls=3, output_tokens=2_500_000)
    assert booked(Counting(thrice), CALLS)[0] == thrice


@pytest.mark.parametrize("budget", [CALLS, TOKENS])
def test_what_cannot_be_counts_by_its_length(budget: Budget) -> None:
    absurd = ModelUsage(calls=1, input_tokens=10**12, cached_tokens=10**30, cost_usd=None)
    usage, spent = booked(Counting(absurd), budget)
    assert usage == ModelUsage(calls=1, input_tokens=READ, output_tokens=4 + 12, cost_usd=None)
    assert spent == Spent.on(usage)


def test_a_price_by_an_absurd_count_is_no_price() -> None:
    absurd = ModelUsage(calls=1, output_tokens=10**12, cost_usd=10.0**9)
    usage, spent = booked(Priced(absurd), CALLS)
    assert usage.cost_usd == spent.usd == pytest.approx((READ + 16) / 1000)


def test_an_endpoint_that_does_not_count_cannot_outrun_a_bound_in_tokens() -> None:
    silent = ModelUsage(calls=1)
    assert booked(Counting(silent), CALLS)[0] == silent
    assert booked(Counting(silent), TOKENS)[0].tokens == READ + 16


class Tried(Counting):
    """May call three times for one answer, and does."""

    most_calls = 3

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        await asyncio.sleep(0.01)
        return await super().complete(messages, key=key, sampling=sampling)


def test_tries_that_may_cost_are_reserved_too() -> None:
    """Sixteen at once and ten calls: three fit, and the last that begins may take up to two more than are left."""
    ledger = Ledger(Budget(model_calls=10))
    paid = PaidModel(Tried(ModelUsage(calls=3)), ledger)

    async def crowd() -> list[Completion | BaseException]:
        asking = (paid.complete(ASK, key=f"{number}/0") for number in range(16))
        return await asyncio.gather(*asking, return_exceptions=True)

    answers = asyncio.run(crowd())
    assert ledger.spent.model_calls == 12
    assert sum(isinstance(answer, Completion) for answer in answers) == 4
    assert sum(isinstance(answer, BudgetSpent) for answer in answers) == 12

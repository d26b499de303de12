"""One account for many at once: nobody begins what the budget does not hold, and nobody waits for ever."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from outpace.agent.budget import Budget, Spent
from outpace.agent.ledger import UNKNOWN, Claim, Ledger
from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.models.paid import PaidModel, most_tokens
from outpace.agent.proposal import ModelUsage
from outpace.errors import BudgetSpent, ModelTransient, UsageError

CALL = Claim(model_calls=1, tokens=100)
ASK = [Message("user", "x" * 50)]


async def proposing(ledger: Ledger, claim: Claim, cost: Spent, *, proposers: int = 16, seed: int = 0) -> list[int]:
    """Let so many proposers go on until the budget is spent; return how many were at work whenever one began."""
    chance, at_work, seen = random.Random(seed), 0, []

    async def propose() -> None:
        nonlocal at_work
        while True:
            try:
                async with ledger.reserved(claim) as entry:
                    at_work += 1
                    seen.append(at_work)
                    await asyncio.sleep(chance.random() / 500)
                    at_work -= 1
                    entry.cost = cost
            except BudgetSpent:
                return

    await asyncio.wait_for(asyncio.gather(*(propose() for _ in range(proposers))), 60)
    return seen


def test_sixteen_proposers_make_the_calls_that_there_are_and_not_one_more() -> None:
    ledger = Ledger(Budget(model_calls=100))
    seen = asyncio.run(proposing(ledger, CALL, Spent(model_calls=1, tokens=40)))
    assert (ledger.spent.model_calls, len(seen), max(seen)) == (100, 100, 16)


def test_tokens_are_not_overspent_where_the_most_is_known() -> None:
    ledger = Ledger(Budget(tokens=5000))
    seen = asyncio.run(proposing(ledger, CALL, Spent(model_calls=1, tokens=40)))
    assert 5000 <= ledger.spent.tokens < 5000 + 40
    assert max(seen) == 16


def test_where_the_most_is_not_known_one_goes_at_a_time() -> None:
    ledger = Ledger(Budget(tokens=1000))
    seen = asyncio.run(proposing(ledger, Claim(model_calls=1, tokens=UNKNOWN), Spent(model_calls=1, tokens=300)))
    assert max(seen) == 1
    assert ledger.spent.tokens == 1200, "overspent by less than the one call that was under way"


def test_a_bound_that_is_not_set_holds_nobody_up() -> None:
    ledger = Ledger(Budget(model_calls=32))
    seen = asyncio.run(proposing(ledger, Claim(model_calls=1, tokens=UNKNOWN, usd=UNKNOWN), Spent(model_calls=1)))
    assert max(seen) == 16


def test_what_fails_costs_nothing_and_gives_back_what_it_held() -> None:
    async def run() -> Ledger:
        ledger = Ledger(Budget(model_calls=1))
        with pytest.raises(ModelTransient):
            async with ledger.reserved(CALL):
                raise ModelTransient("lost")
        async with ledger.reserved(CALL) as entry:
            entry.cost = Spent(model_calls=1)
        with pytest.raises(BudgetSpent, match="Nothing is left of the budget's 1 model calls"):
            async with ledger.reserved(CALL):
                pytest.fail("begun")
        return ledger

    assert asyncio.run(run()).spent == Spent(model_calls=1)


def test_who_waits_goes_on_when_somebody_gives_back_and_gives_up_when_nothing_is_left() -> None:
    async def run(cost: Spent | None) -> str:
        ledger = Ledger(Budget(model_calls=1))
        began, go = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with ledger.reserved(CALL) as entry:
                began.set()
                await go.wait()
                entry.cost = cost

        async def second() -> str:
            await began.wait()
            try:
                async with ledger.reserved(CALL):
                    return "went on"
            except BudgetSpent:
                return "gave up"

        async with asyncio.TaskGroup() as group:
            group.create_task(first())
            other = group.create_task(second())
            await asyncio.sleep(0.02)
            assert not other.done()
            go.set()
        return other.result()

    assert asyncio.run(run(None)) == "went on"
    assert asyncio.run(run(Spent(model_calls=1))) == "gave up"


def test_who_is_cancelled_while_waiting_or_at_work_holds_nothing() -> None:
    async def run() -> None:
        ledger = Ledger(Budget(model_calls=1))

        async def hold() -> None:
            async with ledger.reserved(CALL):
                await asyncio.sleep(60)

        at_work, waiting = asyncio.create_task(hold()), asyncio.create_task(hold())
        await asyncio.sleep(0.01)
        for task in (waiting, at_work):
            task.cancel()
        await asyncio.gather(at_work, waiting, return_exceptions=True)
        async with ledger.reserved(CALL) as entry:
            entry.cost = Spent(model_calls=1)
        assert ledger.exhausted() == "model_calls"

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_run_says_when_half_and_when_most_of_a_bound_is_used() -> None:
    ledger = Ledger(Budget(model_calls=10, tokens=1_000_000))
    for _ in range(9):
        ledger.book(Spent(model_calls=1, tokens=50_000))
    assert ledger.warnings == [
        "50% of the budget is used: 5 of 10 model calls.",
        "80% of the budget is used: 8 of 10 model calls.",
    ]


def test_a_step_over_both_marks_is_told_once_and_an_earlier_sitting_not_again() -> None:
    ledger = Ledger(Budget(tokens=1000), Spent(tokens=600))
    ledger.book(Spent(tokens=100))
    assert ledger.warnings == []
    ledger.book(Spent(tokens=250))
    assert ledger.warnings == ["80% of the budget is used: 950 of 1,000 tokens."]
    once = Ledger(Budget(tokens=1000))
    once.book(Spent(tokens=900))
    assert once.warnings == ["80% of the budget is used: 900 of 1,000 tokens."]


def test_time_that_is_not_booked_yet_counts() -> None:
    ledger = Ledger(Budget(wall_s=10.0), Spent(wall_s=9.0))
    assert (ledger.exhausted(), ledger.exhausted(wall_s=1.5)) == (None, "wall_s")


class Answering:
    """A model that answers after a moment, and counts how many calls are under way."""

    name = "test"

    def __init__(self, usage: ModelUsage) -> None:
        self.usage = usage
        self.under_way = self.most = self.asked = 0

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.002)
        self.under_way -= 1
        return Completion(text="", model="test", usage=self.usage)


def asked(model: Answering, ledger: Ledger, sampling: Sampling, calls: int = 48) -> list[object]:
    async def run() -> list[object]:
        paid = PaidModel(model, ledger)
        calling = (paid.complete(ASK, key=str(number), sampling=sampling) for number in range(calls))
        return await asyncio.wait_for(asyncio.gather(*calling, return_exceptions=True), 60)

    return asyncio.run(run())


def test_a_model_is_asked_as_often_as_the_budget_allows() -> None:
    model, ledger = Answering(ModelUsage(calls=1, input_tokens=10, output_tokens=10)), Ledger(Budget(model_calls=20))
    found = asked(model, ledger, FREE)
    assert model.asked == 20
    assert sum(isinstance(one, BudgetSpent) for one in found) == 28
    assert ledger.spent == Spent(model_calls=20, tokens=400, unpriced_calls=20)


def test_the_most_that_a_call_takes() -> None:
    assert most_tokens(ASK, FREE) == UNKNOWN
    assert most_tokens([*ASK, Message("user", "é")], Sampling(max_tokens=7)) == 7 + 50 + 2 + 2 * 32


def test_calls_with_a_limit_go_side_by_side_and_keep_to_the_tokens() -> None:
    model = Answering(ModelUsage(calls=1, input_tokens=60, output_tokens=40))
    ledger = Ledger(Budget(tokens=2000))
    asked(model, ledger, Sampling(max_tokens=40))
    assert 2000 <= ledger.spent.tokens < 2000 + 100
    assert model.most > 4


def test_dollars_as_the_bound_need_a_price() -> None:
    priced = Answering(ModelUsage(calls=1, cost_usd=0.25))
    ledger = Ledger(Budget(usd=1.0))
    asked(priced, ledger, FREE)
    assert (priced.asked, priced.most, ledger.spent.usd) == (4, 1, 1.0)
    free = Answering(ModelUsage(calls=1))
    kept, *refused = asked(free, Ledger(Budget(usd=1.0)), FREE, calls=3)
    assert isinstance(kept, Completion), "it is paid, so it is not lost"
    assert (free.asked, len(refused)) == (1, 2)
    assert all(isinstance(one, UsageError) for one in refused)
    assert all("A bound in dollars cannot be kept" in str(one) for one in refused)


def test_where_the_price_is_known_calls_go_side_by_side_within_the_dollars() -> None:
    class Priced(Answering):
        def price(self, usage: ModelUsage) -> float | None:
            return (usage.input_tokens + 4 * usage.output_tokens) / 1000

    model = Priced(ModelUsage(calls=1, input_tokens=50, output_tokens=10, cost_usd=0.09))
    ledger = Ledger(Budget(usd=4.0))
    asked(model, ledger, Sampling(max_tokens=20))
    assert 4.0 <= ledger.spent.usd < 4.0 + 0.09
    assert model.most > 4

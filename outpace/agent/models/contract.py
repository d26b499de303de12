"""What every model must do, as tests to inherit.

class TestMyModel(ModelContract):
    @pytest.fixture
    def model(self) -> Model:
        return MyModel()
"""

import asyncio

import pytest

from outpace.agent.models.base import Completion, Message, Model, Sampling
from outpace.agent.models.open import close

ASKED = [Message("system", "Answer briefly."), Message("user", "Say yes.")]


class ModelContract:
    """Give a fixture ``model`` that answers at least eight requests, whatever they say."""

    @pytest.fixture
    def model(self) -> Model:
        """Return the model under test."""
        raise NotImplementedError("define a fixture 'model' in your class")

    def test_it_has_a_name_that_fits_on_a_line(self, model: Model) -> None:
        """The name goes into the store and onto leaderboards."""
        assert model.name.strip() == model.name != ""
        assert model.name.isprintable()

    def test_an_answer_is_complete(self, model: Model) -> None:
        """Text, finish and a count of what was used; unknown cost is None and never negative."""
        (answer,) = _answers(model, 1)
        assert type(answer.text) is str and answer.finish and answer.model
        assert answer.usage.calls >= 1 and answer.usage.tokens >= 0 and answer.latency_s >= 0
        assert answer.usage.cost_usd is None or answer.usage.cost_usd >= 0

    def test_many_may_be_asked_at_once(self, model: Model) -> None:
        """Proposals are in flight together."""
        assert len(_answers(model, 4)) == 4

    def test_it_may_be_used_in_a_later_event_loop_and_closed_twice(self, model: Model) -> None:
        """A resumed sitting has a loop of its own."""
        assert len(_answers(model, 1)) == len(_answers(model, 1)) == 1
        asyncio.run(close(model))

    def test_sampling_is_taken(self, model: Model) -> None:
        """What an endpoint cannot do it may leave out, but not fail on."""

        async def ask() -> Completion:
            sampling = Sampling(max_tokens=64, temperature=0.5, seed=7)
            try:
                return await model.complete(ASKED, key="7/0", sampling=sampling)
            finally:
                await close(model)

        assert asyncio.run(ask()).text is not None


def _answers(model: Model, count: int) -> list[Completion]:
    async def ask() -> list[Completion]:
        try:
            return await asyncio.gather(*(model.complete(ASKED, key=f"{number}/0") for number in range(count)))
        finally:
            await close(model)

    return asyncio.run(ask())

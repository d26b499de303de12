"""Prices: those of the provider at the address, and none where there is no provider."""

import pytest

from outpace.agent.models.openai import DEFAULT_URL, OpenAIModel
from outpace.agent.models.prices import price
from outpace.agent.proposal import ModelUsage

USAGE = ModelUsage(calls=1, input_tokens=600_000, cached_tokens=400_000, output_tokens=70_000, reasoning_tokens=30_000)


def test_the_price_of_a_known_model_at_its_provider() -> None:
    whole = price(USAGE, model="gpt-4o", url=DEFAULT_URL)
    assert whole is not None
    parts = {
        name: price(ModelUsage(**{name: 1_000_000}), model="gpt-4o", url=DEFAULT_URL)
        for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    }
    read, cached, written, thought = parts.values()
    assert read and cached and written and thought
    assert cached < read < written == thought, "reasoning is billed as output"
    assert whole == pytest.approx(0.6 * read + 0.4 * cached + 0.1 * written)


def test_what_has_no_price_is_unknown_and_not_free() -> None:
    assert price(USAGE, model="gpt-4o", url="http://127.0.0.1:8000/v1") is None
    assert price(USAGE, model="a-model-of-nobody", url=DEFAULT_URL) is None


def test_a_model_knows_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert OpenAIModel("gpt-4o").price(USAGE) == price(USAGE, model="gpt-4o", url=DEFAULT_URL)
    assert OpenAIModel("gpt-4o", base_url="http://127.0.0.1:9/v1").price(USAGE) is None

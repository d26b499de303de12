"""The built-in models keep the contract."""

from typing import Any

import pytest

from outpace.agent.models.base import Completion, Model
from outpace.agent.models.contract import ModelContract
from outpace.agent.models.openai import OpenAIModel
from outpace.agent.models.recorded import RecordedModel
from outpace.agent.models.scripted import ScriptedModel


class TestScripted(ModelContract):
    @pytest.fixture
    def model(self) -> Model:
        return ScriptedModel(["yes", "no"], cycle=True)


class TestRecorded(ModelContract):
    @pytest.fixture
    def model(self) -> Model:
        kept: dict[str, Completion] = {}
        return RecordedModel(ScriptedModel(["yes"], cycle=True), kept.get, kept.__setitem__)


class TestOpenAI(ModelContract):
    @pytest.fixture
    def model(self, model_server: Any, monkeypatch: pytest.MonkeyPatch) -> Model:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        model_server.answers = lambda messages: "yes"
        return OpenAIModel("any", base_url=model_server.base_url)

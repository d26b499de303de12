"""The examples of ``docs/how-to/use-a-model.md`` do what the page says."""

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from outpace.agent.models.base import Message
from outpace.agent.models.open import open_model
from outpace.agent.proposers.edits import apply
from outpace.errors import ModelPermanent
from outpace.tasks.candidate import Candidate

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "use-a-model.md"


def example(language: str) -> str:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert len(found) == 1
    return found[0]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_models.py").write_text(example("python"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_models", raising=False)


@pytest.mark.usefixtures("own")
def test_the_own_model_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; print(sys.stdin.read().upper())"
    monkeypatch.setenv("MODEL_COMMAND", f'{sys.executable} -c "{code}"')
    model = open_model("my_models:CommandModel")
    assert model.name == "my_models:CommandModel"
    answer = asyncio.run(model.complete([Message("system", "be brief"), Message("user", "hello")], key="1/0"))
    assert answer.text == "BE BRIEF\n\nHELLO\n"
    assert answer.latency_s > 0


@pytest.mark.usefixtures("own")
def test_the_own_model_fails_as_models_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_COMMAND", f'{sys.executable} -c "raise SystemExit(3)"')
    with pytest.raises(ModelPermanent, match=r"request 1/0 ended with exit code 3\."):
        asyncio.run(open_model("my_models:CommandModel").complete([Message("user", "hello")], key="1/0"))


def test_the_python_example_makes_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_KEY", "sk-example")
    made = example("py").split("report =")[0]
    space: dict[str, object] = {}
    exec(compile(made, str(PAGE), "exec"), space)
    assert repr(space["model"]) == "OpenAIModel('NAME', base_url='https://models.example.org/v1')"


def test_the_script_answers_with_an_edit(tmp_path: Path) -> None:
    lines = example("json")
    (tmp_path / "answers.jsonl").write_text(lines, encoding="utf-8")
    model = open_model(f"scripted:{tmp_path / 'answers.jsonl'}")
    answer = asyncio.run(model.complete([Message("user", "improve it")], key="1/0"))
    assert answer.text == json.loads(lines.split("\n")[0])["text"]
    block = "# EVOLVE-BLOCK-START\ndef priority(item, bins):\n    return -(bins - item)\n# EVOLVE-BLOCK-END\n"
    edit = apply(answer.text, Candidate({"program.py": block}), entry="priority")
    assert "-((bins - item) ** 2)" in edit.candidate.program

"""``ScriptedModel``: answers from a list or a file."""

import asyncio
import json
from pathlib import Path

import pytest

from outpace.agent.models.base import Choice, Completion, Message, Sampling
from outpace.agent.models.scripted import Answer, ScriptedModel
from outpace.errors import ModelPermanent, UsageError


def ask(model: ScriptedModel, text: str = "improve it") -> Completion:
    messages = [Message("system", "s"), Message("user", text), Message("assistant", "a")]
    return asyncio.run(model.complete(messages, key="1/0"))


def test_answers_come_in_order_and_cost_nothing() -> None:
    model = ScriptedModel(["one", Answer(text="two", finish="length")])
    first, second = ask(model), ask(model)
    assert (first.text, first.finish, first.usage.calls, first.usage.cost_usd) == ("one", "stop", 1, 0.0)
    assert (second.text, second.finish) == ("two", "length")


def test_a_script_that_is_used_up_says_so() -> None:
    model = ScriptedModel(["one"])
    ask(model)
    with pytest.raises(ModelPermanent, match="no answer for request 1/0: 0 of 1 are left"):
        ask(model)


def test_several_answers_are_taken_for_one_request() -> None:
    messages, three = [Message("user", "improve it")], Sampling(n=3)
    model = ScriptedModel(["one", Answer(text="two", finish="length"), "three", "four"])
    both = [asyncio.run(model.complete(messages, key=f"{number}/0", sampling=three)) for number in range(2)]
    assert both[0].others == (Choice("two", "length"), Choice("three"))
    assert (both[0].usage.calls, both[1].text, both[1].others) == (1, "four", ())
    cycling = ScriptedModel(["one", "two"], cycle=True)
    assert [one.text for one in asyncio.run(cycling.complete(messages, key="1/0", sampling=three)).others] == [
        "two",
        "one",
    ]


def test_a_cycling_script_starts_over() -> None:
    model = ScriptedModel(["one", "two"], cycle=True)
    assert [ask(model).text for _ in range(5)] == ["one", "two", "one", "two", "one"]
    with pytest.raises(ModelPermanent, match="0 of 0 are left"):
        ask(ScriptedModel([], cycle=True))


def test_an_answer_with_a_match_waits_for_its_question() -> None:
    model = ScriptedModel(
        [Answer(text="colour", match=r"colou?r"), Answer(text="else"), Answer(text="late", match="^x$")]
    )
    assert ask(model, "which size").text == "else"
    with pytest.raises(ModelPermanent, match="2 of 3 are left, none of them fits"):
        ask(model, "which size")
    assert ask(model, "which color").text == "colour"
    assert ask(model, "x").text == "late"


def test_a_script_file(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    lines = [{"text": "line one\u2028still it"}, {"text": "two", "match": "b+", "finish": "length"}]
    path.write_text("\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n", encoding="utf-8")
    model = ScriptedModel(path)
    assert model.name == f"scripted:{path}"
    assert ask(model, "abba").text == "line one\u2028still it"
    assert ask(model, "abba").finish == "length"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "a"}\n{"txt": "b"}', r":2: "),
        ("[1]", r":1: the line"),
        ("nonsense", r":1: the line: Invalid JSON"),
        ('{"text": 3}', r":1: text: "),
        ('{"text": "a", "match": "("}', r"answer 1: 'match' is no regular expression"),
    ],
)
def test_a_broken_script_names_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        ScriptedModel(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_script_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        ScriptedModel(tmp_path / "none.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        ScriptedModel(tmp_path / "binary")

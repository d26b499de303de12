"""Answers as JSON, and answers for several files."""

import json
from typing import Any

import pytest

from outpace.agent.prompts.facts import Facts
from outpace.agent.prompts.render import Beside, render
from outpace.agent.proposal import Brief
from outpace.agent.proposers.answers import MAX_THOUGHT, EditError, schema_of
from outpace.agent.proposers.edits import Edit, apply, schema_for
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

PROGRAM = """from fast import add


def total(values):
    result = 0
    for value in values:
        result = add(result, value)
    return result
"""
FAST = "def add(a, b):\n    return a + b\n"
START, END = "# EVOLVE-BLOCK-START\n", "# EVOLVE-BLOCK-END\n"
FREE = Candidate({"program.py": PROGRAM, "fast.py": FAST, "data/table.txt": "1 2\n3 4\n"})
ALONE = Candidate({"program.py": PROGRAM})
BOUND = Candidate({**FREE.files, "fast.py": START + FAST + END, "program.py": PROGRAM + START + "LIMIT = 3\n" + END})


def edits(*given: Any, thought: str = "Because.") -> str:
    return json.dumps({"thought": thought, "edits": list(given)})


def edit(search: str, replace: str, file: str | None = None) -> dict[str, str]:
    return {"search": search, "replace": replace, **({} if file is None else {"file": file})}


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


def applied(answer: str, parent: Candidate = FREE) -> Edit:
    return apply(answer, parent, entry="total")


def refused(answer: str, parent: Candidate = FREE) -> str:
    with pytest.raises(EditError) as caught:
        applied(answer, parent)
    assert "\n" not in str(caught.value)
    return str(caught.value)


LOOP = "    result = 0\n    for value in values:\n        result = add(result, value)\n    return result"
TOTAL = edit(LOOP, "    return sum(values)\n")
SHORT = PROGRAM.replace(LOOP, "    return sum(values)")


class TestJson:
    def test_an_edit(self) -> None:
        found = applied(edits(TOTAL), ALONE)
        assert (found.candidate.program, found.mode, found.thought) == (SHORT, "json", "Because.")

    @pytest.mark.parametrize(
        "disguise",
        [
            "```json\n{}\n```",
            "So be it:\n\n```\n{}\n```\nDone.",
            "\n\n {} \n",
            "<think>{{}}</think>\n{}",
            "~~~json\n{}\n~~~",
        ],
    )
    def test_disguises(self, disguise: str) -> None:
        assert applied(disguise.format(edits(TOTAL)), ALONE).candidate.program == SHORT

    def test_several_edits_in_order_each_on_what_the_one_before_left(self) -> None:
        second = edit("    return sum(values)", "    return sum(values, 0)")
        assert "sum(values, 0)" in applied(edits(TOTAL, second), ALONE).candidate.program

    def test_a_search_of_a_near_miss_is_found_as_in_blocks(self) -> None:
        assert applied(edits(edit("return result", "return int(result)")), ALONE).candidate.program == PROGRAM.replace(
            "return result", "return int(result)"
        )
        assert "matches nothing" in refused(edits(edit("return resul", "")), ALONE)

    def test_an_empty_replacement_deletes(self) -> None:
        assert (
            applied(edits(edit("    return result", "")), ALONE).candidate.program
            == PROGRAM[: PROGRAM.index("    ret")]
        )

    def test_files_are_named_and_the_program_is_meant_where_none_is(self) -> None:
        answer = edits(
            TOTAL, edit("    return a + b", "    return b + a", "fast.py"), edit("3 4", "3 5", "data/table.txt")
        )
        files = applied(answer).candidate.files
        assert files == {"program.py": SHORT, "fast.py": FAST.replace("a + b", "b + a"), "data/table.txt": "1 2\n3 5\n"}

    def test_control_characters_in_texts_are_taken(self) -> None:
        assert applied(edits(TOTAL).replace("\\n", "\n"), ALONE).candidate.program == SHORT

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (edits(), "'edits' must be a list of at least one"),
            ('{"edits": "all"}', "'edits' must be a list of at least one"),
            (edits("x"), "Edit 1 is no JSON object"),
            (edits({"search": "x"}), "Edit 1 lacks a text 'search' or 'replace'"),
            (edits(TOTAL, {"search": 3, "replace": ""}), "Edit 2 lacks"),
            (edits(edit(" \n", "x")), "Edit 1 is empty"),
            (edits({**TOTAL, "file": 3}), "its 'file' is no text"),
            (edits(TOTAL)[:-3], "no valid JSON"),
            ('{"edits": ' + "[" * 100_000, "no valid JSON"),
            (edits(edit("    return result", "    return result")), "No change"),
            (edits(edit("    return result", "    return result)")), "does not parse: line 8"),
            (edits(edit("def total(values):", "def sums(values):")), "no longer defines 'total'"),
            (edits(edit("x", "y", "none.py")), "Edit 1 is for 'none.py', which is not there: the files are"),
            (edits(edit("x", "y", "../fast.py")), "which is not there"),
        ],
    )
    def test_a_promise_of_the_form_is_not_trusted(self, answer: str, why: str) -> None:
        assert why in refused(answer)

    def test_another_json_value_is_no_edit(self) -> None:
        assert "holds no edit" in refused('{"answer": 42}')

    def test_a_long_thought_is_cut(self) -> None:
        assert len(applied(edits(TOTAL, thought="why " * 1000)).thought) == MAX_THOUGHT
        assert applied('{"edits": ' + json.dumps([TOTAL]) + "}").thought == ""

    def test_the_schema_names_the_files_where_there_are_several(self) -> None:
        alone, several = schema_of(["program.py"]), schema_of(["fast.py", "program.py"])
        item = alone["properties"]["edits"]["items"]
        assert (item["required"], item["additionalProperties"]) == (["search", "replace"], False)
        item = several["properties"]["edits"]["items"]
        assert item["required"] == ["file", "search", "replace"]
        assert item["properties"]["file"]["enum"] == ["fast.py", "program.py"]

    @pytest.mark.parametrize("parent", [ALONE, FREE, BOUND], ids=["alone", "free", "bound"])
    def test_the_prompt_shows_what_the_schema_asks_for(self, parent: Candidate) -> None:
        goal = Goal(kind="metric", name="error", direction="minimise")
        spec = TaskSpec(name="sum", title="Sum", statement="Sum.", entry="total", goal=goal, cases=(Case(name="a"),))
        brief = Brief(number=1, parents=(), seed=0, edit_mode="json")
        system, user = render(Task(spec, parent), brief, beside=Beside(facts=Facts()))
        (line,) = [line for line in system.content.split("\n") if line.startswith('{"thought"')]
        schema = schema_for(parent)
        assert list(json.loads(line)) == schema["required"]
        assert list(json.loads(line)["edits"][0]) == schema["properties"]["edits"]["items"]["required"]
        assert user.content.endswith("Answer with the JSON object alone.\n")


class TestSeveralFiles:
    @pytest.mark.parametrize(
        "name",
        [
            "fast.py\n",
            "fast.py\n\n",
            "`fast.py`:\n",
            "**fast.py**\n",
            "### File: fast.py\n",
            "./fast.py\n",
            "fast.py\n```python\n",
            "```python fast.py\n",
        ],
    )
    def test_a_block_is_for_the_file_named_before_it(self, name: str) -> None:
        answer = f"Both.\n\n{block(TOTAL['search'] + chr(10), TOTAL['replace'])}\n{name}"
        found = applied(answer + block("    return a + b\n", "    return b + a\n"))
        assert found.candidate.files["fast.py"] == FAST.replace("a + b", "b + a")
        assert found.candidate.program == SHORT
        assert found.candidate.files["data/table.txt"] == "1 2\n3 4\n"
        assert (found.mode, found.thought) == ("diff", "Both.")

    def test_a_name_holds_for_one_block(self) -> None:
        answer = "fast.py\n" + block("    return a + b\n", "    return b + a\n") + block(LOOP + "\n", "    return 1\n")
        assert applied(answer).candidate.program == PROGRAM.replace(LOOP, "    return 1")

    def test_words_before_a_block_are_no_name(self) -> None:
        assert (
            applied("I use math.fsum here.\n" + block(LOOP + "\n", "    return 1\n")).thought == "I use math.fsum here."
        )

    def test_the_only_file_is_meant_whatever_it_is_called(self) -> None:
        assert applied("solution.py\n" + block(LOOP + "\n", "    return 1\n"), ALONE).candidate.id != ALONE.id

    def test_whole_files_by_name(self) -> None:
        answer = f"Both.\n\nfast.py\n```python\nadd = max\n```\n\nprogram.py\n```python\n{SHORT}```\n"
        found = applied(answer)
        assert found.candidate.files == {**FREE.files, "fast.py": "add = max\n", "program.py": SHORT}
        assert (found.mode, found.thought) == ("whole", "Both.")

    def test_a_fence_without_a_name_is_the_program(self) -> None:
        answer = f"```python\n{SHORT}```\n\n**data/table.txt**\n```\n9\n```\n"
        assert applied(answer).candidate.files == {**FREE.files, "data/table.txt": "9\n", "program.py": SHORT}
        assert applied(f"```python\n{SHORT}```\n").candidate.files == {**FREE.files, "program.py": SHORT}
        assert applied("fast.py\n```\nadd = max\n```").candidate.files == {**FREE.files, "fast.py": "add = max\n"}

    @pytest.mark.parametrize(
        "answer",
        ["new.py\n```\nx = 1\n```", "new.py\n" + block("x\n", "y\n"), edits(edit("x", "y", "new.py"))],
        ids=["whole", "diff", "json"],
    )
    def test_no_file_is_added(self, answer: str) -> None:
        assert "is for 'new.py', which is not there: the files are data/table.txt, fast.py, program.py" in refused(
            answer
        )

    @pytest.mark.parametrize(
        "answer",
        [
            "data/table.txt\n```\nx = 1\n```",
            "data/table.txt\n" + block("1 2\n", "y\n"),
            edits(edit("1 2", "y", "data/table.txt")),
        ],
        ids=["whole", "diff", "json"],
    )
    def test_files_without_a_block_stay_where_others_have_one(self, answer: str) -> None:
        assert "'data/table.txt', which stays as it is: only fast.py, program.py may change" in refused(answer, BOUND)

    def test_blocks_hold_in_every_file(self) -> None:
        found = applied("fast.py\n```\ndef add(a, b):\n    return b + a\n```", BOUND)
        assert found.candidate.files == {**BOUND.files, "fast.py": START + FAST.replace("a + b", "b + a") + END}
        outside = edits(edit("from fast import add", "from slow import add"))
        assert "outside of the evolve block" in refused(outside, BOUND)

    def test_every_python_file_must_parse(self) -> None:
        assert "The edited file fast.py does not parse: line 2" in refused(
            edits(edit("    return a + b", "    return a +", "fast.py"))
        )
        assert (
            applied(edits(edit("1 2", "1 2 (", "data/table.txt"))).candidate.files["data/table.txt"] == "1 2 (\n3 4\n"
        )

    def test_the_entry_is_looked_for_in_the_program_alone(self) -> None:
        assert applied("fast.py\n```\nadd = max\n```").mode == "whole"

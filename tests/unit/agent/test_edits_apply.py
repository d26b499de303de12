"""From answers to candidates: what is taken, what is refused, and what the model is told."""

import pytest

from outpace.agent.proposers.answers import MAX_THOUGHT, EditError
from outpace.agent.proposers.edits import Edit, apply
from outpace.errors import ProposalError
from outpace.tasks.candidate import Candidate

HEAD = '"""Sums."""\n\nimport math\n\n\n'
BLOCK = """def total(values):
    result = 0
    for value in values:
        result = result + value
    return result


def mean(values):
    result = total(values)
    return result / len(values)
"""
TAIL = "\n\ndef report(values):\n    return total(values), mean(values)\n"
START, END = "# EVOLVE-BLOCK-START\n", "# EVOLVE-BLOCK-END\n"
PROGRAM = HEAD + START + BLOCK + END + TAIL
PARENT = Candidate({"program.py": PROGRAM, "data.txt": "1 2 3\n"})


def diff(*pairs: tuple[str, str]) -> str:
    return "\n".join(f"<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n" for search, replace in pairs)


def applied(answer: str, program: str = PROGRAM, entry: str | None = "total") -> Edit:
    return apply(answer, Candidate({**PARENT.files, "program.py": program}), entry=entry)


def refused(answer: str, program: str = PROGRAM, entry: str | None = "total") -> EditError:
    with pytest.raises(ProposalError) as caught:
        applied(answer, program, entry)
    assert isinstance(caught.value, EditError)
    assert "\n" not in str(caught.value)
    return caught.value


FASTER = (
    "    result = 0\n    for value in values:\n        result = result + value\n    return result\n",
    "    return sum(values)\n",
)


class TestDiff:
    def test_one_block(self) -> None:
        edit = applied("It is built in.\n\n" + diff(FASTER))
        assert edit.candidate.program == PROGRAM.replace(*FASTER)
        assert edit.candidate.files["data.txt"] == "1 2 3\n"
        assert (edit.mode, edit.thought) == ("diff", "It is built in.")

    def test_several_blocks_in_order_each_on_what_the_one_before_left(self) -> None:
        second = ("    return sum(values)\n", "    return math.fsum(values)\n")
        third = (
            "    result = total(values)\n    return result / len(values)\n",
            "    return total(values) / len(values)\n",
        )
        edit = applied(diff(FASTER, second, third))
        assert edit.candidate.program == PROGRAM.replace(*FASTER).replace(*second).replace(*third)

    def test_an_empty_replacement_deletes(self) -> None:
        mean = BLOCK[BLOCK.index("\n\ndef mean") :]
        assert applied(diff((mean, ""))).candidate.program == PROGRAM.replace(mean, "")

    @pytest.mark.parametrize(
        "disguise",
        [
            lambda text: f"```diff\n{text}```\n",
            lambda text: f"~~~~\n{text}~~~~\n",
            lambda text: text.replace("\n", "\r\n"),
            lambda text: text.replace("SEARCH\n", "SEARCH  \t\n").replace("=======\n", "======= \n"),
            lambda text: text.replace("<<<<<<< SEARCH", "  <<<<<<<<< SEARCH").replace(
                ">>>>>>> REPLACE", ">>>>> REPLACE "
            ),
            lambda text: text.replace("SEARCH\n", "SEARCH\n```python\n").replace("=======\n", "```\n=======\n"),
            lambda text: f"<think>\nMaybe\n{diff(('x', 'y'))}\n</think>\n{text}",
            lambda text: f"Maybe\n{diff(('x', 'y'))}\n</think>\n\n{text}",
        ],
        ids=["fence", "tildes", "crlf", "spaces", "markers", "inner fence", "thinking", "half thinking"],
    )
    def test_disguises(self, disguise: object) -> None:
        assert callable(disguise)
        assert applied(disguise(diff(FASTER))).candidate.program == PROGRAM.replace(*FASTER)

    def test_spaces_at_line_ends_may_differ(self) -> None:
        search = FASTER[0].replace("0\n", "0   \n")
        assert applied(diff((search, FASTER[1]))).candidate.program == PROGRAM.replace(*FASTER)
        trailing = PROGRAM.replace("result = 0\n", "result = 0 \n")
        assert applied(diff(FASTER), trailing).candidate.program == PROGRAM.replace(*FASTER)

    @pytest.mark.parametrize("shift", ["", "  ", "      "])
    def test_indentation_may_differ_by_the_same_on_all_lines(self, shift: str) -> None:
        search, replace = ("".join(shift + line[4:] for line in text.splitlines(True)) for text in FASTER)
        assert applied(diff((search, replace))).candidate.program == PROGRAM.replace(*FASTER)

    def test_indentation_that_differs_unevenly_is_no_match(self) -> None:
        search = FASTER[0].replace("        result", "      result")
        assert "matches nothing" in str(refused(diff((search, FASTER[1]))))

    def test_new_lines_that_cannot_follow_the_shift_are_no_match(self) -> None:
        search = "".join("    " + line for line in FASTER[0].splitlines(True))
        assert "matches nothing" in str(refused(diff((search, "result = 1\n"))))

    def test_crlf_programs_keep_their_line_ends(self) -> None:
        program = PROGRAM.replace("\n", "\r\n")
        assert applied(diff(FASTER), program).candidate.program == PROGRAM.replace(*FASTER).replace("\n", "\r\n")

    def test_two_places_are_ambiguous(self) -> None:
        program = PROGRAM.replace("    result = total(values)\n", "    result = 0\n")
        error = refused(diff(("    result = 0\n", "    result = 0.0\n")), program)
        assert "matches 2 places: at lines 8, 15. Give more lines" in str(error)

    def test_two_places_up_to_indentation_are_ambiguous(self) -> None:
        program = PROGRAM.replace(
            "    return result / len", "    if values:\n        result = 0\n    return result / len"
        )
        error = refused(diff((" result = 0\n", " result = 0.0\n")), program)
        assert "matches 2 places up to indentation: at lines 8, 17" in str(error)

    def test_a_place_outside_does_not_make_the_one_inside_ambiguous(self) -> None:
        program = PROGRAM + "    result = 0\n"
        assert applied(diff(FASTER), program).candidate.program == program.replace(*FASTER)

    def test_no_match_shows_the_nearest_lines(self) -> None:
        error = refused(
            diff(("    result = 0\n    for value in values:\n        result += value\n", "    return sum(values)\n"))
        )
        assert str(error) == "SEARCH block 1 matches nothing: its lines are not in the program."
        assert (
            " 8 |     result = 0\n 9 |     for value in values:\n10 |         result = result + value\n"
            in error.excerpt
        )

    def test_no_match_shows_the_most_similar_line_where_none_is_equal(self) -> None:
        error = refused(diff(("result=result+valu\n", "x\n")))
        assert "10 |         result = result + value" in error.excerpt

    def test_no_match_and_nothing_similar(self) -> None:
        assert refused(diff(("@@@@\n", "x\n"))).excerpt == ""

    def test_the_failing_one_of_several_is_named(self) -> None:
        assert "SEARCH block 2 matches nothing" in str(refused(diff(FASTER, ("nothing like it\n", "\n"))))

    @pytest.mark.parametrize(
        ("search", "where"),
        [
            ("import math\n", "line 3, outside"),
            ("def report(values):\n", "line 20, outside"),
            (END + "\n\n", "line 17, outside"),
        ],
    )
    def test_an_edit_outside_of_the_block_is_refused(self, search: str, where: str) -> None:
        assert where in str(refused(diff((search, "import os\n"))))

    def test_an_edit_across_the_start_of_the_block_is_refused(self) -> None:
        entry = "def total(values):\n"
        assert "markers no longer pair up: line 16" in str(refused(diff((START + entry, entry))))
        changed = START.replace("\n", " here\n")
        assert "outside of the evolve block" in str(refused(diff((START + entry, changed + entry))))

    def test_a_marker_line_may_be_part_of_the_context(self) -> None:
        new = "def total(values, start=0):\n"
        edit = applied(diff((START + "def total(values):\n", START + new)))
        assert edit.candidate.program == PROGRAM.replace("def total(values):\n", new)

    @pytest.mark.parametrize(
        "new",
        [END + "import os\n" + START, END, START, "x = 1\n" + END + START],
        ids=["second block", "end", "start", "split"],
    )
    def test_markers_cannot_be_made(self, new: str) -> None:
        error = refused(diff(("    return result\n\n", new)))
        assert "outside of the evolve block" in str(error) or "no longer pair up" in str(error)

    def test_several_blocks_of_the_program_can_be_edited(self) -> None:
        program = PROGRAM + START + "LIMIT = 3\n" + END
        edit = applied(diff(FASTER, ("LIMIT = 3\n", "LIMIT = 4\n")), program)
        assert edit.candidate.program == program.replace(*FASTER).replace("LIMIT = 3", "LIMIT = 4")

    def test_a_program_without_markers_may_change_anywhere(self) -> None:
        program = PROGRAM.replace(START, "").replace(END, "")
        edit = applied(diff(("import math\n", "import math as m\n")), program)
        assert edit.candidate.program == program.replace("import math\n", "import math as m\n")

    def test_the_last_line_without_an_end_stays_so(self) -> None:
        edit = applied(diff(("total = sum\n", "total = max\n")), "x = 1\ntotal = sum")
        assert edit.candidate.program == "x = 1\ntotal = max"

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ("<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE", "SEARCH block 1 is empty"),
            ("<<<<<<< SEARCH\n  \n\n=======\nx = 1\n>>>>>>> REPLACE", "SEARCH block 1 is empty"),
            ("<<<<<<< SEARCH\n    result = 0\n", "incomplete: there is no line '======='"),
            ("<<<<<<< SEARCH\n    result = 0\n>>>>>>> REPLACE", "incomplete: there is no line '======='"),
            ("<<<<<<< SEARCH\n    result = 0\n=======\nx", "incomplete: there is no line '>>>>>>> REPLACE'"),
            ("<<<<<<< SEARCH\na\n<<<<<<< SEARCH\nb\n=======\nc\n>>>>>>> REPLACE", "SEARCH block 1 is incomplete"),
            ("<<<<<<< SEARCH\na\n=======\nb\n=======\nc\n>>>>>>> REPLACE", "holds 2 lines '======='"),
        ],
    )
    def test_malformed_blocks(self, answer: str, why: str) -> None:
        assert why in str(refused(answer))

    def test_no_change(self) -> None:
        assert str(refused(diff((FASTER[0], FASTER[0])))).startswith("No change")
        assert str(refused(diff(FASTER, (FASTER[1], FASTER[0])))).startswith("No change")


class TestResult:
    def test_what_does_not_parse_is_shown(self) -> None:
        error = refused(diff(("    return result\n\n", "    return result)\n\n")))
        assert str(error) == "The edited program does not parse: line 11: unmatched ')': 'return result)'."
        assert "11 |     return result)\n" in error.excerpt

    def test_what_only_the_compiler_finds(self) -> None:
        error = refused(diff(("    return result\n\n", "    pass\n\nreturn 3\n")))
        assert "line 13: 'return' outside function: 'return 3'" in str(error)

    @pytest.mark.parametrize(
        "code", ["x = '\0'\n", "x = " + "(" * 5000 + ")" * 5000, "x = '\ud800'\n", "-" * 200_000 + "1"]
    )
    def test_what_breaks_the_parser_is_refused(self, code: str) -> None:
        refused(f"```python\n{code}\ndef total(values): return 0\n```")

    def test_a_program_that_is_too_long_is_refused(self) -> None:
        assert "too long: 1020010 characters" in str(refused("```\ntotal = 1\n" + "x = 1\n" * 170_000 + "```"))

    def test_odd_escapes_are_no_reason_to_refuse(self) -> None:
        assert "'\\d'" in applied(diff((FASTER[0], "    return '\\d' is 1\n"))).candidate.program

    def test_the_entry_must_stay(self) -> None:
        renamed = diff(("def total(values):\n", "def summed(values):\n"))
        assert "no longer defines 'total'" in str(refused(renamed))
        assert applied(renamed, entry="mean").mode == "diff"
        assert applied(renamed, entry=None).mode == "diff"

    @pytest.mark.parametrize(
        "define",
        [
            "total = sum\n",
            "try:\n    from fast import total\nexcept ImportError:\n    total = sum\n",
            "if True:\n    def total(values): return 0\n",
            "a, (total, b) = 1, (sum, 2)\n",
            "class total: pass\n",
            "from math import *\n",
        ],
    )
    def test_the_entry_may_be_bound_in_any_way(self, define: str) -> None:
        assert applied(f"```\n{define}```").candidate.program == HEAD + START + define + END + TAIL

    def test_other_languages_are_not_parsed(self) -> None:
        parent = Candidate({"program.py": "// EVOLVE-BLOCK-START\nint x = 1;\n// EVOLVE-BLOCK-END\n"})
        edit = apply(diff(("int x = 1;\n", "int x = 2;\n")), parent, entry="x", language="c")
        assert edit.candidate.program == "// EVOLVE-BLOCK-START\nint x = 2;\n// EVOLVE-BLOCK-END\n"


NEW = "def total(values):\n    return sum(values)\n"


class TestWhole:
    @pytest.mark.parametrize(
        "answer",
        [
            f"```python\n{HEAD}{START}{NEW}{END}{TAIL}```",
            f"```python\n\n{HEAD}{START}{NEW}{END}{TAIL}\n\n```",
            f"```python\n{HEAD}{START}{NEW}{END}{TAIL}".rstrip("\n"),
            f"```python\r\n{HEAD}{START}{NEW}{END}{TAIL}```".replace("\n", "\r\n").replace("\r\r", "\r"),
            f"{HEAD}{START}{NEW}{END}{TAIL}",
            f"```python\n{HEAD.replace('math', 'math  ')}{START}{NEW}{END}{TAIL}```",
            f"```python\n{HEAD}{NEW}{TAIL}```",
            f"```\n{NEW}```",
            NEW,
            f"````py\n{START}{NEW}{END}````".replace(START, HEAD + START).replace(END, END + TAIL),
        ],
        ids=[
            "file",
            "blank",
            "unclosed",
            "crlf",
            "bare",
            "spaces",
            "no markers",
            "inside",
            "bare inside",
            "four ticks",
        ],
    )
    def test_ways_to_give_the_same_program(self, answer: str) -> None:
        edit = applied(answer)
        assert edit.candidate.program == HEAD + START + NEW + END + TAIL
        assert edit.mode == "whole"

    def test_the_largest_python_fence_counts(self) -> None:
        output, idea = "```\n" + "a line of output\n" * 50 + "```", "```python\nsum(x)\n```"
        answer = f"First:\n{output}\nIdea:\n{idea}\nAll:\n```python\n{NEW}```\nDone."
        edit = applied(answer)
        assert edit.candidate.program == HEAD + START + NEW + END + TAIL
        assert edit.thought == "First:\n\nIdea:\n\nAll:\n\nDone."

    def test_a_longer_fence_holds_a_shorter_one(self) -> None:
        code = 'def total(values):\n    """\n```\n    """\n    return 1\n'
        assert applied(f"````python\n{code}````").candidate.program == HEAD + START + code + END + TAIL

    def test_thoughts_are_cut(self) -> None:
        thought = applied("why " * 2000 + f"\n```\n{NEW}```").thought
        assert len(thought) == MAX_THOUGHT
        assert thought.endswith("…")
        assert applied(NEW).thought == ""

    @pytest.mark.parametrize(
        ("head", "tail", "difference"),
        [
            (HEAD.replace("import math", "import os"), TAIL, "First difference: 'import os' in place of 'import math'"),
            (
                HEAD,
                TAIL.replace("total(values), ", ""),
                "'return mean(values)' in place of 'return total(values), mean(values)'",
            ),
            (HEAD, TAIL + "x = 1\n", "'x = 1' in place of nothing"),
            (HEAD, "", "nothing in place of ''"),
            ("", TAIL, 'in place of \'"""Sums."""\''),
        ],
    )
    def test_a_file_that_differs_outside_is_refused(self, head: str, tail: str, difference: str) -> None:
        error = refused(f"```python\n{head}{START}{NEW}{END}{tail}```")
        assert "changes the program outside of the evolve block" in str(error)
        assert difference in str(error)

    def test_several_blocks_need_their_markers(self) -> None:
        program = PROGRAM + START + "LIMIT = 3\n" + END
        edit = applied(f"```\n{HEAD}{START}{NEW}{END}{TAIL}{START}LIMIT = 4\n{END}```", program)
        assert edit.candidate.program == HEAD + START + NEW + END + TAIL + START + "LIMIT = 4\n" + END
        assert "has 2 evolve blocks: give the whole file" in str(refused(f"```\n{NEW}```", program))
        assert "has 2 evolve blocks, the answer 1" in str(refused(f"```\n{HEAD}{START}{NEW}{END}{TAIL}```", program))

    def test_broken_markers(self) -> None:
        assert "do not pair up: line 6" in str(refused(f"```\n{HEAD}{START}{NEW}{TAIL}```"))

    def test_an_indented_block_takes_code_without_indentation(self) -> None:
        program = (
            "class Sum:\n    # EVOLVE-BLOCK-START\n    def of(self, x):\n        return x\n    # EVOLVE-BLOCK-END\n"
        )
        edit = applied("```\ndef of(self, x):\n\n    return sum(x)\n```", program, entry="Sum")
        assert edit.candidate.program == program.replace("(self, x):\n", "(self, x):\n\n").replace(
            "return x", "return sum(x)"
        )

    @pytest.mark.parametrize(
        "answer", ["", "   \n", "No.", "Hello", "I cannot help with that.", "x", "'text'", "```\n\n```"]
    )
    def test_an_answer_without_a_program(self, answer: str) -> None:
        assert "The answer holds" in str(refused(answer))

    def test_no_change(self) -> None:
        assert str(refused(f"```python\n{PROGRAM}```")).startswith("No change")
        assert str(refused(f"```python\n{BLOCK}```")).startswith("No change")

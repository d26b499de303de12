"""Edits, whatever the program and whatever the answer."""

import contextlib
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outpace.agent.proposers.answers import EditError, fences_of, replacements_of, thought_of
from outpace.agent.proposers.edits import apply
from outpace.agent.proposers.matching import nearest
from outpace.errors import ProposalError
from outpace.tasks.candidate import Candidate, blocks

START, END = "# EVOLVE-BLOCK-START", "# EVOLVE-BLOCK-END"
MARKS = (START, END, "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "```", "~~~")
CHARACTERS = st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])
LINE = st.text(CHARACTERS, max_size=12).filter(lambda line: not any(mark in line for mark in MARKS))
CODE_LINE = st.one_of(
    LINE, st.sampled_from(["", "x = 1", "    y = 2", "def f():", "    return x", "\tz = 3", "x = 1 "])
)
LINES = st.lists(CODE_LINE, max_size=8)
PIECE = st.one_of(
    CODE_LINE, st.sampled_from([*MARKS, "# EVOLVE-BLOCK-START again", "```python", "</think>", "<think>"])
)
ANSWER = st.one_of(st.text(max_size=200), st.lists(PIECE, max_size=20).map("\n".join))


def text_of(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[str], list[str], list[str]]:
    """Return the lines before, inside and after an evolve block."""
    return draw(LINES), draw(st.lists(CODE_LINE, min_size=1, max_size=10)), draw(LINES)


def joined(before: list[str], inside: list[str], after: list[str]) -> str:
    return text_of([*before, START, *inside, END, *after])


@given(programs(), st.data())
def test_replacing_a_slice_gives_exactly_the_replaced_text(
    program: tuple[list[str], list[str], list[str]], data: st.DataObject
) -> None:
    before, inside, after = program
    start = data.draw(st.integers(0, len(inside) - 1))
    end = data.draw(st.integers(start + 1, len(inside)))
    old, new = inside[start:end], data.draw(LINES)
    assume(any(line.strip() for line in old) and old != new)
    places = [i for i in range(len(inside) - len(old) + 1) if inside[i : i + len(old)] == old]
    answer = f"Because.\n<<<<<<< SEARCH\n{text_of(old)}=======\n{text_of(new)}>>>>>>> REPLACE\n"
    parent = Candidate({"program.py": joined(*program)})
    if len(places) > 1:
        with contextlib.suppress(ProposalError):
            raise AssertionError(f"not refused: {apply(answer, parent, language='text')}")
        return
    edit = apply(answer, parent, language="text")
    assert edit.candidate.program == joined(before, [*inside[:start], *new, *inside[end:]], after)
    assert edit.thought == "Because."


@given(programs(), LINES, st.booleans())
def test_a_whole_file_gives_exactly_its_block(
    program: tuple[list[str], list[str], list[str]], new: list[str], marked: bool
) -> None:
    before, inside, after = program
    assume(inside != new and any(line.strip() for line in new))
    given_back = joined(before, new, after)
    edit = apply(
        f"````{'python' if marked else ''}\n{given_back}````",
        Candidate({"program.py": joined(*program)}),
        language="text",
    )
    assert edit.candidate.program == given_back


@given(programs(), ANSWER, st.sampled_from(["python", "text"]))
@settings(max_examples=400)
def test_any_answer_is_applied_inside_the_block_or_refused(
    program: tuple[list[str], list[str], list[str]], answer: str, language: str
) -> None:
    before, _, after = program
    parent = Candidate({"program.py": joined(*program)})
    try:
        edit = apply(answer, parent, language=language)
    except EditError as error:
        assert str(error)
        assert "\n" not in str(error)
        return
    text = edit.candidate.program
    assert text != parent.program
    assert text.startswith(text_of([*before, START]))
    assert text.endswith(text_of([END, *after]))
    assert len(blocks(text)) == 1
    if language == "python":
        compile(text, "program.py", "exec")


@given(ANSWER)
@settings(max_examples=300)
def test_reading_an_answer_never_fails_otherwise(answer: str) -> None:
    with contextlib.suppress(EditError):
        assert all(any(line.strip() for line in found.search) for found in replacements_of(answer))
    thought = thought_of(answer)
    assert len(thought) <= 2000
    assert thought.count("\n") <= answer.count("\n")
    fences = fences_of(answer)
    assert all(one.end <= other.start for one, other in pairwise(fences))


@given(LINES, st.lists(CODE_LINE, min_size=1, max_size=5))
def test_the_nearest_lines_are_lines_of_the_program(program: list[str], search: list[str]) -> None:
    text = text_of(program)
    for line in nearest(text, search).split("\n")[:-1]:
        number, _, shown = line.partition(" | ")
        assert program[int(number) - 1].rstrip() == shown

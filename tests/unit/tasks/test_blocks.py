"""Evolve blocks in programs of any language."""

import pytest

from outpace.errors import MarkerError
from outpace.tasks.candidate import Block, Candidate, blocks, replace_block

TWO = """\
import math
# EVOLVE-BLOCK-START
a = 1
# EVOLVE-BLOCK-END
b = 2
  # EVOLVE-BLOCK-START: rule
c = 3
d = 4
# EVOLVE-BLOCK-END"""


def test_blocks_know_their_lines_and_text() -> None:
    assert blocks(TWO) == [Block(2, 4, "a = 1\n"), Block(6, 9, "c = 3\nd = 4\n")]


def test_no_markers_no_blocks() -> None:
    assert blocks("x = 1\n") == []
    assert blocks("") == []


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("# EVOLVE-BLOCK-START", "# EVOLVE-BLOCK-END"),
        ("#EVOLVE-BLOCK-START", "#EVOLVE-BLOCK-END"),
        ("// EVOLVE-BLOCK-START here", "// EVOLVE-BLOCK-END here"),
        ("/* EVOLVE-BLOCK-START */", "/* EVOLVE-BLOCK-END */"),
        ("-- EVOLVE-BLOCK-START", "-- EVOLVE-BLOCK-END"),
        ("% EVOLVE-BLOCK-START", "% EVOLVE-BLOCK-END"),
        ("<!-- EVOLVE-BLOCK-START -->", "<!-- EVOLVE-BLOCK-END -->"),
        ("; EVOLVE-BLOCK-START", "; EVOLVE-BLOCK-END"),
        ("! EVOLVE-BLOCK-START", "! EVOLVE-BLOCK-END"),
        ("(* EVOLVE-BLOCK-START *)", "(* EVOLVE-BLOCK-END *)"),
    ],
)
def test_comment_styles(start: str, end: str) -> None:
    assert blocks(f"one\n    {start}\ntwo\n{end}\nthree\n") == [Block(2, 4, "two\n")]


@pytest.mark.parametrize(
    "line",
    [
        "x = 'EVOLVE-BLOCK-START'",
        "print('# EVOLVE-BLOCK-START')",
        "# see EVOLVE-BLOCK-START",
        "# EVOLVE-BLOCK-STARTS",
        "# EVOLVE-BLOCK-START-2",
        "EVOLVE-BLOCK-START",
        "# evolve-block-start",
    ],
)
def test_other_lines_are_no_markers(line: str) -> None:
    assert blocks(f"{line}\n") == []


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("# EVOLVE-BLOCK-START\nx\n", 1, "EVOLVE-BLOCK-START without a EVOLVE-BLOCK-END after it"),
        ("x\n# EVOLVE-BLOCK-END\n", 2, "EVOLVE-BLOCK-END without a EVOLVE-BLOCK-START before it"),
        (
            "# EVOLVE-BLOCK-START\nx\n# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-END\n",
            3,
            "EVOLVE-BLOCK-START inside the block of line 1; expected EVOLVE-BLOCK-END first",
        ),
    ],
)
def test_unpaired_markers(text: str, line: int, reason: str) -> None:
    with pytest.raises(MarkerError) as caught:
        blocks(text)
    assert (caught.value.line, caught.value.reason) == (line, reason)


def test_replace_leaves_every_other_byte() -> None:
    assert replace_block(TWO, 1, "e = 5") == TWO.replace("c = 3\nd = 4\n", "e = 5\n")
    assert replace_block(TWO, 0, "") == TWO.replace("a = 1\n", "")


def test_replace_keeps_foreign_line_ends() -> None:
    text = "x\r\n# EVOLVE-BLOCK-START\r\ny\r\n# EVOLVE-BLOCK-END\r\nz\x0c\r\n"
    assert replace_block(text, 0, "new\r\n") == text.replace("y", "new")


def test_replace_refuses_markers_in_the_new_text() -> None:
    with pytest.raises(MarkerError, match=r"line 2: the new text of a block holds the marker EVOLVE-BLOCK-END"):
        replace_block(TWO, 0, "a = 2\n# EVOLVE-BLOCK-END\nimport os\n# EVOLVE-BLOCK-START\n")


def test_replace_of_a_block_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        replace_block(TWO, 2, "x")


def test_a_candidate_is_its_files() -> None:
    one, other = Candidate({"program.py": "a", "b": "c"}), Candidate({"b": "c", "program.py": "a"})
    assert one == other
    assert one.id == other.id
    assert len({one, other}) == 1
    assert one.with_program("b").id != one.id
    assert Candidate({"program.py": "ab", "c": ""}).id != Candidate({"program.py": "a", "bc": ""}).id

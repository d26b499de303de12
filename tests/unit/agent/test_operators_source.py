"""Edits by byte spans: what is not named stays, and what must not change cannot."""

import libcst as cst
import pytest

from outpace.agent.proposers.operators.source import Edit, Source, signature, walk
from outpace.errors import ProposalError

PROGRAM = '''"""Täglich grüßt: text outside, with bytes that are not ASCII."""

import math

# EVOLVE-BLOCK-START wide
def area(r: float, *, scale=1.0) -> float:
    # a comment that stays   \t
    return math.pi * r  **2   # squared: π r²
# EVOLVE-BLOCK-END

LAST = "outside"
'''


def node(source: Source, code: str) -> cst.CSTNode:
    return next(one for one in walk(source.module) if isinstance(one, cst.BaseExpression) and source.code(one) == code)


def test_only_the_named_bytes_change() -> None:
    source = Source(PROGRAM)
    text = source.apply([source.replace(node(source, "r  **2"), "(r * r)")], "area")
    assert text == PROGRAM.replace("r  **2", "(r * r)")


def test_insertions_at_one_place_keep_their_order() -> None:
    source = Source(PROGRAM)
    start = source.regions[0][0]
    text = source.apply([source.top(["A = 1"]), Edit(start, start, "B = 2\n")], "area")
    assert text.index("A = 1") < text.index("B = 2") < text.index("def area")


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (Edit(0, 3, "'''"), "outside the evolve block"),
        (Edit(PROGRAM.encode().index(b"# EVOLVE-BLOCK-END"), len(PROGRAM.encode()), ""), "outside the evolve block"),
    ],
)
def test_edits_outside_the_block_are_refused(edit: Edit, reason: str) -> None:
    with pytest.raises(ProposalError, match=reason):
        Source(PROGRAM).apply([edit], "area")


def test_text_that_does_not_compile_is_refused() -> None:
    source = Source(PROGRAM)
    with pytest.raises(ProposalError, match="does not compile"):
        source.apply([source.replace(node(source, "r  **2"), "r ** ")], "area")


def test_a_changed_signature_is_refused() -> None:
    source = Source(PROGRAM)
    with pytest.raises(ProposalError, match="signature of 'area'"):
        source.apply([source.replace(node(source, "1.0"), "2.0")], "area")
    assert signature(PROGRAM, "area") != signature(PROGRAM.replace("scale=1.0", "scale=2.0"), "area")


def test_a_marker_that_an_edit_brings_in_is_refused() -> None:
    source = Source(PROGRAM)
    with pytest.raises(ProposalError):
        source.apply([source.top(["# EVOLVE-BLOCK-END", "X = 1", "# EVOLVE-BLOCK-START"])], "area")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n", "no evolve block"),
        ("# EVOLVE-BLOCK-START\nx = 1\n", "do not pair up"),
        ("# EVOLVE-BLOCK-START\nx = = 1\n# EVOLVE-BLOCK-END\n", "does not parse"),
    ],
)
def test_programs_that_cannot_be_edited(text: str, reason: str) -> None:
    with pytest.raises(ProposalError, match=reason):
        Source(text)

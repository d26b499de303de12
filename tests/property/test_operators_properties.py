"""Whatever an operator makes of a program: it compiles, the outside stays byte for byte, the signature stays."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from outpace.agent.proposers.operators.crossover import crossover
from outpace.agent.proposers.operators.mutate import mutate
from outpace.agent.proposers.operators.numbers import template
from outpace.agent.proposers.operators.parametrise import parametrise
from outpace.agent.proposers.operators.rewrites import rewrites
from outpace.agent.proposers.operators.source import Source, block_spans, signature
from outpace.errors import ProposalError

SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.sampled_from(["item", "room", "k", "total"])
NUMBERS = st.one_of(
    st.floats(-1e4, 1e4).map(lambda value: f"{value:.4g}" if "e" in f"{value:.4g}" else f"{value:.3f}"),
    st.integers(-40, 40).map(str),
)


def joined(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.tuples(children, st.sampled_from(["+", "-", "*", "/", "**", "//", "%"]), children)
    return st.one_of(
        binary.map(lambda part: f"({part[0]} {part[1]} {part[2]})"),
        binary.map(lambda part: f"{part[0]}{part[1]}  ({part[2]})"),
        children.map(lambda part: f"-({part})"),
        st.tuples(children, children).map(lambda part: f"min({part[0]}, {part[1]}, item)"),
        st.tuples(children, children, children).map(lambda part: f"({part[0]} if {part[1]} < {part[2]} else item)"),
        children.map(lambda part: f"math.sqrt(abs({part}))"),
        children.map(lambda part: f"[{part}, 2.5][0]"),
    )


EXPRESSIONS = st.recursive(st.one_of(NAMES, NUMBERS), joined, max_leaves=8)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Programs with one function in the block, comments, odd spacing, and bytes outside that are not ASCII."""
    indent = draw(st.sampled_from(["    ", "  ", "\t"]))
    body = [
        f"total = {draw(EXPRESSIONS.filter(lambda text: 'total' not in text and 'k' not in text))}",
        f"for k in range({draw(st.integers(0, 9))}):",
        f"{indent}total = total  +  {draw(EXPRESSIONS)}   # how: ½ {draw(st.sampled_from(['', 'ß', '=']))}",
        f"return {draw(EXPRESSIONS)}",
    ]
    head = draw(st.sampled_from(["", '"""Füße."""\n', "import numpy as np\n\n"]))
    parameters = draw(st.sampled_from(["item, room=2.5", "item: float, room: float", "item, *, room=(1, 2.0)"]))
    lines = ["def rule(" + parameters + "):", *(indent + line for line in body)]
    block = "\n".join(lines) + "\n"
    return f"{head}import math\nOUT = 0.75  # é\n# EVOLVE-BLOCK-START: x\n{block}# EVOLVE-BLOCK-END\n\nLAST = rule\n"


def outside(text: str) -> Iterator[bytes]:
    data, position = text.encode(), 0
    for start, end in block_spans(text):
        yield data[position:start]
        position = end
    yield data[position:]


def holds(old: str, new: str) -> None:
    compile(new, "program.py", "exec")
    assert list(outside(old)) == list(outside(new))
    assert signature(old, "rule") == signature(new, "rule") is not None
    assert new != old


@SETTINGS
@given(programs(), st.integers(0, 2**40), st.integers(0, 30))
def test_parametrise(text: str, seed: int, variant: int) -> None:
    made = parametrise(Source(text), "rule", variant=variant, seed=seed)
    holds(text, made.text)
    found = template(made.text)
    assert found is not None
    assert {float(weight) for weight in made.weights if abs(float(weight)) >= 1e-6} <= set(found.values)


@SETTINGS
@given(programs(), st.integers(0, 2**40))
def test_mutate(text: str, seed: int) -> None:
    made, thought = mutate(Source(text), "rule", seed=seed)
    holds(text, made)
    assert thought and mutate(Source(text), "rule", seed=seed) == (made, thought)


@SETTINGS
@given(programs(), programs(), st.integers(0, 2**40))
def test_crossover(text: str, donor: str, seed: int) -> None:
    try:
        made, thought = crossover(Source(text), Source(donor), "rule", seed=seed)
    except ProposalError as error:
        assert "cross over" in str(error) or "crossovers" in str(error)
        return
    holds(text, made)
    assert thought


@SETTINGS
@given(programs())
def test_rewrites(text: str) -> None:
    for done in rewrites(Source(text), "rule", requires=("numpy", "numba")):
        holds(text, done.text)
        for again in rewrites(Source(done.text), "rule", requires=("numpy", "numba")):
            holds(text, again.text)


@SETTINGS
@given(programs(), st.data())
def test_numbers(text: str, data: st.DataObject) -> None:
    found = template(text)
    assume(found is not None)
    assert found is not None
    values = data.draw(st.lists(st.floats(-1e9, 1e9), min_size=len(found.slots), max_size=len(found.slots)))
    made = found.write(values)
    compile(made, "program.py", "exec")
    assert list(outside(text)) == list(outside(made))
    assert signature(text, "rule") == signature(made, "rule")
    for slot, value in zip(found.slots, values, strict=True):
        assert slot.whole or math.isclose(float(slot.write(value).replace(" ", "").strip("()")), value, rel_tol=1e-5)


@SETTINGS
@given(programs(), st.data())
def test_numbers_mean_what_they_say(text: str, data: st.DataObject) -> None:
    """What is read back from the written program are the numbers that were put in, signs included."""
    found = template(text)
    assume(found is not None)
    assert found is not None
    kept = [value if abs(value) >= 1e-3 else 0.5 for value in found.values]
    signs = data.draw(st.lists(st.sampled_from([1.0, -1.0]), min_size=len(kept), max_size=len(kept)))
    new = template(found.write([value * sign for value, sign in zip(kept, signs, strict=True)]))
    assume(new is not None and len(new.values) == len(kept))
    assert new is not None
    expected = [value * sign for value, sign in zip(kept, signs, strict=True)]
    assert new.values == pytest.approx(expected, rel=1e-5)
    assert new.key == found.key

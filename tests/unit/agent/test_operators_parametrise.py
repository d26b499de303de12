"""Parametrise: the parent's value plus a weighted sum that is nearly nothing at first."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outpace.agent.proposers.operators.numbers import template
from outpace.agent.proposers.operators.parametrise import CANONICAL, canonical_variants, parametrise
from outpace.agent.proposers.operators.source import Source
from outpace.errors import ProposalError

ARRAYS = '''import numpy as np

# EVOLVE-BLOCK-START
def rule(weight: float, room: np.ndarray) -> np.ndarray:
    """Least room first."""
    return -(room - weight)
# EVOLVE-BLOCK-END
'''
SCALARS = """# EVOLVE-BLOCK-START
def rule(a, b, label: str):
    total = 0.0
    for k in range(3):
        total = total + a * k - b
    return total
# EVOLVE-BLOCK-END
"""


def run(text: str, name: str) -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    exec(compile(text, "program.py", "exec"), scope)
    found: Callable[..., Any] = scope[name]
    return found


def test_behaviour_is_nearly_kept_and_the_weights_are_fresh() -> None:
    room = np.array([3.0, 8.0, 0.0, 100.0])
    for variant in range(canonical_variants(Source(ARRAYS), "rule")):
        made = parametrise(Source(ARRAYS), "rule", variant=variant, seed=1)
        assert run(made.text, "rule")(3.0, room) == pytest.approx(3.0 - room, abs=0.02 * 100)
        found = template(made.text)
        assert found is not None
        assert [float(weight) for weight in made.weights] == list(found.values)
        assert len(made.weights) == len(CANONICAL)


@pytest.mark.parametrize("variant", range(40))
def test_every_variant_runs_and_stays_finite(variant: int) -> None:
    made = parametrise(Source(ARRAYS), "rule", variant=variant, seed=3)
    found = template(made.text)
    assert found is not None
    weights = {float(weight) for weight in made.weights}
    rule = run(found.write([2.0 if value in weights else value for value in found.values]), "rule")
    for weight, room in ((0.0, np.zeros(3)), (5.0, np.array([5.0, 1e6])), (-2.0, np.array([-7.0]))):
        assert np.isfinite(rule(weight, room)).all()
    assert rule(5.0, np.array([])).shape == (0,)


@pytest.mark.parametrize("variant", range(20))
def test_without_numpy_plain_numbers_do(variant: int) -> None:
    made = parametrise(Source(SCALARS), "rule", variant=variant, seed=3)
    assert "np." not in made.text
    assert math.isfinite(run(made.text, "rule")(2.0, -3.5, "x"))
    assert "label /" not in made.text


def test_variants_differ_and_repeat_themselves() -> None:
    texts = [parametrise(Source(ARRAYS), "rule", variant=variant, seed=1).text for variant in range(12)]
    assert len(set(texts)) == 12
    assert texts == [parametrise(Source(ARRAYS), "rule", variant=variant, seed=1).text for variant in range(12)]


def test_new_names_do_not_hide_old_ones() -> None:
    text = ARRAYS.replace("weight", "x").replace("room", "unit")
    made = parametrise(Source(text), "rule", variant=0, seed=1)
    room = np.array([3.0, 8.0])
    assert run(made.text, "rule")(3.0, room) == pytest.approx(3.0 - room, abs=0.1)


def test_names_that_may_be_unbound_are_left_alone() -> None:
    text = """# EVOLVE-BLOCK-START
def rule(a: float):
    if a > 1e9:
        ghost = a * 2
    return a + 1
# EVOLVE-BLOCK-END
"""
    for variant in range(30):
        assert run(parametrise(Source(text), "rule", variant=variant, seed=1).text, "rule")(2.0) == pytest.approx(
            3, abs=0.1
        )


@pytest.mark.parametrize(
    "body", ["def rule(text: str):\n    return text.upper()", "def rule():\n    return 3.5 + 4.5", "X = 1.5"]
)
def test_nothing_to_parametrise(body: str) -> None:
    text = f"# EVOLVE-BLOCK-START\n{body}\n# EVOLVE-BLOCK-END\n"
    with pytest.raises(ProposalError, match="Nothing to parametrise"):
        parametrise(Source(text), "rule", variant=0, seed=1)

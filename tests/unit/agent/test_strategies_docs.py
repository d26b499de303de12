"""docs/reference/strategies.md has every strategy, with its parameters and their defaults."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.cli.strategies import GIVEN
from outpace.agent.strategies.contract import GOAL
from outpace.plugins import available, load

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "strategies.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \|", re.MULTILINE)


def test_every_strategy_has_a_section_and_a_line_in_the_table() -> None:
    assert sorted(SECTIONS) == available("strategy")
    assert sorted(re.findall(r"^\| \[`(\w+)`\]\(#(?:\w+)\)", PAGE, re.MULTILINE)) == available("strategy")


@pytest.mark.parametrize("name", available("strategy"))
def test_parameters_and_defaults_are_those_of_the_code(name: str) -> None:
    parameters = inspect.signature(load("strategy", name)).parameters
    shown = dict(ROW.findall(SECTIONS[name]))
    assert set(parameters) - {"goal", "seed"} - GIVEN <= set(shown) <= set(parameters)
    for key, text in shown.items():
        if plain := re.fullmatch(r"`?([\d.]+|\w+(?:,\w+)*)`?", text.strip()):
            assert str(parameters[key].default) == plain.group(1), key


@pytest.mark.parametrize("name", available("strategy"))
def test_ranges_name_parameters_and_hold_values_that_are_taken(name: str) -> None:
    factory = load("strategy", name)
    ranges: dict[str, Any] = getattr(factory, "RANGES", {})
    assert set(ranges) <= set(inspect.signature(factory).parameters)
    for key, values in ranges.items():
        for value in values:
            factory(GOAL, seed=1, **{key: json.loads(json.dumps(value))})

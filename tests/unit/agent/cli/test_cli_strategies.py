"""``outpace strategies``."""

import json
import re

import pytest
from typer.testing import CliRunner

from outpace.agent.cli.main import app
from outpace.plugins import available, load


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["strategies", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_has_every_strategy_with_its_parameters() -> None:
    lines = said().splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == available("strategy")
    (islands,) = [line for line in lines if line.startswith("islands ")]
    assert "migration_interval" in islands


@pytest.mark.parametrize("name", available("strategy"))
def test_each_tells_how_it_works_and_where_it_comes_from(name: str) -> None:
    text = said(name)
    assert text.startswith(f"{name}: ")
    assert re.search(r"\b(19|20)\d\d\b", text), "a method names its source"
    for key in re.findall(r"--param (\w+)=", text):
        assert f"{key}" in (load("strategy", name).__doc__ or ""), f"the docstring does not say what {key} is"


def test_parameters_can_be_read_by_programs() -> None:
    records = {record["name"]: record for record in json.loads(said("--json"))}
    assert sorted(records) == available("strategy")
    assert records["islands"]["parameters"]["exploitation"] == 0.7
    assert "seed" not in records["islands"]["parameters"]


def test_a_typo_lists_what_there_is() -> None:
    result = CliRunner().invoke(app, ["strategies", "isles"])
    assert "isles" in str(result.exception)
    assert "islands" in str(result.exception)

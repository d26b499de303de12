"""What the options of ``outpace run`` make of who proposes."""

from typing import Any

import pytest
import typer

from outpace.agent.cli.main import app
from outpace.agent.cli.proposing import chosen
from outpace.agent.models.base import Sampling
from outpace.agent.proposing import Proposing
from outpace.errors import UsageError


def given(**options: Any) -> Proposing:
    """Return what ``outpace run`` makes of these options, the others being at their defaults."""
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    defaults = {one.name: one.default for one in command.params}
    return chosen({**defaults, **options})


def test_nothing_given_is_who_proposes_by_default() -> None:
    assert given() == Proposing()


def test_a_cheap_and_a_strong_model_in_one_line() -> None:
    proposing = given(model=["openai:cheap", "openai:strong"], ensemble="stagnation=40")
    assert proposing == Proposing(models=("openai:cheap", "openai:strong"), ensemble="stagnation=40")


def test_one_temperature_is_that_of_all_and_several_make_arms() -> None:
    one = given(model=["a"], temperature=[0.5], effort=["low"], max_tokens=900)
    assert one.sampling == Sampling(temperature=0.5, effort="low", max_tokens=900)
    assert len(one.arms()) == 1
    several = given(model=["a"], temperature=[0.5, 1.0], effort=["low", "high"], edit=["diff", "json"])
    assert several.sampling == Sampling()
    assert len(several.arms()) == 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ensemble": "best"}, "--ensemble 'best' is unknown. Choose from: shares, bandit, stagnation"),
        ({"edit": ["diff", "poem"]}, "--edit 'poem' is unknown. Choose from: diff, whole, json"),
        ({"proposer": "poet"}, "--proposer 'poet' is unknown"),
        ({"model": ["outside", "openai:a"]}, "--model outside stands alone"),
    ],
)
def test_unknown_words_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        given(**options)

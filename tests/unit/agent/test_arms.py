"""Arms of an ensemble: what a user writes, and what a run makes of it."""

import pytest

from outpace.agent.arms import Arm, arms_of, share_of
from outpace.agent.models.base import Sampling
from outpace.agent.models.scripted import ScriptedModel
from outpace.agent.proposing import Proposing, checked, guided
from outpace.agent.strategies.contract import GOAL, start
from outpace.agent.strategies.guided import Guided
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.errors import UsageError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("openai:small", ("openai:small", 1.0)),
        ("openai:small=0.8", ("openai:small", 0.8)),
        ("openai:small=2", ("openai:small", 2.0)),
        ("openai:odd=name", ("openai:odd=name", 1.0)),
        ("openai:odd=name=3", ("openai:odd=name", 3.0)),
    ],
)
def test_a_share_stands_after_the_name(given: str, expected: tuple[str, float]) -> None:
    assert share_of(given) == expected


@pytest.mark.parametrize("share", ["0", "-1", "nan", "inf"])
def test_a_share_is_above_nothing_and_finite(share: str) -> None:
    with pytest.raises(UsageError, match="the share must be a number above 0"):
        share_of(f"openai:small={share}")


def test_every_combination_of_settings_is_an_arm_and_shares_are_spread() -> None:
    sampling = Sampling(max_tokens=500)
    arms = arms_of(["a=0.8", "b=0.2"], sampling=sampling, temperatures=[0.2, 1.0], edit_modes=["diff", "whole"])
    assert [arm.name for arm in arms[:4]] == [
        "a temperature=0.2 edit=diff",
        "a temperature=0.2 edit=whole",
        "a temperature=1.0 edit=diff",
        "a temperature=1.0 edit=whole",
    ]
    assert len(arms) == 8
    assert sum(arm.share for arm in arms) == pytest.approx(1.0)
    assert sum(arm.share for arm in arms if arm.model == "a") == pytest.approx(0.8)
    assert {arm.sampling.max_tokens for arm in arms} == {500}


def test_one_setting_for_all_is_that_of_every_arm() -> None:
    assert arms_of(["a"], sampling=Sampling(effort="low")) == [Arm(model="a", sampling=Sampling(effort="low"))]


def test_what_is_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="--model a is named twice"):
        arms_of(["a", "b", "a=0.5"])
    with pytest.raises(UsageError, match=r"--temperature is given the same value twice: 0.5, 1, 0.5"):
        arms_of(["a"], temperatures=[0.5, 1, 0.5])


@pytest.mark.parametrize(
    ("proposing", "said"),
    [
        (Proposing(models=("a",), ensemble="bandit"), "needs something to choose"),
        (Proposing(models=("a",), ensemble="stagnation", temperatures=(0.1, 0.9)), "needs a second --model"),
        (Proposing(models=("a", "b"), ensemble="best"), "'best' is unknown"),
        (Proposing(models=("a",), samples=0), "samples must be at least 1, got 0"),
        (Proposing(models=("a",), proposer="tuner", samples=2), "The tuner has no use for samples"),
        (Proposing(models=("a",), proposer="tuner", profile=0.5), "The tuner has no use for profile"),
        (Proposing(models=("a",), window=8000), "The editor has no use for window"),
        (Proposing(models=("a",), vllm_python="python3"), "vllm_python is for models that are named vllm:MODEL"),
        (Proposing(ensemble="bandit"), "leave ensemble out, or name a model"),
        (Proposing(models=("a", "a")), "named twice"),
    ],
)
def test_what_does_not_go_together_is_refused_before_a_run_begins(proposing: Proposing, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        checked(proposing)


def test_models_are_guided_and_operators_are_not() -> None:
    inner = HillClimb(GOAL)
    assert guided(inner, Proposing(), goal=GOAL, seed=1) is inner
    assert guided(inner, Proposing(proposer="outside"), goal=GOAL, seed=1) is inner
    asked = guided(inner, Proposing(models=(ScriptedModel(["x"]),)), goal=GOAL, seed=1)
    assert isinstance(asked, Guided)
    asked.tell([start()])
    assert [brief.model_hint for brief in asked.ask(2)] == ["scripted", "scripted"]

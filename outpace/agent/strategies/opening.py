"""From a name and parameters to a strategy."""

import inspect
from collections.abc import Mapping
from typing import Any

from outpace.agent.strategies.base import Strategy
from outpace.errors import UsageError
from outpace.plugins import load
from outpace.tasks.spec import Goal


def opened(
    chosen: str | type[Strategy],
    goal: Goal,
    *,
    seed: int,
    params: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Strategy:
    """Return a new strategy; of ``facts`` of the run it is given those that it has parameters for and ``params`` lack.

    A parameter named ``facts`` is given them all, as a mapping.

    Raises:
        UnknownName: there is no strategy of that name.
        UsageError: it does not take these parameters, or one of them is out of its range.
    """
    factory = load("strategy", chosen) if isinstance(chosen, str) else chosen
    signature = inspect.signature(factory)
    try:
        signature.bind(goal, seed=seed, **params)
    except TypeError as error:
        raise UsageError(f"Strategy '{chosen}' does not take these parameters: {error}.") from error
    offered = {**facts, "facts": facts}
    known = {name: value for name, value in offered.items() if name in signature.parameters}
    strategy: Strategy = factory(goal, seed=seed, **(known | dict(params)))
    return strategy

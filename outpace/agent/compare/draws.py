"""Settings of a strategy's parameters, drawn from the ranges that the strategy states itself.

A range in a class attribute ``RANGES`` is a pair of whole numbers or a pair of decimal numbers, both ends included, or
anything else to choose from: ``{"islands": (1, 8), "exploitation": (0.1, 0.9), "reset": (True, False)}``.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from outpace.errors import UsageError

DIGITS = 3  # of a drawn decimal number: enough to tell settings apart, few enough to read


def drawn(
    name: str, ranges: Mapping[str, Sequence[Any]], count: int, *, seed: int, fixed: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return ``count`` settings of the parameters that have ranges and are not ``fixed``; none where there are none.

    A Latin hypercube (McKay, Beckman and Conover 1979): each range is cut into ``count`` equal strata, and each stratum
    is drawn from once, so that few draws cover every range. A function of the arguments alone. ``name`` is the
    strategy's. Settings that come out alike (few choices) are given once.

    Raises ``UsageError`` for a range that is none.
    """
    free = {key: ranges[key] for key in sorted(ranges) if key not in fixed}
    if not free or count < 1:
        return []
    columns = {key: _column(name, key, free[key], count, seed=seed) for key in free}
    settings = [{key: column[index] for key, column in columns.items()} for index in range(count)]
    return [one for index, one in enumerate(settings) if one not in settings[:index]]


def _column(name: str, key: str, choices: Sequence[Any], count: int, *, seed: int) -> list[Any]:
    """Return a value of one parameter for each setting."""
    if isinstance(choices, str) or not isinstance(choices, Sequence) or not choices:
        raise UsageError(f"Strategy '{name}': RANGES['{key}'] must be (low, high) or choices, got {choices!r}.")
    chance = random.Random(f"outpace draws {name} {key} {seed}")  # noqa: S311  # a search, not a secret
    strata = [*range(count)]
    chance.shuffle(strata)
    return [_value(choices, (stratum + chance.random()) / count) for stratum in strata]


def _value(choices: Sequence[Any], place: float) -> Any:
    """Return what lies at ``place`` (from 0 to 1) of a range."""
    kinds = {type(one) for one in choices}
    if len(choices) == 2 and kinds <= {int, float}:
        low, high = min(choices), max(choices)
        if kinds == {int}:
            return min(high, low + math.floor(place * (high - low + 1)))
        return round(low + place * (high - low), DIGITS)
    return choices[min(len(choices) - 1, math.floor(place * len(choices)))]

"""Wrong answers derived from right ones."""

import math
from typing import Any

import numpy as np
import pytest

from outpace.tasks.mutants import mutants
from outpace.tasks.plain import same

ANSWERS: list[Any] = [
    7,
    2.5,
    "text",
    b"bytes",
    None,
    [],
    [1, 2, 3],
    (np.arange(6.0).reshape(2, 3), {"steps": 4, "names": ["a", "b"]}),
    np.array([3, 1, 2]),
    np.zeros((0, 2)),
    [[1.0, 2.0], [3.0]],
]


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_no_mutant_is_the_answer_or_shares_its_memory(answer: Any) -> None:
    found = list(mutants(answer, 0))
    assert len(found) >= 3
    for mutant in found:
        assert not same(mutant.answer, answer)
        for array in arrays(mutant.answer):
            assert not any(np.shares_memory(array, other) for other in arrays(answer))


def arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        return [array for part in value.values() for array in arrays(part)]
    if isinstance(value, list | tuple):
        return [array for part in value for array in arrays(part)]
    return []


def test_every_sort_is_there() -> None:
    answer = (np.array([1.0, 2.0]), 5)
    found = {mutant.name: mutant for mutant in mutants(answer, (np.array([3.0]), 6))}
    assert found["None"].answer is None
    assert np.isnan(found["NaN at answer[0]"].answer[0]).all()
    assert math.isnan(found["NaN at answer[1]"].answer[1])
    assert same(found["the answer of another problem"].answer, (np.array([3.0]), 6))
    assert same(found["nothing at answer[0]"].answer, (np.array([]), 5))
    assert same(found["one item too few as the answer"].answer, (np.array([1.0, 2.0]),))
    assert same(found["one item too few at answer[0]"].answer, (np.array([1.0]), 5))
    assert same(found["a number off by one at answer[1]"].answer, (np.array([1.0, 2.0]), 6))
    assert {mutant.right for mutant in found.values()} == {"never", "rarely"}
    assert same(answer, (np.array([1.0, 2.0]), 5))


def test_integers_filled_with_nan_become_floats() -> None:
    found = {mutant.name: mutant.answer for mutant in mutants(np.array([1, 2]), None)}
    assert same(found["NaN as the answer"], np.array([math.nan, math.nan]))


def test_long_lists_are_not_tried_item_by_item() -> None:
    assert len(list(mutants(list(range(10_000)), None))) < 40

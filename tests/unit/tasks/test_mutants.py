"""Wrong answers derived from right ones."""

import math
from typing import Any

import numpy as np
import pytest

from outpace.tasks import numbers
from outpace.tasks.mutants import CHANGES, mutants
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
    assert same(answer, (np.array([1.0, 2.0]), 5))


def test_every_change_can_happen() -> None:
    answers = [np.array([[0.1, 2.0], [-3.0, 4.0]]), np.array([3, 1, 2]), [1, 2], True, "text", {"a": 1, "b": [2.5]}]
    inputs = {"values": np.array([[1.0, 1.0], [1.0, 1.0]])}
    tried = {mutant.change for answer in answers for mutant in mutants(answer, 9, inputs=inputs)}
    assert tried == set(CHANGES)


def test_integers_filled_with_nan_become_floats() -> None:
    found = {mutant.name: mutant.answer for mutant in mutants(np.array([1, 2]))}
    assert same(found["NaN as the answer"], np.array([math.nan, math.nan]))


def test_long_lists_are_not_tried_item_by_item() -> None:
    assert len(list(mutants(list(range(10_000))))) < 60
    assert len(list(mutants([{"number": n} for n in range(2_000)]))) < 200


def test_they_are_always_the_same_ones() -> None:
    answer = [np.linspace(0, 1, 50), 7]
    first, second = (list(mutants(answer)) for _ in range(2))
    assert len(first) == len(second)
    assert all(same(a.answer, b.answer) and a.name == b.name for a, b in zip(first, second, strict=True))


def test_what_is_right_within_the_tolerance_is_no_mutant() -> None:
    answer = np.linspace(1, 2, 20)
    for mutant in mutants(answer, inputs={"near": answer * (1 + 1e-7)}, tolerance=1e-6):
        if mutant.right not in ("never", "alike") and np.shape(mutant.answer) == answer.shape:
            assert abs(np.asarray(mutant.answer) - answer).max() > 1e-6, mutant.name
    steps = [mutant.name for mutant in mutants(answer, tolerance=1e-6) if mutant.change == "scaled"]
    assert steps[-2:] == ["all numbers off by +2e-06 as the answer", "all numbers off by -2e-06 as the answer"]


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_those_that_are_alike_have_the_values_of_the_answer(answer: Any) -> None:
    for mutant in mutants(answer, 0):
        if mutant.change != "container":
            assert (mutant.right == "alike") == numbers.close(mutant.answer, answer, 1e-12), mutant.name


def test_inputs_in_place_of_the_parts() -> None:
    x, v = np.zeros((3, 2)), np.ones((3, 2))
    answer = (x + 5, v + 5)
    found = {mutant.name: mutant.answer for mutant in mutants(answer, inputs={"x": x, "v": v, "n": 3})}
    assert same(found["inputs in place of its arrays"], (x, v))
    assert same(found["an input itself ('n')"], 3)

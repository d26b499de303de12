"""The form of an answer, and where two pieces of plain data differ."""

import copy
import math
from typing import Any

import numpy as np
import pytest

from outpace.errors import TaskError
from outpace.tasks.answer import fault, unfinite
from outpace.tasks.difference import difference
from outpace.tasks.spec import Answer

PROBLEM = {"items": np.arange(4), "n": 2, "flag": None}


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        (Answer(), None),
        (Answer(kind="array"), np.zeros((2, 3))),
        (Answer(kind="array", dtype="float64", shape=("items",)), np.zeros(4)),
        (Answer(kind="array", dtype="integer", shape=("n", 3)), np.zeros((2, 3), np.uint8)),
        (Answer(kind="array", dtype="floating", shape=(None, 3)), np.zeros((9, 3), np.float32)),
        (Answer(kind="arrays", dtype="int64", shape=(None,)), (np.arange(3), np.arange(5))),
        (Answer(kind="arrays"), []),
        (Answer(kind="list", shape=("items",)), [1, 2, 3, 4]),
        (Answer(kind="list", shape=("n", 3)), [[1, 2, 3], (4, 5, 6)]),
        (Answer(kind="text", shape=(3,)), "abc"),
        (Answer(kind="number"), 7),
        (Answer(kind="number"), 7.5),
        (Answer(kind="integer"), 10**40),
        (Answer(kind="integer"), np.int64(3)),
        (Answer(kind="bool"), True),
        (Answer(kind="complex"), 1j),
        (Answer(kind="dict"), {"a": 1.0}),
        (Answer(finite=False), np.array([np.nan])),
        (Answer(finite=False), math.inf),
    ],
)
def test_answers_of_the_stated_form(answer: Answer, output: Any) -> None:
    assert fault(answer, PROBLEM, output) is None


@pytest.mark.parametrize(
    ("answer", "output", "words"),
    [
        (Answer(kind="array"), [1.0], "the answer is of type list, expected an array"),
        (Answer(kind="array"), None, "the answer is None, expected an array"),
        (
            Answer(kind="array", dtype="float64", shape=("items", 2)),
            np.zeros(4, np.float32),
            "the answer is an array of float32, shape (4,), expected an array of float64, shape (4, 2)",
        ),
        (
            Answer(kind="array", dtype="integer", shape=("items",)),
            np.zeros(3, np.int64),
            "the answer is an array of int64, shape (3,), expected an array of integer, shape (4,)",
        ),
        (Answer(kind="array", dtype="integer"), np.zeros(3, bool), "an array of bool, shape (3,), expected"),
        (Answer(kind="arrays"), np.zeros(3), "expected a tuple or list of arrays"),
        (Answer(kind="arrays"), [np.zeros(1), 7], "answer[1] is of type int, expected every item of a tuple or list"),
        (Answer(kind="arrays", shape=(None, 3)), (np.zeros(3),), "answer[0] is an array of float64, shape (3,), expec"),
        (Answer(kind="list"), (1, 2), "of type tuple, expected a list"),
        (Answer(kind="list", shape=("items",)), [1, 2], "the answer has 2 items, expected 4"),
        (Answer(kind="list", shape=(2, 3)), [[1, 2, 3], [4, 5]], "an item at depth 1 of the answer has 2 items"),
        (Answer(kind="list", shape=(2, 3)), [[1, 2, 3], 4], "an item at depth 1 of the answer has no length"),
        (Answer(kind="integer"), 7.0, "of type float, expected an integer"),
        (Answer(kind="integer"), True, "of type bool, expected an integer"),
        (Answer(kind="number"), 1j, "of type complex, expected a number"),
        (Answer(kind="bool"), 1, "of type int, expected a bool"),
        (Answer(kind="text"), b"a", "of type bytes, expected a text"),
        (Answer(kind="number"), math.nan, "the answer is nan, not a finite number"),
    ],
)
def test_answers_of_another_form(answer: Answer, output: Any, words: str) -> None:
    found = fault(answer, PROBLEM, output)
    assert found is not None
    assert words in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (math.nan, "the answer is nan"),
        (-math.inf, "the answer is -inf"),
        (complex(0, math.inf), "the answer is infj"),
        (np.float32(np.inf), "the answer is inf"),
        (np.array([[1.0, 2.0], [np.nan, 4.0]]), "answer[1, 0] is nan, not a finite number"),
        (np.array([1.0, np.inf, np.nan]), "answer[1] is inf, not a finite number (2 of 3 numbers are not finite)"),
        (np.array([1j, complex(np.nan, 0)]), "answer[1] is (nan+0j)"),
        (np.array(np.nan), "the answer is nan"),
        ([1.0, 2, "x", math.inf], "answer[3] is inf"),
        ({"a": [(1, 2.0), (3, math.nan)]}, "answer['a'][1][1] is nan"),
        ([1.0] * 100_000 + [math.nan], "answer[100000] is nan"),
        ((np.zeros(3), np.array([np.nan], np.float16)), "answer[1][0] is nan"),
        ([1j, complex(math.nan, 1)], "answer[1] is (nan+1j)"),
    ],
)
def test_numbers_that_are_not_finite(output: Any, words: str) -> None:
    found = unfinite(output)
    assert found is not None
    assert words in found


@pytest.mark.parametrize(
    "output",
    [
        10**400,
        [10**400, 1.5],
        None,
        "nan",
        b"",
        [],
        {},
        np.zeros((0, 3)),
        np.array([True]),
        [[], [{}]],
        np.int8(3),
        1e308,
    ],
)
def test_everything_else_is_finite(output: Any) -> None:
    assert unfinite(output) is None


@pytest.mark.parametrize("name", ["none_such", "flag"])
def test_a_length_that_no_input_has_is_a_fault_of_the_task(name: str) -> None:
    with pytest.raises(TaskError, match=rf"shape names '{name}', expected an input with a length.*items, n, flag"):
        fault(Answer(kind="array", shape=(name,)), PROBLEM, np.zeros(3))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (np.arange(3), np.array([0, 9, 2]), "'a'[1] (was 1, is 9)"),
        (np.zeros((2, 2)), np.ones((2, 2)), "'a'[0, 0] (was 0.0, is 1.0; 4 of 4 changed)"),
        (np.zeros(2), -np.zeros(2), "'a'[0] (was 0.0, is -0.0; 2 of 2 changed)"),
        (np.zeros(2), np.zeros(3), "'a' (was float64 (2,), is float64 (3,))"),
        (np.zeros(2), np.zeros(2, np.float32), "'a' (was float64 (2,), is float32 (2,))"),
        ([1, 2, 3], [1, 2], "'a' (had 3 items, has 2)"),
        ([1, [2.0, 5]], [1, [2.5, 5]], "'a'[1][0] (was 2.0, is 2.5)"),
        ([0.0] * 9, [0.0] * 8 + [-0.0], "'a'[8] (was 0.0, is -0.0)"),
        ({"k": 1}, {"k": 2}, "'a'['k'] (was 1, is 2)"),
        ({"k": 1}, {"j": 1}, "'a' (other keys)"),
        (1, True, "'a' (was a int, is a bool)"),
        ([1], (1,), "'a' (was a list, is a tuple)"),
        ("left", "right", "'a' (was 'left', is 'right')"),
    ],
)
def test_differences_are_told_with_their_place(before: Any, after: Any, words: str) -> None:
    assert difference(before, after, "'a'") == words


@pytest.mark.parametrize(
    "value",
    [1, 1.5, math.nan, [math.nan, 1.0], [1, "a", None], {"a": [np.arange(3)]}, np.array([np.nan]), (1, 2), b"x"],
)
def test_no_difference(value: Any) -> None:
    assert difference(value, copy.deepcopy(value), "'a'") is None


def test_numpy_numbers_are_what_they_become_on_the_way() -> None:
    assert difference([np.float64(1.5), np.int64(2)], [1.5, 2], "'a'") is None

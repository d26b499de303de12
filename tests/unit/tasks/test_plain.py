"""Plain data: what crosses the wall, and equality to the last bit."""

import datetime
import math
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

from outpace.tasks.plain import foreign, same

Pair = namedtuple("Pair", "a b")


class Text(str):
    """A subclass, which may answer anything."""


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 2**200, 1.5, math.nan, 1j, "ä", b"\0", [1, [2]], (1, "a"), {"a": {"b": 1}}, nested(32)]
    + [np.zeros(3, dtype) for dtype in ("bool", "i1", "u8", "f2", "f4", ">f8", "c8", "c16")]
    + [np.float64(1), np.int32(1), np.zeros((0, 3)), np.array(1.0)],
)
def test_plain_data(value: object) -> None:
    assert foreign({"x": value}, "problem") is None or value == nested(32)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1}, "problem['x'] is a set"),
        ([1, datetime.date(2024, 1, 1)], "problem['x'][1] is a datetime.date"),
        (Pair(1, 2), "problem['x'] is a {here}.Pair"),
        (OrderedDict(a=1), "problem['x'] is a collections.OrderedDict"),
        (Text("a"), "problem['x'] is a {here}.Text"),
        ({"a": {2.5: 3}}, "problem['x']['a'] has the key 2.5 (float), keys are texts and 64-bit integers"),
        (np.array(["a"]), "problem['x'] is a numpy array of <U1"),
        (np.array([None]), "problem['x'] is a numpy array of object"),
        (np.array(["2024"], "M8[Y]"), "problem['x'] is a numpy array of datetime64[Y]"),
        (np.zeros(1, np.longdouble), "problem['x'] is a numpy array of float128"),
        (np.ma.masked_array([1]), "problem['x'] is a numpy.ma.MaskedArray"),
        (range(3), "problem['x'] is a range"),
        (len, "problem['x'] is a builtin_function_or_method"),
        ("\ud800", "problem['x'] is a text with half a surrogate pair"),
    ],
)
def test_what_cannot_cross_is_named(value: object, said: str) -> None:
    assert foreign({"x": value}, "problem") == said.replace("{here}", __name__)


def test_too_deep_and_endless() -> None:
    assert "is nested deeper than 32 levels" in str(foreign(nested(33), "problem"))
    endless: list[Any] = []
    endless.append(endless)
    assert "is nested deeper than 32 levels" in str(foreign(endless, "problem"))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        (1j, 1 - 0j),
        ([1], (1,)),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ([1, 2], [1]),
        (np.zeros(2), np.zeros(3)),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2), np.zeros(2, "f4")),
        (np.zeros(2), -np.zeros(2)),
        (None, 0),
        ("a", b"a"),
    ],
)
def test_different(a: object, b: object) -> None:
    assert not same(a, b)
    assert same(a, a)
    assert same(b, b)


def test_the_same() -> None:
    assert same({"a": [math.nan, (1,)], "b": np.array([math.nan])}, {"b": np.array([math.nan]), "a": [math.nan, (1,)]})

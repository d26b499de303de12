"""What ``outpace task check`` calls plain data is what the codec of the sandbox lets through."""

import datetime
import math
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from outpace.sandbox._inside import codec
from outpace.tasks.mutants import mutants
from outpace.tasks.plain import foreign, same

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(max_size=8),
    arrays.arrays(
        st.sampled_from(["bool", "i1", "u2", "i8", "f4", ">f8", "c16"]),
        arrays.array_shapes(min_dims=0, min_side=0, max_side=3),
    ),
)
FOREIGN = st.one_of(
    st.sets(st.integers(), max_size=2),
    st.dates(),
    st.just(datetime.timedelta(1)),
    st.just(np.array(["a"])),
    st.just(np.array([None])),
    st.just(range(2)),
    st.just(object()),
)


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(st.text(max_size=3), inner, max_size=3),
        ),
        max_leaves=6,
    )


def crosses(value: Any) -> bool:
    try:
        codec.frame(value, max_bytes=1 << 20)
    except (TypeError, ValueError):
        return False
    return True


@given(trees(st.one_of(LEAVES, FOREIGN)))
def test_plain_data_is_what_the_codec_takes(value: Any) -> None:
    assert (foreign(value, "value") is None) == crosses(value)


@given(trees(LEAVES))
def test_plain_data_comes_back_the_same(value: Any) -> None:
    body = b"".join(bytes(chunk) for chunk in codec.frame(value, max_bytes=1 << 20))[codec.HEADER :]
    assert same(codec.decode(body), value) or holds_nan(value)


def holds_nan(value: Any) -> bool:
    """NaN has many bit patterns, and a complex one need not print the same."""
    if isinstance(value, dict):
        return any(map(holds_nan, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_nan, value))
    return isinstance(value, float | complex) and (math.isnan(value.real) or math.isnan(value.imag))


@given(trees(LEAVES), trees(LEAVES))
@example([1.7e308 + 1.7e308j, 2.0], {})  # its absolute value is no float
def test_mutants_are_plain_and_never_the_answer(answer: Any, other: Any) -> None:
    for mutant in mutants(answer, other):
        assert foreign(mutant.answer, "mutant") is None
        assert not same(mutant.answer, answer)

"""What goes to disk comes back the same, or is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outpace.agent.store.codec import decode, digest, encode, pack, unpack
from outpace.errors import StoreError

ANY_TEXT = st.text(st.characters(exclude_categories=()))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=20)


@given(VALUES)
def test_plain_values_come_back_equal_and_of_their_types(value: object) -> None:
    back = decode(encode(value))
    assert back == value
    assert repr(back) == repr(value)  # True is not 1, 1 is not 1.0, -0.0 is not 0.0


@given(ANY_TEXT)
def test_any_text_comes_back(text: str) -> None:
    assert unpack(pack(text)) == text
    assert len(digest(text)) == 64


@given(st.lists(LEAVES))
def test_a_tuple_comes_back_as_a_list(values: list[object]) -> None:
    assert decode(encode(tuple(values))) == values


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_cannot_hold_are_refused_with_their_place(bad: float) -> None:
    with pytest.raises(StoreError, match=r"note\.deep\[1\]\.sigma: got (nan|-?inf), expected a finite number"):
        encode({"deep": [0, {"sigma": bad}]}, what="note")


@pytest.mark.parametrize("bad", [{1: 2}, {"a": b"bytes"}, {1, 2}, object(), [complex(1)]])
def test_what_is_no_json_is_refused(bad: object) -> None:
    with pytest.raises(StoreError, match="Cannot store note"):
        encode(bad, what="note")

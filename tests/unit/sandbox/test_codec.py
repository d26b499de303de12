"""The codec: what goes through, what does not, and that nothing that comes in can do more than be refused."""

import contextlib
import mmap
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from msgpack import ExtType, Timestamp, packb

from outpace.sandbox._inside import codec

LIMIT = 1 << 26
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(1 << 70), max_value=1 << 70)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(codec="utf-8"))
    | st.binary()
)
ARRAYS = hnp.arrays(
    dtype=hnp.boolean_dtypes()
    | hnp.integer_dtypes()
    | hnp.unsigned_integer_dtypes()
    | hnp.floating_dtypes(sizes=(16, 32, 64))
    | hnp.complex_number_dtypes(sizes=(64, 128)),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
KEYS = st.text(st.characters(codec="utf-8")) | st.integers(min_value=-(1 << 63), max_value=(1 << 64) - 1)
ROWS = st.one_of(
    st.lists(st.tuples(st.integers(), st.floats()), min_size=16),
    st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=16),
    st.lists(st.tuples(st.integers() | st.text(st.characters(codec="utf-8"))), min_size=16),
    st.lists(st.lists(st.floats(), max_size=2), min_size=16),
)
PLAIN = st.recursive(
    SCALARS | ARRAYS | st.lists(st.floats(), min_size=16) | st.lists(st.integers(), min_size=16) | ROWS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


def body(value: Any, **options: Any) -> bytearray:
    """Return the body of a frame as it comes from the line."""
    data = bytearray(b"".join(codec.frame(value, max_bytes=LIMIT, **options)))
    assert int.from_bytes(data[:8], "big") == len(data) - 8
    return data[8:]


def same(left: Any, right: Any) -> bool:
    """Tell whether two values agree in type and value, NaN and signed zero included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return bool(left.dtype == right.dtype) and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return repr(left) == repr(right)


def forged(tree: Any, buffers: bytes = b"") -> bytes:
    """Return a body that no honest encoder wrote."""
    packed: bytes = packb(tree)
    return len(packed).to_bytes(8, "big") + packed + buffers


@settings(deadline=None)
@given(PLAIN, st.booleans())
def test_plain_data_comes_back_as_it_was(value: Any, copy: bool) -> None:
    assert same(codec.decode(body(value), copy=copy), value)


def test_a_frame_is_read_from_a_mapping_that_is_closed_afterwards() -> None:
    value = {"a": np.arange(1000.0), "b": [np.array([True, False]), "text"]}
    with mmap.mmap(-1, len(body(value))) as memory:
        memory.write(body(value))
        found = codec.decode(memory, copy=True)
    assert same(found, value) and found["a"].flags.owndata


@settings(deadline=None)
@given(st.binary())
def test_random_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    for received in (data, len(data).to_bytes(8, "big") + data):
        with contextlib.suppress(codec.Garbled):
            codec.decode(received)


@settings(deadline=None)
@given(PLAIN, st.data())
def test_a_frame_with_changed_bytes_is_refused_or_is_plain_data(value: Any, data: st.DataObject) -> None:
    changed = body(value)
    for _ in range(3):
        place = data.draw(st.integers(min_value=0, max_value=len(changed) - 1))
        changed[place] = data.draw(st.integers(min_value=0, max_value=255))
    try:
        found = codec.decode(changed)
    except codec.Garbled:
        return
    body(found)


@settings(deadline=None)
@given(PLAIN, st.integers(min_value=1, max_value=100))
def test_a_frame_cut_short_is_refused(value: Any, cut: int) -> None:
    whole = body(value)
    with pytest.raises(codec.Garbled):
        codec.decode(whole[: max(0, len(whole) - cut)])


def test_arrays_are_writable_and_own_their_memory_if_asked() -> None:
    numbers = np.arange(5)
    view, copy = codec.decode(body(numbers)), codec.decode(body(numbers), copy=True)
    view[0] = copy[0] = 9
    assert copy.flags.owndata and copy.flags.aligned and numbers[0] == 0


def test_arrays_in_any_order_of_memory() -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    for view in (array.T, array[:, ::2, ::-1], np.asfortranarray(array), array[0, 0, 0:1].reshape(())):
        assert same(codec.decode(body(view)), np.array(view, order="C"))


def test_numpy_numbers_become_python_numbers() -> None:
    given_numbers = [
        np.float64(0.1),
        np.float32(0.5),
        np.int64(-3),
        np.uint64(2**64 - 1),
        np.bool_(False),
        np.complex64(1j),
    ]
    assert same(codec.decode(body(given_numbers)), [0.1, 0.5, -3, 2**64 - 1, False, 1j])


class _List(list[int]):
    pass


class _Dict(dict[str, int]):
    pass


class _Array(np.ndarray):
    pass


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1, 2}, "output has type set; expected plain data"),
        ([0, {"a": (object(),)}], "output[1]['a'][0] has type object"),
        (_List(), "has type test_codec._List"),
        (_Dict(), "has type test_codec._Dict"),
        (np.zeros(3).view(_Array), "has type test_codec._Array"),
        (np.array(["text"]), "output is an array of dtype <U4"),
        (np.array([object()]), "array of dtype object"),
        (np.zeros(2, dtype=[("a", "i4")]), "array of dtype"),
        (np.longdouble(1), "has type numpy.longdouble"),
        (np.datetime64("2020-01-01"), "has type numpy.datetime64"),
        ({1.5: 0}, "dict key of type float"),
        ({True: 0}, "dict key of type bool"),
        ({1 << 64: 0}, "dict key of type int"),
        ("\ud800", "not valid Unicode"),
        ({"\ud800": 0}, "not valid Unicode"),
        (range(3), "has type range"),
        ((n for n in [1]), "has type generator"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_things_are_type_errors_that_name_type_and_place(value: Any, said: str) -> None:
    with pytest.raises(TypeError) as caught:
        codec.frame(value, max_bytes=LIMIT, name="output")
    assert said.replace("test_codec.", "") in str(caught.value).replace(f"{__name__}.", "")


def test_limits_of_the_encoder() -> None:
    deep: list[Any] = []
    for _ in range(codec.MAX_DEPTH):
        deep = [deep]
    with pytest.raises(ValueError, match="nests deeper"):
        codec.frame(deep, max_bytes=LIMIT)
    with pytest.raises(ValueError, match="more than 500000 items"):
        codec.frame([""] * 500_001, max_bytes=LIMIT)
    with pytest.raises(ValueError, match="the limit is 100"):
        codec.frame(bytes(101), max_bytes=100)
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="nests deeper"):
        codec.frame(circle, max_bytes=LIMIT)


def test_the_deepest_value_that_is_sent_is_accepted() -> None:
    deep: Any = 1
    for _ in range(codec.MAX_DEPTH - 1):
        deep = (deep,)
    assert codec.decode(body(deep, head=(1, "value")))[2] == deep


@pytest.mark.parametrize(
    "tree",
    [
        Timestamp(1),
        ExtType(99, b""),
        ExtType(1, b"\xc0"),
        {"a": [ExtType(1, b""), ExtType(1, b"")]},
        ExtType(2, b"short"),
        ExtType(5, b"1234567"),
        {None: 1},
        {b"key": 1},
        ExtType(4, packb(["|O8", [1]])),
        ExtType(4, packb(["<f8", [1 << 62]])),
        ExtType(4, packb(["<f8", [-1]])),
        ExtType(4, packb(["<f8", [1 << 62, 1 << 62, 0]])),
        ExtType(4, packb(["<f8", 3])),
        ExtType(4, packb("<f8")),
        ExtType(4, packb([["<f8"], [1]])),
        ExtType(4, packb(["<f8", [0] * 100])),
        ExtType(4, b""),
        ExtType(4, packb(["<f8", [2] * 65])),
        ExtType(7, b""),
        ExtType(7, packb([True, []])),
        ExtType(7, packb([1, [ExtType(6, bytes(8))]])),
        ExtType(7, packb([True, [[1], [2]]])),
        ExtType(7, packb([True, [ExtType(6, bytes(8)), ExtType(6, bytes(16))]])),
        ExtType(7, packb([True, [ExtType(7, packb([True, [ExtType(6, bytes(8))]]))]])),
        ExtType(7, packb([True, [ExtType(6, bytes(8))] * 65])),
        [1, ExtType(1, b"")],
        {"a": ExtType(1, b"")},
        {ExtType(3, (1 << 64).to_bytes(9, "little")): 1},
    ],
    ids=repr,
)
def test_forged_trees_are_refused(tree: Any) -> None:
    for data in (forged(tree), forged([tree]), forged(tree, bytes(64))):
        with pytest.raises(codec.Garbled):
            codec.decode(data)


def test_forged_bodies_are_refused() -> None:
    twice = b"\x82\xa1a\x01\xa1a\x02"
    for data in (
        b"",
        (1 << 63).to_bytes(8, "big"),
        forged(1) + b"tail",
        len(twice).to_bytes(8, "big") + twice,
        forged(ExtType(4, packb(["|b1", [1]])), bytes(2) + b"\2"),
    ):
        with pytest.raises(codec.Garbled):
            codec.decode(data)


def test_bombs_are_refused_before_they_take_memory() -> None:
    nested = packb(None)
    for _ in range(200):
        nested = packb(ExtType(1, b"\x91" + nested))
    huge_arrays = b"\xdd\x00\x07\x00\x00" * 400 + bytes(600_000)
    many_empty_maps = b"\xdd\x00\x0f\x00\x00" + b"\x80" * 0xF0000
    tracemalloc.start()
    for packed in (nested, huge_arrays, many_empty_maps, b"\x91" * 5000, b"\xdd\xff\xff\xff\xff"):
        with pytest.raises(codec.Garbled):
            codec.decode(len(packed).to_bytes(8, "big") + packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 30

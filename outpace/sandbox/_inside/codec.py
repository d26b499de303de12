"""Values as frames, for both sides of the sandbox wall; nothing here can run code that came from the other side.

A frame is its length (8 bytes, big endian) and a body. The body is the length of a msgpack tree (8 bytes), the tree,
and the raw buffers of the tree's arrays, each padded to 16 bytes. Extension types stand for the kinds that msgpack
lacks: complex, integers beyond 64 bits, numpy arrays (dtype and shape; the bytes are the next buffer), and a mark that
makes a tuple of the list that it begins. Long lists of numbers, and of rows of numbers, go as machine numbers.

Plain data goes through and nothing else: None, bool, int, float, complex, str, bytes, list, tuple, dict with str or int
keys, numpy arrays of numbers. Exact types only, because a subclass can answer one thing now and another thing later.
"""

from __future__ import annotations

import sys
from array import array
from math import prod

from msgpack import ExtType, packb, unpackb

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from collections.abc import Sequence
    from mmap import mmap
    from typing import Any

HEADER = 8
ALIGNMENT = 16
MAX_DEPTH = 32
MAX_ITEMS = 500_000
MAX_DIMENSIONS = 64
_WIDE = ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
DTYPES = frozenset({"|b1", "|i1", "|u1"} | {order + kind for order in "<>" for kind in _WIDE})
"""The arrays that go through, by ``dtype.str``."""

_TUPLE, _COMPLEX, _BIG_INT, _ARRAY, _FLOATS, _INTS, _ROWS = 1, 2, 3, 4, 5, 6, 7
_MARK = ExtType(_TUPLE, b"")
_MARKED = object()
_LEAVES = frozenset({type(None), bool, int, float, str, bytes})
_PACK_FROM = 16
_WIDTHS = frozenset(range(1, MAX_DIMENSIONS + 1))


class Garbled(ValueError):
    """What came is not a frame of ours, or holds something that a frame must not hold."""


def frame(
    value: Any, *, max_bytes: int, name: str = "value", head: tuple[int | str, ...] | None = None
) -> list[bytes | memoryview]:
    """Return the chunks of the frame that holds ``value``; arrays are not copied, so send it before they change.

    ``name`` is what errors call the value. With a ``head`` the frame holds the list ``[*head, value]``.

    Raises:
        TypeError: something in the value is not plain data; the text names its type and where it stands.
        ValueError: the value nests too deep, holds too many items or needs more than ``max_bytes``.
    """
    try:
        tree, buffers = _Encoder(name, careful=False).tree(value, head)
    except (
        OverflowError,
        UnicodeEncodeError,
    ):  # a big integer, or a string to be named in the error: look at each item
        tree, buffers = _Encoder(name, careful=True).tree(value, head)
    chunks: list[bytes | memoryview] = [b"", len(tree).to_bytes(8, "big") + tree]
    size = HEADER + len(tree)
    for buffer in buffers:
        padding = -size % ALIGNMENT
        chunks += [bytes(padding), buffer]
        size += padding + len(buffer)
    if size > max_bytes:
        raise ValueError(f"{name} takes {size} bytes, the limit is {max_bytes}")
    chunks[0] = size.to_bytes(HEADER, "big")
    return chunks


def decode(body: bytes | bytearray | mmap, *, copy: bool = False) -> Any:
    """Return the value in the body of a frame, or raise ``Garbled`` and nothing else.

    Arrays are views of ``body`` (writable if that is) unless ``copy`` asks for arrays that own their memory; only then
    may ``body`` be a mapping that is closed afterwards.
    """
    try:
        return _Decoder(body, copy).value()
    except Garbled:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError, BufferError) as error:
        raise Garbled(f"a frame cannot be decoded: {type(error).__name__}: {error}") from error


class _Encoder:
    """Turns a value into what msgpack packs, and gathers the arrays' buffers in order.

    A ``path`` says where a value stands: ``()`` at the top, else the path of its container and its index or key. Unless
    ``careful``, integers and strings are left to msgpack, which raises ``OverflowError`` or ``UnicodeEncodeError``.
    """

    def __init__(self, name: str, *, careful: bool) -> None:
        self.name, self.careful = name, careful
        self.buffers: list[memoryview] = []
        self.items = 0

    def tree(self, value: Any, head: tuple[int | str, ...] | None) -> tuple[bytes, list[memoryview]]:
        plain = self._plain(value, (), MAX_DEPTH - 1)
        return packb(plain if head is None else [*head, plain]), self.buffers

    def _plain(self, value: Any, path: tuple[Any, ...], depth: int) -> Any:
        kind = type(value)
        if kind in _LEAVES:
            return self._leaf(value, path) if self.careful else value
        if kind is complex:
            return ExtType(_COMPLEX, _little(array("d", (value.real, value.imag))))
        return self._container(value, path, depth)

    def _leaf(self, value: Any, path: tuple[Any, ...]) -> Any:
        if type(value) is int and not -(1 << 63) <= value < 1 << 64:
            return ExtType(_BIG_INT, _big(value))
        return self._text(value, path) if type(value) is str else value

    def _container(self, value: Any, path: tuple[Any, ...], depth: int) -> Any:
        if depth == 0:
            raise ValueError(f"{self._at(path)} nests deeper than {MAX_DEPTH - 1} levels")
        kind = type(value)
        if kind is list:
            return _packed(value, depth) or self._items(value, path, depth)
        if kind is tuple:
            return [_MARK, *self._items(value, path, depth)]
        if kind is dict:
            self._count(len(value), path)
            return {self._key(k, path): self._plain(v, (path, k), depth - 1) for k, v in list(value.items())}
        return self._numpy(value, path, depth)

    def _items(self, value: list[Any] | tuple[Any, ...], path: tuple[Any, ...], depth: int) -> Sequence[Any]:
        self._count(len(value), path)
        if not self.careful and _LEAVES.issuperset(map(type, value)):
            return value
        return [self._plain(item, (path, i), depth - 1) for i, item in enumerate(value)]

    def _count(self, items: int, path: tuple[Any, ...]) -> None:
        self.items += items
        if self.items > MAX_ITEMS:
            text = (
                f"more than {MAX_ITEMS} items in lists, tuples and dicts; use a numpy array or a list of plain numbers"
            )
            raise ValueError(f"{self._at(path)}: {text}")

    def _text(self, value: str, path: tuple[Any, ...]) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise TypeError(f"{self._at(path)} is a string that is not valid Unicode: {error.reason}") from error
        return value

    def _key(self, key: Any, path: tuple[Any, ...]) -> str | int:
        if type(key) is str:
            return self._text(key, path)
        if type(key) is int and -(1 << 63) <= key < 1 << 64:
            return key
        raise TypeError(f"{self._at(path)} has a dict key of type {_name(key)}; keys must be str or 64-bit int")

    def _numpy(self, value: Any, path: tuple[Any, ...], depth: int) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(value) is numpy.ndarray:
            return self._array(numpy, value, path)
        if numpy is not None and isinstance(value, numpy.generic):
            number = value.item()
            if type(number) in _LEAVES or type(number) is complex:
                return self._plain(number, path, depth)
        raise TypeError(
            f"{self._at(path)} has type {_name(value)}; expected plain data: None, bool, int, float, complex, str, "
            "bytes, list, tuple, dict, numpy array of numbers"
        )

    def _array(self, numpy: Any, value: Any, path: tuple[Any, ...]) -> ExtType:
        if value.dtype.str not in DTYPES:
            text = f"an array of dtype {value.dtype!s:.60}; expected bool, int, uint, float or complex"
            raise TypeError(f"{self._at(path)} is {text}")
        flat = numpy.array(value, order="C", copy=None).reshape(-1).view(numpy.uint8)
        self.buffers.append(memoryview(flat))
        return ExtType(_ARRAY, packb([value.dtype.str, list(value.shape)]))

    def _at(self, path: tuple[Any, ...]) -> str:
        keys: list[str] = []
        while path:
            path, key = path
            keys.append(f"[{key!r:.40}]")
        return self.name + "".join(reversed(keys))


class _Decoder:
    """Reads one body; strict about everything that an honest encoder never writes."""

    def __init__(self, body: bytes | bytearray | mmap, copy: bool) -> None:
        self.body, self.copy, self.items = body, copy, 0
        if len(body) < HEADER:
            raise Garbled(f"a frame's body has {len(body)} bytes")
        self.offset = HEADER + int.from_bytes(body[:HEADER], "big")
        if self.offset > len(body):
            raise Garbled("a frame's tree is longer than the frame")

    def value(self) -> Any:
        tree = memoryview(self.body)[HEADER : self.offset]
        most = min(len(tree), MAX_ITEMS + 1)
        value = unpackb(
            tree,
            raw=False,
            strict_map_key=False,
            list_hook=self._list,
            object_pairs_hook=self._dict,
            ext_hook=self._extension,
            max_array_len=most,
            max_map_len=most,
        )
        _check(value, MAX_DEPTH)
        if self.offset != len(self.body):
            raise Garbled(f"a frame has {len(self.body) - self.offset} bytes too many")
        return value

    def _list(self, items: list[Any]) -> list[Any] | tuple[Any, ...]:
        self._count(len(items))
        return tuple(items[1:]) if items and items[0] is _MARKED else items

    def _dict(self, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        self._count(len(pairs))
        for key, _ in pairs:
            if type(key) is not str and not (type(key) is int and -(1 << 63) <= key < 1 << 64):
                raise Garbled(f"a dict key has type {_name(key)}; expected str or 64-bit int")
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Garbled("a dict has the same key twice")
        return found

    def _count(self, items: int) -> None:
        self.items += items + 1
        if self.items > 2 * MAX_ITEMS + 2:
            raise Garbled(f"more than {MAX_ITEMS} items in lists, tuples and dicts")

    def _extension(self, code: int, data: bytes) -> Any:
        if code == _TUPLE and not data:
            return _MARKED
        if code == _COMPLEX and len(data) == 16:
            return complex(*_numbers("d", data))
        if code == _BIG_INT:
            return int.from_bytes(data, "little", signed=True)
        if code == _ARRAY:
            return self._array(data)
        return _rows(data) if code == _ROWS else _unpacked(code, data).tolist()

    def _array(self, data: bytes) -> Any:
        import numpy  # only where an array arrives: a worker without arrays starts without numpy

        name, shape = unpackb(data, max_array_len=MAX_DIMENSIONS)
        if name not in DTYPES or type(shape) is not list or not all(type(n) is int and n >= 0 for n in shape):
            raise Garbled(f"an array has dtype {name!r:.40} and shape {shape!r:.80}")
        dtype = numpy.dtype(name)
        count = prod(shape)
        start = self.offset + -self.offset % ALIGNMENT
        self.offset = start + count * dtype.itemsize
        if self.offset > len(self.body):
            raise Garbled(f"an array of shape {shape!r:.80} needs more bytes than the frame has")
        if name == "|b1" and self.body[start : self.offset].translate(None, b"\0\1"):
            raise Garbled("an array of bool holds other bytes than 0 and 1")
        found = numpy.frombuffer(self.body, dtype=dtype, count=count, offset=start).reshape(shape)
        return found.copy() if self.copy else found


def _check(value: Any, depth: int) -> None:
    """Refuse depth, and the types that can come up although we never send them: timestamps, tuple marks elsewhere."""
    if type(value) in _LEAVES or type(value) is complex:
        return
    if depth == 0:
        raise Garbled(f"a frame nests deeper than {MAX_DEPTH} levels")
    if type(value) is dict:
        value = value.values()
    elif type(value) not in {list, tuple}:
        numpy = sys.modules.get("numpy")
        if numpy is None or type(value) is not numpy.ndarray:
            raise Garbled(f"a frame holds a {_name(value)}")
        return
    if not _LEAVES.issuperset(map(type, value)):
        for item in value:
            _check(item, depth - 1)


def _packed(value: list[Any], depth: int) -> ExtType | None:
    """Return a long list of numbers, or of rows of numbers, as columns of machine numbers; None if it is not one."""
    if len(value) < _PACK_FROM:
        return None
    kinds = set(map(type, value))
    if kinds not in ({tuple}, {list}):
        return _column(value, kinds)
    if depth < 2 or set(map(len, value)) - _WIDTHS or len(set(map(len, value))) > 1:
        return None
    columns = [_column(column, set(map(type, column))) for column in zip(*value, strict=True)]
    return None if None in columns else ExtType(_ROWS, packb([kinds == {tuple}, columns]))


def _column(numbers: Sequence[Any], kinds: set[type]) -> ExtType | None:
    if kinds == {float}:
        return ExtType(_FLOATS, _little(array("d", numbers)))
    if kinds != {int}:
        return None
    try:
        return ExtType(_INTS, _little(array("q", numbers)))
    except OverflowError:
        return None


def _rows(data: bytes) -> list[Any]:
    tuples, columns = unpackb(data, ext_hook=_unpacked, max_array_len=MAX_DIMENSIONS)
    if type(tuples) is not bool or type(columns) is not list or {*map(type, columns)} != {array}:
        raise Garbled("a list of rows is none")
    rows = zip(*columns, strict=True)
    return list(rows) if tuples else list(map(list, rows))


def _unpacked(code: int, data: bytes) -> array[Any]:
    if code not in {_FLOATS, _INTS} or len(data) % 8:
        raise Garbled(f"extension type {code} with {len(data)} bytes is unknown")
    return _numbers("d" if code == _FLOATS else "q", data)


def _big(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _little(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _numbers(code: str, data: bytes) -> array[Any]:
    numbers: array[Any] = array(code)
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"

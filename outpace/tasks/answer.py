"""Does an answer have the form that the task states? Asked before any checker sees it, of timed answers as well."""

import cmath
import math
from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np

from outpace.errors import TaskError
from outpace.tasks.spec import Answer, Output, Problem

KINDS: dict[str, tuple[type, ...]] = {
    "array": (np.ndarray,),
    "arrays": (tuple, list),
    "list": (list,),
    "tuple": (tuple,),
    "dict": (dict,),
    "number": (int, float, np.integer, np.floating),
    "integer": (int, np.integer),
    "float": (float, np.floating),
    "complex": (complex, np.complexfloating),
    "bool": (bool, np.bool_),
    "text": (str,),
    "bytes": (bytes,),
}
"""The kinds of answers that a task may state, and what is of that kind; "arrays" is a tuple or list of arrays."""
FAMILIES = {"integer": "iu", "floating": "f", "complexfloating": "c", "number": "iufc"}
"""What may be stated as ``dtype`` beside the name of a numpy type: whole families, by ``dtype.kind``."""


def fault(answer: Answer, problem: Problem, output: Output) -> str | None:
    """Return in one line why ``output`` is not of the stated form, or None. No Python loop over the items of arrays.

    Raises:
        TaskError: ``shape`` names an input that the problem does not have.
    """
    form = None if answer.kind is None else _form(answer, problem, output)
    return form or (unfinite(output) if answer.finite else None)


def unfinite(output: Output) -> str | None:
    """Return in one line where ``output`` holds NaN or infinity, or None; nested answers are looked at by level."""
    level: list[Any] = [output]
    while level:
        kinds = set(map(type, level))
        floats = level if kinds == {float} else [item for item in level if isinstance(item, float)]
        if not all(map(math.isfinite, floats)):
            return _place(output)
        if not kinds <= _PLAIN and not all(map(_finite, [item for item in level if type(item) not in _PLAIN])):
            return _place(output)
        level = _below(level) if kinds & _CONTAINERS else []
    return None


_CONTAINERS = frozenset({list, tuple, dict})
_PLAIN = frozenset({float, int, bool, str, bytes, type(None)}) | _CONTAINERS


def _below(level: list[Any]) -> list[Any]:
    """Return the items of all containers of a level."""
    lists = chain.from_iterable(item for item in level if isinstance(item, list | tuple))
    return [*lists, *chain.from_iterable(item.values() for item in level if isinstance(item, dict))]


def _finite(value: Any) -> bool:
    if isinstance(value, complex):
        return cmath.isfinite(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc":
        return bool(np.isfinite(value).all())
    return True


def _place(value: Any, name: str = "the answer") -> str | None:
    """Find the first NaN or infinity; only called when there is one."""
    if isinstance(value, list | tuple | dict):
        at = "answer" if name == "the answer" else name
        parts: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
        return next((found for key, part in parts if (found := _place(part, f"{at}[{key!r:.40}]"))), None)
    if isinstance(value, np.ndarray) and value.ndim and not _finite(value):
        bad = ~np.isfinite(value)
        first = tuple(int(number) for number in np.argwhere(bad)[0])
        at = "answer" if name == "the answer" else name
        count = int(bad.sum())
        more = f" ({count} of {value.size} numbers are not finite)" if count > 1 else ""
        return f"{at}[{', '.join(map(str, first))}] is {value[first]}, not a finite number{more}"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{name} is {value}, not a finite number"
    return None if _finite(value) else f"{name} is {value}, not a finite number"


def _form(answer: Answer, problem: Problem, output: Output) -> str | None:
    assert answer.kind is not None
    kinds = KINDS[answer.kind]
    if not isinstance(output, kinds) or (isinstance(output, bool) and bool not in kinds):
        return f"the answer is {_named(output)}, expected {_expected(answer, problem)}"
    if answer.kind == "array":
        return _array(answer, problem, output, "the answer")
    if answer.kind == "arrays":
        assert isinstance(output, tuple | list)
        return next((found for i, item in enumerate(output) if (found := _item(answer, problem, item, i))), None)
    return None if answer.shape is None else _lengths(_dimensions(answer, problem), output)


def _item(answer: Answer, problem: Problem, item: Any, number: int) -> str | None:
    if isinstance(item, np.ndarray):
        return _array(answer, problem, item, f"answer[{number}]")
    return f"answer[{number}] is {_named(item)}, expected every item of {_expected(answer, problem)}"


def _array(answer: Answer, problem: Problem, array: Any, name: str) -> str | None:
    if answer.dtype is not None and not _is_of(array.dtype, answer.dtype):
        return f"{name} is {_named(array)}, expected {_expected(answer, problem)}"
    if answer.shape is None:
        return None
    shape = _dimensions(answer, problem)
    fits = len(shape) == array.ndim and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    return None if fits else f"{name} is {_named(array)}, expected {_expected(answer, problem)}"


def _is_of(dtype: np.dtype[Any], stated: str) -> bool:
    return dtype.kind in FAMILIES[stated] if stated in FAMILIES else dtype == np.dtype(stated)


def _lengths(shape: tuple[int | None, ...], output: Any) -> str | None:
    """Return where nested lists are not of the stated lengths."""
    level = [output]
    for depth, length in enumerate(shape):
        name = "the answer" if depth == 0 else f"an item at depth {depth} of the answer"
        if not all(isinstance(item, list | tuple | str | bytes | dict) for item in level):
            return f"{name} has no length, expected {length if length is not None else 'several'} items"
        for found in set(map(len, level)):
            if length is not None and found != length:
                return f"{name} has {found} items, expected {length}"
        if depth + 1 < len(shape):
            level = list(chain.from_iterable(level))
    return None


def _dimensions(answer: Answer, problem: Problem) -> tuple[int | None, ...]:
    return tuple(_dimension(length, problem) for length in answer.shape or ())


def _dimension(length: int | str | None, problem: Problem) -> int | None:
    if not isinstance(length, str):
        return length
    try:
        value = problem[length]
        return int(value) if isinstance(value, int | np.integer) else len(value)
    except (KeyError, TypeError) as error:
        known = ", ".join(problem)
        raise TaskError(
            f"[answer] shape names '{length}', expected an input with a length, or a whole number; inputs: {known}"
        ) from error


def _expected(answer: Answer, problem: Problem) -> str:
    kind = {"array": "an array", "arrays": "a tuple or list of arrays"}.get(answer.kind or "")
    if kind is None:
        return f"{'an' if (answer.kind or '')[0] in 'aeiou' else 'a'} {answer.kind}"
    dtype = f" of {answer.dtype}" if answer.dtype is not None else ""
    if answer.shape is None:
        return kind + dtype
    shape = ", ".join("any" if n is None else str(n) for n in _dimensions(answer, problem))
    return f"{kind}{dtype}, shape ({shape}{',' if len(answer.shape) == 1 else ''})"


def _named(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}, shape {value.shape}"
    return "None" if value is None else f"of type {type(value).__name__}"

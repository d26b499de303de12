"""Answers that are wrong on purpose, made from a right one: what no checker may let pass."""

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from outpace.tasks import numbers
from outpace.tasks.plain import same

Right = Literal["never", "lost", "near", "order", "alike"]
"""How an altered answer may be right after all.

``never``: no task can mean it. ``lost``: what the problem asks is no longer in it; right only where a problem has
several right answers. ``near``: close to the right answer; right within a tolerance, or if the reference is not the
best there is. ``order``: the same items in another order. ``alike``: the same values in another form, harmless in
itself.
"""

CHANGES: Mapping[str, tuple[Right, str]] = {
    "none": ("never", "None"),
    "garbage": ("never", "the text 'garbage'"),
    "empty": ("never", "an empty dict"),
    "nan": ("never", "NaN"),
    "infinity": ("never", "infinity"),
    "other": ("lost", "the answer of another problem"),
    "input": ("lost", "an input itself"),
    "nothing": ("lost", "nothing"),
    "truncated": ("lost", "one item too few"),
    "extended": ("lost", "one item too many"),
    "duplicated": ("lost", "one item twice, another one missing"),
    "zeros": ("lost", "zeros"),
    "constant": ("lost", "one number everywhere"),
    "negated": ("lost", "all signs turned"),
    "huge": ("lost", "a huge number"),
    "imaginary": ("lost", "imaginary parts"),
    "off": ("lost", "a number off by one"),
    "element": ("lost", "one number changed"),
    "noise": ("lost", "noise of 10 %"),
    "half": ("lost", "numbers of half precision"),
    "scaled": ("lost", "all numbers off by"),
    "step": ("near", "all numbers off by"),
    "slack": ("near", "all numbers off by"),
    "single": ("near", "numbers of single precision"),
    "shuffled": ("order", "another order"),
    "reversed": ("order", "the order turned round"),
    "swapped": ("order", "two items exchanged"),
    "transposed": ("order", "rows and columns exchanged"),
    "container": ("alike", "another container"),
    "dtype": ("alike", "another dtype"),
}
"""What is tried, by the name that ``accepts`` in ``[answer]`` takes, with how right it can be and how it is called."""

_MOST_PARTS = 8
_STEPS = (1e-1, 1e-2, 1e-3)
_SLACK = 1e-6
_LEAST_STEP = 1e-12


@dataclass(frozen=True, slots=True)
class Mutant:
    """An altered answer: the ``change`` (a key of ``CHANGES``), its ``name`` with the place, and the answer."""

    change: str
    name: str
    answer: Any

    @property
    def right(self) -> Right:
        """How it may be right after all."""
        return CHANGES[self.change][0]


def mutants(
    answer: Any, other: Any = None, *, inputs: Mapping[str, Any] | None = None, tolerance: float | None = None
) -> Iterator[Mutant]:
    """Yield wrong answers derived from the right ``answer``; ``other`` is the right answer of another problem.

    ``inputs`` are those of the problem; ``tolerance`` is the relative error that is allowed, if known. None of them
    equals ``answer`` within the tolerance (those that are ``alike`` have its values, and another type), none shares
    memory with it, and the same arguments always give the same ones.
    """
    for mutant in _all(answer, other, inputs or {}, tolerance):
        if same(mutant.answer, answer):
            continue
        if mutant.right == "alike" or not numbers.close(mutant.answer, answer, tolerance or _LEAST_STEP):
            yield mutant


def _all(answer: Any, other: Any, inputs: Mapping[str, Any], tolerance: float | None) -> Iterator[Mutant]:
    for change, value in (("none", None), ("garbage", "garbage"), ("empty", {}), ("other", copy.deepcopy(other))):
        if change != "other" or other is not None:
            yield Mutant(change, CHANGES[change][1], value)
    yield from _inputs(answer, inputs)
    for path, part in _leaves(answer):
        place = "".join(f"[{key!r}]" for key in path)
        at = f" at answer{place}" if place else " as the answer"
        for change, said, new in _changed(part, tolerance):
            yield Mutant(change, f"{CHANGES[change][1]}{said}{at}", _with(answer, path, new))


def _inputs(answer: Any, inputs: Mapping[str, Any]) -> Iterator[Mutant]:
    """Yield each input as the answer, and inputs in place of all parts of an answer of several arrays."""
    for name, value in inputs.items():
        yield Mutant("input", f"an input itself ('{name}')", copy.deepcopy(value))
    if isinstance(answer, tuple | list | dict):
        left = [value for value in inputs.values() if isinstance(value, np.ndarray)]
        new = answer
        for path, part in _leaves(answer):
            fits = [n for n, value in enumerate(left) if isinstance(part, np.ndarray) and value.shape == part.shape]
            if fits:
                new = _with(new, path, left.pop(fits[0]).copy())
        if new is not answer:
            yield Mutant("input", "inputs in place of its arrays", new)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the first parts of an answer with the way to each, containers before what they hold.

    Lists of numbers are one part, like arrays.
    """
    found = [(path, value)]
    if isinstance(value, dict):
        parts: list[tuple[Any, Any]] = list(value.items())
    elif isinstance(value, list | tuple) and numbers.of(value) is None:
        parts = list(enumerate(value))
    else:
        return found
    for key, part in parts[:_MOST_PARTS]:
        found += _leaves(part, (*path, key))
    return found[:_MOST_PARTS]


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of ``value`` with one part replaced."""
    if not path:
        return new
    if isinstance(value, dict):
        return {
            key: _with(part, path[1:], new) if key == path[0] else copy.deepcopy(part) for key, part in value.items()
        }
    changed = [
        _with(part, path[1:], new) if index == path[0] else copy.deepcopy(part) for index, part in enumerate(value)
    ]
    return tuple(changed) if isinstance(value, tuple) else changed


def _changed(part: Any, tolerance: float | None) -> Iterator[tuple[str, str, Any]]:
    """Yield what may become of one part: the change, more words for its name, the new part."""
    for change, alter in (("nothing", _emptied), ("truncated", _shorter), ("extended", _longer)):
        new = alter(part)
        if new is not None:
            yield change, "", new
    yield from (("container", f" ({type(new).__name__})", new) for new in _other_containers(part))
    found = numbers.of(part)
    if found is not None:
        for change, said, array in numbers.changes(found.array, _steps(tolerance)):
            yield change, said, found.back(array)
        yield from (("dtype", f" ({said})", new) for said, new in found.other_types())
    elif isinstance(part, list | tuple) and len(part) > 1:
        yield "reversed", "", type(part)(copy.deepcopy(item) for item in reversed(part))
        yield "duplicated", "", type(part)(copy.deepcopy(item) for item in (part[-1], *part[1:]))
    elif isinstance(part, str | bytes):
        yield "reversed", "", part[::-1]
    elif isinstance(part, bool):
        yield "negated", "", not part
        yield "dtype", " (int)", int(part)


def _steps(tolerance: float | None) -> list[tuple[str, float]]:
    """Return the relative steps to try: just above a known tolerance, else those that few tolerances allow."""
    if tolerance is not None:
        return [("scaled", step) for step in (*_STEPS, 2 * tolerance) if step >= 2 * tolerance]
    return [("scaled", _STEPS[0]), ("scaled", _STEPS[1]), ("step", _STEPS[2]), ("slack", _SLACK)]


def _emptied(part: Any) -> Any:
    if isinstance(part, np.ndarray) and part.ndim and part.size:
        return part[:0].copy()
    return type(part)() if isinstance(part, list | tuple | str | bytes | dict) and part else None


def _shorter(part: Any) -> Any:
    if isinstance(part, np.ndarray) and part.ndim and len(part) > 1:
        return part[:-1].copy()
    if isinstance(part, dict) and len(part) > 1:
        return copy.deepcopy(dict(list(part.items())[:-1]))
    return copy.deepcopy(part[:-1]) if isinstance(part, list | tuple | str | bytes) and len(part) > 1 else None


def _longer(part: Any) -> Any:
    if isinstance(part, np.ndarray) and part.ndim and len(part):
        return np.concatenate([part, part[-1:]])
    longer: Any = part
    return copy.deepcopy(longer + longer[-1:]) if isinstance(part, list | tuple | str | bytes) and part else None


def _other_containers(part: Any) -> Iterator[Any]:
    if isinstance(part, np.ndarray) and part.ndim:
        yield part.tolist()
    elif isinstance(part, list | tuple):
        yield copy.deepcopy(list(part) if isinstance(part, tuple) else tuple(part))
        if (found := numbers.of(part)) is not None:
            yield found.array.copy()
    elif isinstance(part, int | float) and not isinstance(part, bool):
        yield [part]
        yield np.array(part) if math.isfinite(part) and abs(part) < 2**63 else float(part)

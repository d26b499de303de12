"""Where two pieces of plain data differ, in words."""

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from outpace.tasks.plain import same


def difference(before: Any, after: Any, name: str) -> str | None:
    """Return where two values differ, with both, as in "'a'[3] (was 1, is 2)", or None; equal means to the last bit.

    Numpy numbers count as the Python numbers that they become on their way through the sandbox.
    """
    before, after = (item.item() if isinstance(item, np.generic) else item for item in (before, after))
    if type(before) is not type(after):
        return f"{name} (was a {type(before).__name__}, is a {type(after).__name__})"
    if isinstance(before, np.ndarray):
        return _of_arrays(before, after, name)
    if isinstance(before, list | tuple | dict):
        return _of_containers(before, after, name)
    return None if same(before, after) else f"{name} (was {before!r:.40}, is {after!r:.40})"


def _of_containers(before: Any, after: Any, name: str) -> str | None:
    if len(before) != len(after):
        return f"{name} (had {len(before)} items, has {len(after)})"
    if isinstance(before, dict):
        if before.keys() != after.keys():
            return f"{name} (other keys)"
        parts: Iterable[tuple[Any, Any, Any]] = ((key, before[key], after[key]) for key in before)
    elif _alike(before, after):
        return None
    else:
        parts = ((index, *pair) for index, pair in enumerate(zip(before, after, strict=True)))
    return next((found for key, a, b in parts if (found := difference(a, b, f"{name}[{key!r:.40}]"))), None)


def _alike(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Return whether two long lists of plain numbers or texts are the same, without a loop in Python."""
    kinds = set(map(type, before))
    if len(kinds) != 1 or kinds != set(map(type, after)):
        return False
    if kinds == {float}:
        return array("d", before).tobytes() == array("d", after).tobytes()
    return kinds <= {int, bool, str, bytes} and before == after


def _of_arrays(before: Any, after: Any, name: str) -> str | None:
    if before.dtype != after.dtype or before.shape != after.shape:
        return f"{name} (was {before.dtype} {before.shape}, is {after.dtype} {after.shape})"
    one, other = before.tobytes(), after.tobytes()
    if one == other:
        return None
    rows = (np.frombuffer(data, np.uint8).reshape(before.size, -1) for data in (one, other))
    changed = np.flatnonzero(np.not_equal(*rows).any(axis=1))
    first = int(changed[0])
    index = ", ".join(str(int(number)) for number in np.unravel_index(first, before.shape))
    more = f"; {len(changed)} of {before.size} changed" if len(changed) > 1 else ""
    return f"{name}[{index}] (was {before.reshape(-1)[first]}, is {after.reshape(-1)[first]}{more})"

"""How a GPU MODE problem is asked: its input, its reference and its checker, with both conventions of the latter."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensors

SEEDS = 2**17
"""As many as the published seeds reach: some problems add the seed to their numbers, and lose them in a large one."""


def data(generate_input: Callable[..., Any], spec: dict[str, Any], seed: int) -> Any:
    """Return the input of a spec for another seed."""
    seed %= SEEDS
    tensors.seed(seed)
    return generate_input(**spec, seed=seed)


def crossing(value: Any, allocated: list[int]) -> Any:
    """Return the input as plain data; the items named by ``allocated`` are outputs, which the driver makes itself."""
    if not allocated:
        return tensors.plain(value)
    items = [
        {tensors.EMPTY: [str(item.dtype), list(item.shape)]} if index in allocated else tensors.plain(item)
        for index, item in enumerate(value)
    ]
    return tuple(items)


def refusal(said: Any) -> str | None:
    """Return why a checker refuses, or None where it accepts.

    It says ``(accepts, message)``, or only whether it accepts; or, in older problems, the message or the list of
    messages, empty where it accepts.
    """
    accepts, message = said if isinstance(said, tuple) and len(said) == 2 else (None, said)
    if accepts is None:
        accepts = said if isinstance(said, bool) else not said
    if accepts:
        return None
    text = "; ".join(map(str, message)) if isinstance(message, list | tuple) else str(message)
    return (
        " ".join(text.split())[:400]
        if message and not isinstance(message, bool)
        else "the problem's checker refuses it"
    )


def loaded(folder: Path) -> Any:
    """Import the problem's ``reference.py``, whose neighbours are found before all else."""
    sys.path.insert(0, str(folder))
    import reference

    return reference

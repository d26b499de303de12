"""Checks of strategies' parameters and states."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from outpace.errors import UsageError


def whole(name: str, value: int, *, least: int) -> int:
    """Return ``value`` if it is a whole number of at least ``least``; raises ``UsageError``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"Strategy: {name} must be a whole number of at least {least}, got {value!r}.")
    return value


def share(name: str, value: float) -> float:
    """Return ``value`` if it is between 0 and 1; raises ``UsageError``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and 0 <= value <= 1):
        raise UsageError(f"Strategy: {name} must be a number from 0 to 1, got {value!r}.")
    return float(value)


def amount(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number of at least 0; raises ``UsageError``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and value >= 0):
        raise UsageError(f"Strategy: {name} must be a number of at least 0, got {value!r}.")
    return float(value)


def positive(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number above 0; raises ``UsageError``."""
    if amount(name, value) == 0:
        raise UsageError(f"Strategy: {name} must be a number above 0, got {value!r}.")
    return float(value)


def word(name: str, value: str, known: Sequence[str]) -> str:
    """Return ``value`` if it is one of the words ``known``; raises ``UsageError``."""
    if value not in known:
        raise UsageError(f"Strategy: {name} must be one of {', '.join(known)}, got {value!r}.")
    return value


def asks_of(state: Mapping[str, Any]) -> int:
    """Return the number of asks that a stored state tells of; 0 for the empty state of a run that has not asked yet."""
    return whole("the stored state's 'asks'", state.get("asks", 0), least=0)

"""How long a client waits before it asks an endpoint again."""

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

from outpace.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When to ask again: exponential backoff with jitter, within a total time.

    The wait before try ``n + 1`` is ``first_s * 2 ** (n - 1)``, at most ``cap_s``, less a random part of up to
    ``jitter`` of it, so that many requests do not come back together. What the endpoint asks for (Retry-After) counts
    instead where it is longer. ``deadline_s`` bounds the whole of one request, waits included; ``contact_s`` bounds it
    while the endpoint has never answered anything: a wrong address should not take a quarter of an hour to show.
    ``garbled`` is how many answers may be unreadable, as each of them may have been paid for.
    """

    first_s: float = 0.5
    cap_s: float = 30.0
    jitter: float = 0.25
    deadline_s: float = 900.0
    contact_s: float = 20.0
    garbled: int = 3

    def __post_init__(self) -> None:
        """Refuse numbers that would wait backwards or for ever."""
        if not (0 <= self.first_s <= self.cap_s < math.inf and 0 <= self.jitter <= 1 and self.garbled >= 1):
            raise UsageError(f"Retry: expected 0 <= first_s <= cap_s, 0 <= jitter <= 1 and garbled >= 1, got {self}.")
        if not (0 < self.deadline_s < math.inf and 0 < self.contact_s < math.inf):
            raise UsageError(f"Retry: deadline_s and contact_s must be above 0 and finite, got {self}.")

    def wait_s(self, tries: int, asked_s: float | None, chance: random.Random) -> float:
        """Return the wait in seconds after ``tries`` failed tries; ``asked_s`` is what the endpoint asked for."""
        backoff_s = min(self.cap_s, self.first_s * 2.0 ** min(tries - 1, 60))
        backoff_s *= 1 - self.jitter * chance.random()
        return backoff_s if asked_s is None else max(backoff_s, asked_s)


def asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that a response asks for, in seconds, or None.

    Reads ``retry-after-ms`` (milliseconds) and ``retry-after`` (seconds or an HTTP date, RFC 9110 section 10.2.3).
    """
    for header, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            asked_s = float(headers.get(header, "")) * unit_s
        except ValueError:
            continue
        return asked_s if 0 <= asked_s < math.inf else None
    try:
        date = parsedate_tz(headers.get("retry-after", ""))
        return max(0.0, mktime_tz(date) - time.time()) if date else None
    except (ValueError, OverflowError):
        return None

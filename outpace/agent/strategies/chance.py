"""Chance for strategies: ask number ``k`` of seed ``s`` has its own stream, so no history of draws has to be kept."""

import hashlib
import random


def stream(seed: int, number: int) -> random.Random:
    """Return the stream of one ask; a function of (seed, number) alone, the same on every machine and version."""
    return random.Random(f"outpace {seed} {number}")  # noqa: S311  # a search, not a secret


def brief_seed(seed: int, number: int) -> int:
    """Return the seed of one brief, in 0 .. 2**31 - 1: what every random generator and every model endpoint takes."""
    digest = hashlib.sha256(f"outpace brief {seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1

"""The catalogue, in the order in which it is tried."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outpace.agent.proposers.operators.source import Source


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A rewritten program: its text, the name of the rewrite and what it did in words."""

    text: str
    name: str
    thought: str


def names() -> list[str]:
    return []


def rewrites(source: Source, entry: str, *, requires: Sequence[str] = ()) -> Iterator[Rewritten]:
    yield from ()

"""What a cheat is: a program of our own that tries to look right, fast or good without being it."""

from dataclasses import dataclass, field
from typing import Literal

VOID = "void"
"""Not a status: the evaluation is ``ok`` and claims no gain, so that the trick has bought nothing."""
Outcome = Literal["wrong", "crashed", "timeout", "refused", "void"]
Fooled = Literal["gain", "accepted", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naive:
    """How the naive judge is set up for a cheat: what it does not do well is what the cheat lives on.

    ``order``: who answers first in its check; ``check_size``: the length of the inputs that it checks (0: as timed);
    ``inputs``: whether they are uniform in [0, 1), or all of them negative; ``limit_s``: its alarm.
    """

    order: Literal["reference first", "candidate first"] = "reference first"
    check_size: int = 0
    inputs: Literal["uniform", "negative"] = "uniform"
    limit_s: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheat:
    """One cheat.

    ``id`` is the entry of the catalogue, with a word behind a dash where an entry has several forms. ``program``
    follows the prelude of its task (``tasks.py``), which defines ``honest(x)``, a right answer in twice the time of the
    starting program, and ``cheap(x)``, a quick answer of the right form that is wrong. ``outcomes`` are the statuses
    that the judge may give, ``reason`` what its feedback must match (a regular expression). ``fools``: what the naive
    judge makes of it: a gain, an accepted answer (where the cheat is not about speed), or nothing (it attacks Outpace
    alone, or would harm a process without a sandbox).
    """

    id: str
    title: str
    program: str
    outcomes: frozenset[Outcome]
    reason: str = ""
    tasks: tuple[str, ...] = ("softmax",)
    fools: Fooled = "gain"
    naive: Naive = field(default_factory=Naive)

    @property
    def entry(self) -> str:
        """The number in the catalogue."""
        return self.id.partition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """A program that looks suspicious and is not; ``gain``: it is clearly faster than the starting program."""

    id: str
    program: str
    gain: bool
    task: str = "softmax"


def ends(*outcomes: Outcome) -> frozenset[Outcome]:
    """Return the outcomes as a set."""
    return frozenset(outcomes)

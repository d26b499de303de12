"""Features that programs may have, named in prompts: a catalogue for each target, and which of them earn most."""

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from outpace.errors import UsageError
from outpace.tasks.spec import TaskSpec

CATALOGUE = Path(__file__).with_name("hints.toml")
_COMPILERS = {"g++": "cpp", "gcc": "cpp", "cc": "cpp", "c++": "cpp", "clang": "cpp", "clang++": "cpp"}
_COMPILERS |= {"nvcc": "cuda", "rustc": "rust", "cargo": "rust"}
_LANGUAGES = {"c": "cpp", "cpp": "cpp", "cuda": "cuda", "rust": "rust"}
_PACKAGES = ("numpy", "numba", "torch")
"""Packages whose use has hints of its own."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A feature: its name, what it is for (names of targets), and what to do, in one or two sentences."""

    name: str
    targets: tuple[str, ...]
    text: str


@cache
def catalogue() -> tuple[Hint, ...]:
    """Return all hints, in the order of the file."""
    entries = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["hint"]
    return tuple(Hint(entry["name"], tuple(entry["targets"]), entry["text"]) for entry in entries)


def target_of(spec: TaskSpec) -> str:
    """Return the targets of a task's programs, with commas between them.

    By the compiler of the build command, by the language, and for Python by the device and the packages that a program
    may import. Python programs that are ranked by a score of their answers get hints for better answers instead.
    """
    compiler = _COMPILERS.get(Path(spec.build[0]).name) if spec.build else None
    if compiler:
        return compiler
    if spec.language != "python":
        return _LANGUAGES.get(spec.language, "other")
    if "triton" in spec.requires:
        return "triton"
    if spec.goal.kind == "metric":
        return "heuristic"
    return ",".join(["python", *(name for name in _PACKAGES if name in spec.requires)])


def hints_for(target: str) -> tuple[Hint, ...]:
    """Return the hints for one or several targets (``python,numpy``); raises ``UsageError`` for one without any."""
    known = sorted({name for hint in catalogue() for name in hint.targets})
    wanted = [name.strip() for name in target.split(",")] if isinstance(target, str) else [target]
    if unknown := [name for name in wanted if name not in known]:
        raise UsageError(
            f"Strategy: target must name targets of the hints, such as python,numpy; got {unknown[0]!r}. "
            f"Available: {', '.join(known)}."
        )
    return tuple(hint for hint in catalogue() if not set(hint.targets).isdisjoint(wanted))


class Hints:
    """Hints to draw from, those more often that have earned more.

    Thompson sampling (Thompson 1933; Chapelle and Li 2011, "An Empirical Evaluation of Thompson Sampling"): for each
    hint a chance that a program gains after it was named is drawn from its posterior, and the largest are named. Gains
    are rare, so the prior is that of all hints together, held as if two results had been seen.
    """

    def __init__(self, hints: Sequence[Hint]) -> None:
        """Start with no results; the hints have different names."""
        self._hints = tuple(hints)
        self._accounts = {hint.name: [0, 0] for hint in hints}  # results, gains
        self._results = self._gains = 0

    def draw(self, count: int, chance: random.Random) -> tuple[Hint, ...]:
        """Return ``count`` different hints (all, if there are fewer), the most promising first."""
        usual = (self._gains + 1) / (self._results + 2)
        drawn: list[tuple[float, int]] = []
        for place, (results, gains) in enumerate(self._accounts.values()):
            value = chance.betavariate(1 + gains, 1 / usual - 1 + results - gains)
            drawn.append((value, place))
        return tuple(self._hints[place] for _, place in sorted(drawn, reverse=True)[:count])

    def tell(self, names: Sequence[object], *, gained: bool) -> None:
        """Book a result that followed hints of these names; names of no hint here count for nothing."""
        for account in [self._accounts[name] for name in names if isinstance(name, str) and name in self._accounts]:
            account[0] += 1
            account[1] += gained
            self._results += 1
            self._gains += gained

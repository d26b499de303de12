"""Attacks a task's checker with wrong answers; what the judge would accept is a finding.

A wrong answer goes the judge's way: first the form that ``[answer]`` states, then ``check``, then ``score``. Whether an
altered answer is wrong is judged by the task's own statement: a speed-up task asks for the answer that the reference
gives, a metric task for any answer that is allowed, so that an answer which ought to have lost and scores better has
broken a rule. What is right now and then (several right answers) is told from what is let through by how often it is
accepted.
"""

import copy
import math
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from outpace.errors import WrongAnswer
from outpace.tasks import answer, deadline
from outpace.tasks.difference import difference
from outpace.tasks.mutants import Mutant, Right, mutants
from outpace.tasks.spec import Output, Problem, Task

LEAST_LIMIT_S, LIMIT_TIMES = 2.0, 50
"""A check of a wrong answer may take that long, and that many times as long as one of the right answer."""
SLOW_S, SLOW_TIMES = 1.0, 20
"""A check of a right answer is slow above that, and above that many times the time of the reference."""
BUDGET_S = 60.0
"""How long the attack on one case may take in all."""
TRIED_WHOLLY = 2
"""On so many problems everything is tried; the others tell how often it is accepted."""
REPEATS = 4
_BETTER = 1e-9


@dataclass(frozen=True, slots=True)
class Instance:
    """A problem with its right answer; ``at`` says where it comes from."""

    problem: Problem
    answer: Output
    at: str


@dataclass(frozen=True, slots=True)
class Weakness:
    """One thing that the checker should not do, in words; ``method`` is the method to mend."""

    text: str
    severity: Literal["error", "warning"] = "error"
    method: str = "check"


@dataclass(slots=True)
class _Tally:
    """How one altered answer fared over the problems of a case."""

    first: Instance
    mutant: Mutant
    tried: int = 0
    accepted: int = 0
    better: int = 0
    fails: str = ""


@dataclass(slots=True)
class Attack:
    """The attack on the checker of one task; ``seen`` holds the changes that were told of already, and how."""

    task: Task
    budget_s: float = BUDGET_S
    limit_s: float = LEAST_LIMIT_S
    seen: set[tuple[str, str]] = field(default_factory=set)

    def honest(self, instance: Instance, reference_s: float) -> Iterator[Weakness]:
        """Check the right answer several times: always the same verdict, nothing changed, not too slow."""
        begin = time.perf_counter()
        for _ in range(REPEATS):
            problem, given = copy.deepcopy(instance.problem), copy.deepcopy(instance.answer)
            try:
                self.task.check(problem, given)
            except Exception as error:  # noqa: BLE001  the first check of this answer accepted it
                told = f"{instance.at}: check accepts the reference's own answer once and refuses it the next time"
                yield Weakness(f"{told} ({error}); it must not depend on chance, time or what was checked before")
                return
        took_s = (time.perf_counter() - begin) / REPEATS
        self.limit_s = max(LEAST_LIMIT_S, LIMIT_TIMES * took_s)
        for name, before, after in (("problem", instance.problem, problem), ("output", instance.answer, given)):
            if where := difference(_plain(before), _plain(after), name):
                yield Weakness(f"{instance.at}: check changed {where}; copy before you write")
        if took_s > max(SLOW_S, SLOW_TIMES * reference_s):
            text = f"check takes {took_s:.2g} s, the reference {reference_s:.2g} s; every answer is checked"
            yield Weakness(f"{instance.at}: {text}, those of timed calls too", "warning")

    def hostile(self, instances: list[Instance]) -> Iterator[Weakness]:
        """Try wrong answers to the problems of one case and tell what is accepted; one weakness for each change."""
        found: dict[str, _Tally] = {}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # a checker may well warn of what it is given here
                self._tally(instances, found)
        except _TooSlow as slow:
            yield slow.weakness
        for tally in found.values():
            change = tally.mutant.change
            weakness = None if change in self.task.spec.answer.accepts else self._judged(tally)
            if weakness and self.seen.isdisjoint({(change, "error"), (change, weakness.severity)}):
                self.seen.add((change, weakness.severity))
                yield weakness

    def _tally(self, instances: list[Instance], found: dict[str, _Tally]) -> None:
        """Try everything on the first problems, and what was accepted there on all of them."""
        wrong = [self._mutants(instance, instances) for instance in instances]
        tried: Counter[str] = Counter()
        end = time.perf_counter() + self.budget_s
        for number, instance in enumerate(instances):
            for name, mutant in wrong[number].items():
                if number >= TRIED_WHOLLY and name not in found:
                    continue
                self._try(instance, mutant, found)
                tried[name] += 1
                if name in found:
                    found[name].tried = tried[name]
                if time.perf_counter() > end:
                    text = f"the attack on check was not finished within {self.budget_s:g} s; make check faster"
                    raise _TooSlow(Weakness(f"{instance.at}: {text}", "warning"))

    def _mutants(self, instance: Instance, instances: list[Instance]) -> dict[str, Mutant]:
        other = next((one.answer for one in instances if one is not instance), None)
        tolerance = self.task.spec.answer.tolerance
        made = mutants(instance.answer, other, inputs=instance.problem, tolerance=tolerance)
        return {mutant.name: mutant for mutant in made}

    def _try(self, instance: Instance, mutant: Mutant, found: dict[str, _Tally]) -> None:
        verdicts = [self._accepts(instance, mutant)]
        if mutant.change == "element":  # a checker that looks at a few items drawn by chance
            verdicts += [self._accepts(instance, mutant) for _ in range(REPEATS - 1)]
        if not any(verdicts):
            return
        tally = found.setdefault(mutant.name, _Tally(instance, mutant))
        tally.accepted += 1
        if not all(verdicts):
            tally.fails = "and refuses it the next time: judge without chance"
        elif self.task.spec.goal.kind == "metric":
            self._score(instance, mutant, tally)

    def _accepts(self, instance: Instance, mutant: Mutant) -> bool:
        given = copy.deepcopy(mutant.answer)
        if answer.fault(self.task.spec.answer, instance.problem, given):
            return False
        try:
            with deadline.within(self.limit_s):
                self.task.check(instance.problem, given)
        except deadline.Passed:
            text = f"check takes more than {self.limit_s:.2g} s over a wrong answer: {mutant.name}: "
            text += f"{shown(mutant.answer)}; test type, shape and range before anything else"
            raise _TooSlow(Weakness(f"{instance.at}: {text}")) from None
        except Exception:  # noqa: BLE001  WrongAnswer as it should be, or a checker that stumbles; both refuse
            return False
        return True

    def _score(self, instance: Instance, mutant: Mutant, tally: _Tally) -> None:
        rank = self.task.spec.goal.rank
        try:
            score = float(self.task.score(instance.problem, copy.deepcopy(mutant.answer)))
            right = float(self.task.score(instance.problem, copy.deepcopy(instance.answer)))
        except WrongAnswer:
            return
        except Exception as error:  # noqa: BLE001  the author's code may raise anything at all
            tally.fails = f"score then raises {type(error).__name__} ({error}): refuse it"
            return
        # a score that is not finite is none: the judge calls that answer wrong
        tally.better += math.isfinite(score) and rank(score) > rank(right) + _BETTER * abs(right)

    def _judged(self, tally: _Tally) -> Weakness | None:
        mutant, at = tally.mutant, tally.first.at
        given = f": {shown(mutant.answer)}" if mutant.change not in _PLAIN else ""
        example = f"{mutant.name}{given}, where the reference answers {shown(tally.first.answer)}"
        if tally.fails:
            return Weakness(f"{at}: check accepts a wrong answer: {example}; {tally.fails}")
        if self._right(mutant) == "never":
            return Weakness(f"{at}: check accepts a wrong answer: {example}; {_remedy(mutant)}")
        severity = self._severity(tally)
        if severity is None:
            return None
        often = f" on {tally.accepted} of {tally.tried} problems" if tally.tried > 1 else ""
        metric = self.task.spec.goal.kind == "metric"
        better = ", and it scores better than the reference" if metric else ""
        text = f"{at}: check accepts a wrong answer{often}: {example}{better}; {_remedy(mutant, metric=metric)}"
        return Weakness(text, severity)

    def _severity(self, tally: _Tally) -> Literal["error", "warning"] | None:
        """Return how bad it is that an altered answer is accepted, None where it may well be right.

        Speed-up: what has lost the answer is an error where most problems accept it and a warning where some do; what
        is near it, or in another order, is a warning where most do. Metric: only a better score counts; an error for
        what has lost the answer, on most problems, a warning for what is near it, on all of them. The order may well be
        what such a task is about, so another order may be better.
        """
        right = self._right(tally.mutant)
        if self.task.spec.goal.kind == "metric":
            if right in ("lost", "alike"):
                stepped = tally.mutant.change in _STEPPED
                return None if 2 * tally.better <= tally.tried else "warning" if stepped else "error"
            return "warning" if right == "near" and tally.tried == tally.better else None
        most = 2 * tally.accepted > tally.tried
        if right == "lost":
            return "error" if most else "warning"
        near = right == "near" and tally.mutant.change != "slack"  # so much any checker may allow
        return "warning" if most and (near or right == "order") else None

    def _right(self, mutant: Mutant) -> Right:
        """Return how right it may be; a task that allows what is not finite may mean it."""
        unfinite = mutant.change in ("nan", "infinity") and not self.task.spec.answer.finite
        return "lost" if unfinite else mutant.right


_PLAIN = frozenset({"none", "garbage", "empty"})
"""Changes whose name says all there is to see."""
_STEPPED = frozenset({"off", "element", "noise", "scaled", "half"})
"""Changes that a better answer than the reference's may well look like."""


class _TooSlow(Exception):
    """The attack ends here, for the checker takes too long."""

    def __init__(self, weakness: Weakness) -> None:
        self.weakness = weakness


def shown(value: Any) -> str:
    """Return a short text of an answer: arrays by dtype, shape and first items."""
    if isinstance(value, np.ndarray):
        head = ", ".join(f"{item!s:.12}" for item in value.reshape(-1)[:4].tolist())
        return f"array({value.dtype} {value.shape}: {head}{', …' if value.size > 4 else ''})"
    if isinstance(value, tuple | list) and any(isinstance(item, np.ndarray) for item in value[:4]):
        return f"({', '.join(map(shown, value[:4]))})"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _remedy(mutant: Mutant, *, metric: bool = False) -> str:
    """Say what to do about it."""
    if mutant.change in _PLAIN:
        return "test the type before anything else, or state kind in [answer] of task.toml"
    if mutant.right == "never":
        return "compare so that NaN fails, not (a <= b), and leave finite = true in [answer] of task.toml"
    accepts = f'if it is right, say accepts = ["{mutant.change}"] in [answer]'
    if mutant.change in ("single", "half"):
        return f"state dtype and tolerance in [answer], or compare more closely; {accepts}"
    if metric and mutant.right == "near":
        return f"allow no slack, or leave none in the reference; {accepts}"
    if mutant.change in ("scaled", "step", "slack"):
        return f"compare more closely, or state the tolerance in [answer]; {accepts}"
    return f"refuse it, or give a better reference; {accepts}" if metric else f"refuse it; {accepts}"


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value

"""Tries the trusted half of a task: the generator, the reference, the checker and the score, without any candidate."""

import copy
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outpace.errors import WrongAnswer
from outpace.tasks.finding import Finding
from outpace.tasks.folder import TRUSTED, line_in
from outpace.tasks.mutants import Mutant, mutants
from outpace.tasks.plain import foreign, same
from outpace.tasks.spec import Case, Problem, Task

_LARGE_SEED = 2**48 - 59
"""The judge draws fresh seeds of 48 bits for speed-up tasks."""


class _Stop(Exception):
    """A finding that makes the rest of a trial pointless."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding


def trial(task: Task, folder: Path) -> list[Finding]:
    """Return what is wrong with the behaviour of ``task.py``; every case is tried with its first seeds."""
    tried = _Trial(task, folder / TRUSTED)
    findings: list[Finding] = []
    for case in task.spec.cases:
        try:
            for finding in tried.case(case):
                findings.append(finding)  # noqa: PERF402  those before a stop are kept
        except _Stop as stop:
            findings.append(stop.finding)
    return list(dict.fromkeys(findings))


def fixed(task: Task, case: Case) -> bool:
    """Return whether a case is one problem that no seed changes, as with a record to be beaten."""
    return same(task.generate(case, case.seed), task.generate(case, case.seed + 1))


class _Trial:
    """One task under trial; ``path`` is the file that findings name."""

    def __init__(self, task: Task, path: Path) -> None:
        self.task, self.path = task, path

    def case(self, case: Case) -> Iterator[Finding]:
        """Try one case: generate, then the reference, then wrong answers."""
        at = f"case '{case.name}', seed {case.seed}"
        problem = self._generated(case, case.seed)
        others = [self._generated(case, case.seed + step) for step in (1, 2, 3)]
        if not same(problem, self._generated(case, case.seed)):
            yield self._finding(
                "generate", f"{at}: generate gave two different problems, expected the same for one seed"
            )
            return
        yield from self._seeds(case, problem, others)
        if type(self.task).reference is Task.reference:
            text = "no reference(problem): cannot try whether check accepts a right answer and refuses wrong ones"
            yield Finding(str(self.path), 0, text, "warning")
            return
        answer = self._reference(problem, at)
        yield from self._accepted(problem, answer, at)
        other = next((other for other in others if not same(other, problem)), None)
        wrong = self._reference(other, at) if other is not None else None
        for mutant in mutants(answer, wrong):
            yield from self._refused(problem, answer, mutant, at)

    def _seeds(self, case: Case, problem: Problem, others: list[Problem]) -> Iterator[Finding]:
        speedup = self.task.spec.goal.kind == "speedup"
        alike = all(same(problem, other) for other in others)
        if speedup and case.timed and alike:
            text = f"case '{case.name}': four seeds gave the same problem; a timed case needs fresh ones"
            yield self._finding("generate", text)
        elif not speedup and case.instances > 1 and alike:
            text = f"case '{case.name}': its {case.instances} instances are one and the same problem"
            yield self._finding("generate", text, warning=True)
        if speedup:
            self._generated(case, _LARGE_SEED)

    def _generated(self, case: Case, seed: int) -> Problem:
        at = f"case '{case.name}', seed {seed}"
        problem = self._call("generate", at, case, seed)
        if not isinstance(problem, Mapping):
            text = f"{at}: generate returned a {type(problem).__name__}, expected a dict of the entry's arguments"
            raise _Stop(self._finding("generate", text))
        bad = next((key for key in problem if not (isinstance(key, str) and key.isidentifier())), None)
        if bad is not None:
            text = f"{at}: the problem has the key {bad!r}; keys are the names of the entry's arguments"
            raise _Stop(self._finding("generate", text))
        if foreigner := foreign(dict(problem), "problem"):
            raise _Stop(self._finding("generate", f"{at}: {foreigner}, which cannot be sent to the sandbox"))
        return problem

    def _reference(self, problem: Problem, at: str) -> Any:
        before = copy.deepcopy(problem)
        answer = self._call("reference", at, problem)
        if not same(dict(before), dict(problem)):
            raise _Stop(self._finding("reference", f"{at}: reference changed the problem; copy before you write"))
        if foreigner := foreign(answer, "answer"):
            raise _Stop(
                self._finding("reference", f"{at}: {foreigner}; no program could answer that through the sandbox")
            )
        return answer

    def _accepted(self, problem: Problem, answer: Any, at: str) -> Iterator[Finding]:
        before, given = copy.deepcopy(problem), copy.deepcopy(answer)
        try:
            returned: object = self.task.check(problem, given)  # type: ignore[func-returns-value]  # authors err
        except WrongAnswer as wrong:
            raise _Stop(self._finding("check", f"{at}: check refuses the reference's own answer: {wrong}")) from wrong
        except Exception as error:  # a checker may raise anything at all
            raise _Stop(self._raised("check", at, error)) from error
        if returned is not None:
            text = f"check returned {returned!r:.40}; it must return None, or raise WrongAnswer for a wrong answer"
            raise _Stop(self._finding("check", f"{at}: {text}"))
        if not same(dict(before), dict(problem)):
            yield self._finding("check", f"{at}: check changed the problem; copy before you write")
        if self.task.spec.goal.kind == "metric":
            score = self._call("score", at, problem, given)
            if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
                raise _Stop(self._finding("score", f"{at}: score returned {score!r:.40}, expected a finite number"))

    def _refused(self, problem: Problem, answer: Any, mutant: Mutant, at: str) -> Iterator[Finding]:
        """Tell of a wrong answer that is accepted.

        Where several answers may be right, one is surely wrong only if it scores better than the reference (an empty
        packing uses no bin); with a speed-up task it deserves a look.
        """
        try:
            self.task.check(problem, copy.deepcopy(mutant.answer))
        except Exception:  # noqa: BLE001  WrongAnswer as it should be, or a checker that stumbles; both refuse
            return
        text = f"{at}: check accepts a wrong answer: {mutant.name}"
        if mutant.right == "never":
            yield self._finding("check", text)
        elif self.task.spec.goal.kind == "speedup":
            yield self._finding("check", f"{text} (fine only if the problem has several right answers)", warning=True)
        elif self._better(problem, mutant.answer, answer):
            yield self._finding("check", f"{text}, and it scores better than the reference")

    def _better(self, problem: Problem, answer: Any, reference: Any) -> bool:
        try:
            rank = self.task.spec.goal.rank
            scores = [float(self.task.score(problem, copy.deepcopy(value))) for value in (answer, reference)]
        except Exception:  # noqa: BLE001  no score, no harm
            return False
        return rank(scores[0]) > rank(scores[1])

    def _call(self, method: str, at: str, *arguments: Any) -> Any:
        try:
            return getattr(self.task, method)(*arguments)
        except (Exception, SystemExit) as error:  # the author's code may raise anything at all
            raise _Stop(self._raised(method, at, error)) from error

    def _raised(self, method: str, at: str, error: BaseException) -> Finding:
        text = f"{at}: {method} raised {type(error).__name__}: {error}"
        return Finding(str(self.path), line_in(error, self.path) or self._line(method), text)

    def _finding(self, method: str, text: str, *, warning: bool = False) -> Finding:
        return Finding(str(self.path), self._line(method), text, "warning" if warning else "error")

    def _line(self, method: str) -> int:
        code = getattr(getattr(type(self.task), method), "__code__", None)
        return code.co_firstlineno if code is not None and code.co_filename == str(self.path) else 0

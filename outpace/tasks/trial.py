"""Tries the trusted half of a task: the generator, the reference, the checker and the score, without any candidate."""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outpace.errors import TaskError, WrongAnswer
from outpace.tasks import answer as form
from outpace.tasks import objectives
from outpace.tasks.attack import Attack, Instance
from outpace.tasks.finding import Finding
from outpace.tasks.folder import TRUSTED, line_in
from outpace.tasks.plain import foreign, same
from outpace.tasks.spec import Case, Problem, Task, Twin

_SLOW_S = 1.0
"""Where the reference takes longer, fewer problems are tried."""
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
        self.attack = Attack(task)

    def case(self, case: Case) -> Iterator[Finding]:
        """Try one case: generate, then its twin, the reference, and wrong answers."""
        at = f"case '{case.name}', seed {case.seed}"
        problem = self._generated(case, case.seed)
        others = [self._generated(case, case.seed + step) for step in (1, 2, 3)]
        if not same(problem, self._generated(case, case.seed)):
            yield self._finding(
                "generate",
                f"{at}: generate gave two different problems, expected the same for one seed: draw everything from a "
                "generator that is made of it, such as np.random.default_rng(seed)",
            )
            return
        yield from self._seeds(case, problem, others)
        if type(self.task).reference is Task.reference:
            if not self.task.spec.goal.self_reported:  # there its own evaluator alone knows what is right
                text = "no reference(problem): cannot try whether check accepts a right answer and refuses wrong ones"
                yield Finding(str(self.path), 0, text, "warning")
            return
        begin = time.perf_counter()
        instance = Instance(problem, self._reference(problem, at), at)
        reference_s = time.perf_counter() - begin
        self._accepted(instance, at)
        yield from self._twin(instance, at)
        instances = [instance, *self._more(case, problem, others if reference_s < _SLOW_S else others[:1])]
        for one in self.attack.honest(instance, reference_s):
            yield self._finding(one.method, one.text, warning=one.severity == "warning")
        for one in self.attack.hostile(instances):
            yield self._finding(one.method, one.text, warning=one.severity == "warning" or self.task.borrowed)

    def _more(self, case: Case, problem: Problem, others: list[Problem]) -> Iterator[Instance]:
        """Answer further problems of the case, those that differ from the first one."""
        for step, other in enumerate(others, 1):
            if not same(dict(other), dict(problem)):
                at = f"case '{case.name}', seed {case.seed + step}"
                yield Instance(other, self._reference(other, at), at)

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

    def _accepted(self, instance: Instance, at: str) -> None:
        """Try whether the right answer has the stated form, is accepted, and has a score."""
        problem, given = instance.problem, copy.deepcopy(instance.answer)
        try:
            if fault := form.fault(self.task.spec.answer, problem, given):
                raise _Stop(self._finding("reference", f"{at}: [answer] of task.toml refuses the reference: {fault}"))
            returned: object = self.task.check(problem, given)  # type: ignore[func-returns-value]  # authors err
        except TaskError as error:
            raise _Stop(self._finding("generate", f"{at}: {error}")) from error
        except WrongAnswer as wrong:
            raise _Stop(self._finding("check", f"{at}: check refuses the reference's own answer: {wrong}")) from wrong
        except _Stop:
            raise
        except Exception as error:  # a checker may raise anything at all
            raise _Stop(self._raised("check", at, error)) from error
        if returned is not None:
            text = f"check returned {returned!r:.40}; it must return None, or raise WrongAnswer for a wrong answer"
            raise _Stop(self._finding("check", f"{at}: {text}"))
        if self.task.spec.goal.kind == "metric":
            score = self._call("score", at, problem, given)
            if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
                raise _Stop(self._finding("score", f"{at}: score returned {score!r:.40}, expected a finite number"))
        self._measured(problem, given, at)

    def _measured(self, problem: Problem, given: Any, at: str) -> None:
        """Try the task's own metrics of a right answer, and whether they hold what its objectives name."""
        try:
            own = objectives.own(self.task, problem, given)
        except TaskError as error:
            raise _Stop(self._finding("metrics", f"{at}: {error}")) from error
        except Exception as error:  # the author's code may raise anything at all
            raise _Stop(self._raised("metrics", at, error)) from error
        known = {*objectives.measured(self.task.spec), *own}
        for one in self.task.spec.objectives:
            if one.metric not in known:
                text = f"{at}: [[objectives]] names '{one.metric}', expected one of {', '.join(sorted(known))}"
                raise _Stop(self._finding("metrics", text))

    def _twin(self, instance: Instance, at: str) -> Iterator[Finding]:
        """Try the twin of an online task: plain, another problem, and with a beginning to compare."""
        twin = self._call("twin", at, instance.problem, _LARGE_SEED)
        if twin is None:
            return
        if not isinstance(twin, Twin):
            text = f"{at}: twin returned a {type(twin).__name__}, expected a Twin(problem=…, length=…) or None"
            raise _Stop(self._finding("twin", text))
        if foreigner := foreign(dict(twin.problem), "problem"):
            raise _Stop(self._finding("twin", f"{at}: {foreigner}, which cannot be sent to the sandbox"))
        if twin.problem.keys() != instance.problem.keys() or same(dict(twin.problem), dict(instance.problem)):
            yield self._finding("twin", f"{at}: the twin must have the same inputs as the problem, and differ in them")
        if twin.length < 1:
            yield self._finding("twin", f"{at}: the twin has {twin.length} items in common, expected at least 1")
        self._call("beginning", at, instance.answer, twin.length)

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

"""Tasks whose evaluator runs in the process of the program, as other tools have it: the score is self-reported.

The driver of such a task returns what ``support/told.py`` makes of the evaluator's words; ``ReportedTask`` takes it for
what it is, and every place that shows the score says so (``goal.self_reported``).
"""

import math
from collections.abc import Mapping
from typing import Any

from outpace.tasks.spec import Case, Output, Problem, Task, WrongAnswer

_MOST_METRICS = 40


class ReportedTask(Task):
    """A task that takes its driver's word: ``{"score", "metrics", "text"}`` for the ``params`` of a case.

    ``score`` is a number, or None where the evaluator refused the program; ``metrics`` are further figures by name and
    ``text`` is for whoever proposes next.
    """

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the parameters of the case; the seed is the evaluator's own affair."""
        return {"params": dict(case.params)}

    def check(self, problem: Problem, output: Output) -> None:
        """Refuse what is no report, and pass on the evaluator's refusal."""
        if not (isinstance(output, Mapping) and output.keys() == {"score", "metrics", "text"}):
            raise WrongAnswer("the evaluator's report is not {'score', 'metrics', 'text'}")
        if output["score"] is None:
            raise WrongAnswer(f"the task's evaluator refuses the program: {_text(output) or 'it does not say why'}")
        if type(output["score"]) not in (int, float) or not math.isfinite(output["score"]):
            raise WrongAnswer("the score that the task's evaluator tells is no finite number")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the score as it was told."""
        return float(output["score"])

    def remarks(self, problem: Problem, output: Output) -> str:
        """Return the further figures and the evaluator's words."""
        metrics = output["metrics"] if isinstance(output["metrics"], Mapping) else {}
        figures = [f"{name!s:.60}: {value:.6g}" for name, value in metrics.items() if type(value) in (int, float)]
        return "\n".join([*figures[:_MOST_METRICS], *filter(None, [_text(output)])])


def _text(output: Mapping[str, Any]) -> str:
    return output["text"] if isinstance(output["text"], str) else ""

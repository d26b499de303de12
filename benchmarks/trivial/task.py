"""The trusted half of a task that costs nothing."""

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Come close to a line."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return one number."""
        return {"x": float(seed % 7)}

    def check(self, problem: Problem, output: Output) -> None:
        """Accept any number."""
        if type(output) is not float:
            raise WrongAnswer("expected a float")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the distance to the line."""
        return float(abs(output - (3.0 * problem["x"] - 2.0)))

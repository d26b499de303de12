"""The trusted half of an imported task: until it is filled in, it takes the evaluator's word for the score.

The evaluator runs in the process of the program, so nothing keeps a program from telling a score of its own, and every
score of this task is marked as self-reported. To have a score that no program can tell:

1. Delete driver.py, and name in task.toml the function of program.py that returns the solution: entry = "solve".
   What it returns must be plain data: numbers, texts, lists, tuples, dicts, numpy arrays. Where no function returns it
   alone, let run(entry, **problem) of driver.py call what there is, and return the solution.
2. Write the class below in place of the last one: the evaluator's own code shows what to check and how to score.
   It runs in a process that no program reaches. Never let it take a value from the program that it can work out.
3. In task.toml, delete self_reported = true, and delete support/ unless the programs need its files.
4. outpace task check . tries wrong answers on the new check, if there is a reference to change.

    from outpace.tasks import spec
    from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

    class Task(spec.Task):
        def generate(self, case: Case, seed: int) -> Problem:
            # The arguments of the entry, by name; {} for one that takes none. The same seed gives the same problem.
            return {}

        def reference(self, problem: Problem) -> Output:
            # Optional: a solution that is right, however poor.
            ...

        def check(self, problem: Problem, output: Output) -> None:
            # Type, shape and range first, then every constraint; `if not (a <= b)` refuses NaN as well.
            if not right:
                raise WrongAnswer("what is wrong, in a line that helps whoever proposes next")

        def score(self, problem: Problem, output: Output) -> float:
            # The value of the solution, worked out here from what was returned.
            ...
"""

from outpace.tasks.importers.reported import ReportedTask


class Task(ReportedTask):
    """Takes the evaluator's word."""

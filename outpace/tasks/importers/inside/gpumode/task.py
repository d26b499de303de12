"""A problem of GPU MODE: what is trusted of it is in hosted.py, which runs in a process of its own."""

from outpace.tasks import spec
from outpace.tasks.importers.aside import HostedTask
from outpace.tasks.spec import Output, Problem


class Task(HostedTask):
    """Names a problem by its spec and seed where ``hosted.py`` is asked about it: it is made again there."""

    def reference(self, problem: Problem) -> Output:
        """Return the original's own answer."""
        return self.aside.ask("reference", problem["spec"], problem["seed"])

    def check(self, problem: Problem, output: Output) -> None:
        """Ask the original's own checker."""
        reason = self.aside.ask("check", problem["spec"], problem["seed"], output)
        if reason is not None:
            raise spec.WrongAnswer(str(reason))

"""Stands in for the package ``eoh``: what a problem of EoH is derived from."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from multiprocessing import cpu_count
from typing import Any


class BaseProblem(ABC):
    """A problem: its first program, what it is about, and how a program is judged."""

    template_program: str = ""
    task_description: str = ""

    def __init__(self, timeout: int = 40, n_processes: int = 1) -> None:
        """Note the settings; ``timeout`` in seconds."""
        self.timeout = timeout
        self.n_processes = cpu_count() if n_processes == -1 else n_processes

    @abstractmethod
    def evaluate_program(self, program_str: str, callable_func: Callable[..., Any]) -> float | None:
        """Return the objective of a program, the lower the better; None: it has failed."""

"""Stands in for ``llm4ad.base``: what an evaluation of LLM4AD is derived from."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

DEFAULTS = {
    "template_program": "",
    "task_description": "",
    "use_numba_accelerate": False,
    "use_protected_div": False,
    "protected_div_delta": 1e-5,
    "random_seed": None,
    "timeout_seconds": None,
    "exec_code": True,
}
"""The settings of an evaluation, in the order in which they may be given without a name."""


class Evaluation(ABC):
    """A problem: its first program, what it is about, and how a program is judged."""

    def __init__(self, *settings: Any, **named: Any) -> None:
        """Note the settings; those beside ``DEFAULTS`` say in which process LLM4AD evaluates."""
        for name, value in {**DEFAULTS, **dict(zip(DEFAULTS, settings, strict=False)), **named}.items():
            setattr(self, name, value)

    @abstractmethod
    def evaluate_program(self, program_str: str, callable_func: Callable[..., Any]) -> Any:
        """Return the score of a program, or several, the higher the better; None: it has failed."""

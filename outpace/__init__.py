"""Outpace makes programs faster and heuristics better, and proves it.

>>> import outpace
>>> report = outpace.evolve("online_bin_packing", budget=outpace.Budget(evaluations=200), seed=1)  # doctest: +SKIP

The names below are the public interface; each is loaded when it is first used, so that importing costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outpace.agent.budget import Budget
    from outpace.agent.evolve import Report, evolve
    from outpace.agent.models.base import Completion, Message, Model
    from outpace.agent.proposal import Brief, Member, Proposal, Result
    from outpace.agent.proposers.base import Proposer
    from outpace.agent.strategies.base import Strategy
    from outpace.errors import OutpaceError, WrongAnswer
    from outpace.evaluators.base import Evaluation
    from outpace.tasks.candidate import Candidate
    from outpace.tasks.spec import Case, Goal, Task, TaskSpec

__all__ = [
    "Brief",
    "Budget",
    "Candidate",
    "Case",
    "Completion",
    "Evaluation",
    "Goal",
    "Member",
    "Message",
    "Model",
    "OutpaceError",
    "Proposal",
    "Proposer",
    "Report",
    "Result",
    "Strategy",
    "Task",
    "TaskSpec",
    "WrongAnswer",
    "evolve",
]
_HOMES = {
    "outpace.agent.budget": ["Budget"],
    "outpace.agent.evolve": ["Report", "evolve"],
    "outpace.agent.models.base": ["Completion", "Message", "Model"],
    "outpace.agent.proposal": ["Brief", "Member", "Proposal", "Result"],
    "outpace.agent.proposers.base": ["Proposer"],
    "outpace.agent.strategies.base": ["Strategy"],
    "outpace.errors": ["OutpaceError", "WrongAnswer"],
    "outpace.evaluators.base": ["Evaluation"],
    "outpace.tasks.candidate": ["Candidate"],
    "outpace.tasks.spec": ["Case", "Goal", "Task", "TaskSpec"],
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'outpace' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)

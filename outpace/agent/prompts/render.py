"""Renders the template files of this folder into messages.

What stays the same during a run comes first (task, rules, form of the answer), so that endpoints can cache it; what
changes from brief to brief comes last. Programs and feedback are data: each is put into a fence that it cannot close.
"""

import ast
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from outpace.agent.models.base import Message
from outpace.agent.proposal import Brief, EditMode
from outpace.errors import MarkerError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import PROGRAM, blocks
from outpace.tasks.spec import Goal, Task

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_FEEDBACK = 4000  # characters; the rest of a longer one is left out in the middle
_CASE = "case/"  # metrics of cases are named so; the others tell of the measurement, not of the program
MAX_RECALLED = 500  # characters of an answer that was cut off; the rest would only cost
DEFAULT_INSTRUCTION = "Make it better. Prefer one clear idea that you can argue for over many small ones."


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A program as a prompt shows it."""

    summary: str
    figures: tuple[tuple[str, str], ...]
    feedback: str
    code: str
    is_parent: bool = False


def render(task: Task, brief: Brief) -> list[Message]:
    """Return the conversation that asks for the change a brief wants: a system message and a user message."""
    spec = task.spec
    parent = brief.parents[0] if brief.parents else None
    candidate = parent.candidate if parent else task.start
    system = _rendered(
        "system.md.j2",
        spec=spec,
        cases=[(case.name, _params(case.params)) for case in spec.split("train")],
        has_blocks=_insides(candidate.program) is not None,
        signature=_signature(spec.entry, task.start.program) if spec.language == "python" else spec.entry,
        edit_mode=brief.edit_mode,
    )
    user = _rendered(
        "user.md.j2",
        language=spec.language,
        parent=_view(parent.evaluation if parent else None, spec.goal, code=candidate.program),
        files=[(path, text) for path, text in candidate.files.items() if path != PROGRAM],
        others=_others(brief, spec.goal),
        instruction=brief.instruction.strip() or DEFAULT_INSTRUCTION,
        edit_mode=brief.edit_mode,
    )
    return [Message("system", system), Message("user", user)]


def render_retry(answer: str, reason: str, *, excerpt: str, edit_mode: EditMode, truncated: bool) -> list[Message]:
    """Return the messages that give an answer back: what was answered, why it is of no use, and what would help.

    ``excerpt`` holds numbered lines of the program, or nothing; ``truncated`` tells that the token limit cut it off.
    """
    recalled = answer.strip() or "(no text)"  # some endpoints refuse empty messages, and two user messages in a row
    if truncated and len(recalled) > MAX_RECALLED:
        recalled = recalled[:MAX_RECALLED] + " […]"
    text = _rendered("retry_edit.md.j2", reason=reason, excerpt=excerpt, edit_mode=edit_mode, truncated=truncated)
    return [Message("assistant", recalled), Message("user", text)]


def fence(text: str, language: str = "") -> str:
    """Return ``text`` in a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    mark = "`" * max(3, longest + 1)
    ending = "" if text.endswith("\n") or not text else "\n"
    return f"{mark}{language}\n{text}{ending}{mark}"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("outpace.agent.prompts", "."),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  prompts are plain text: HTML escapes would change programs
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"fence": fence, "figure": _figure}
    return environment


def _rendered(template: str, **facts: object) -> str:
    return _environment().get_template(template).render(**facts).strip("\n") + "\n"


def _others(brief: Brief, goal: Goal) -> list[_View]:
    """Return the further parents and the inspirations, each program once and never the one to improve."""
    shown = {brief.parents[0].candidate.id} if brief.parents else set()
    views: list[_View] = []
    for number, member in enumerate((*brief.parents[1:], *brief.inspirations)):
        if member.candidate.id in shown:
            continue
        shown.add(member.candidate.id)
        program = member.candidate.program
        code = "\n".join(_insides(program) or [program])
        is_parent = number < len(brief.parents) - 1
        views.append(_view(member.evaluation, goal, code=code, is_parent=is_parent))
    return views


def _view(evaluation: Evaluation | None, goal: Goal, *, code: str, is_parent: bool = False) -> _View:
    metrics = sorted(evaluation.metrics.items()) if evaluation else []
    return _View(
        summary=_summary(evaluation, goal),
        figures=tuple((name.removeprefix(_CASE), _figure(value)) for name, value in metrics if name.startswith(_CASE)),
        feedback=_shortened(evaluation.feedback.strip()) if evaluation else "",
        code=code,
        is_parent=is_parent,
    )


def _summary(evaluation: Evaluation | None, goal: Goal) -> str:
    """Return the score of a program in one line."""
    if evaluation is None:
        return "It has not been measured yet."
    if evaluation.score is None:
        return f"It has no score: {evaluation.status}."
    unit = " times as fast as the starting program" if goal.kind == "speedup" else f" {goal.unit}" * bool(goal.unit)
    interval = ""
    if evaluation.interval is not None:
        low, high = evaluation.interval
        interval = f" (95 % interval {_figure(low)} to {_figure(high)})"
    return f"Score: {_figure(evaluation.score)}{unit}{interval}."


def _insides(program: str) -> list[str] | None:
    """Return the insides of the evolve blocks, or None for a program without markers."""
    try:
        return [block.text.strip("\n") for block in blocks(program)] or None
    except MarkerError:
        return None


@lru_cache(maxsize=8)  # the starting program is the same for all prompts of a run
def _signature(entry: str, program: str) -> str:
    """Return the entry as it is defined, ``name(parameters)``, or its name alone."""
    with suppress(SyntaxError, ValueError):
        for node in ast.parse(program).body:
            if isinstance(node, ast.FunctionDef) and node.name == entry:
                returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
                return f"{entry}({ast.unparse(node.args)}){returns}"
    return entry


def _params(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in params.items())


def _shortened(text: str) -> str:
    half = MAX_FEEDBACK // 2
    return text if len(text) <= MAX_FEEDBACK else f"{text[:half]}\n[…]\n{text[-half:]}"


def _figure(value: float) -> str:
    return f"{value:.6g}"

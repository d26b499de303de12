"""Renders template files into messages.

What stays the same during a run comes first (task, rules, form of the answer), then what stays the same for a program
(its text and what was measured), so that endpoints can cache it; what changes from brief to brief comes last. Programs,
feedback and whatever else comes of programs are data: each is put into a fence that it cannot close.
"""

import ast
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, get_args

from outpace.agent.models.base import Message
from outpace.agent.prompts.facts import Facts, facts_of
from outpace.agent.prompts.operators import OPERATOR, REFLECT, example
from outpace.agent.prompts.templates import NAMES, Templates, figure, ours
from outpace.agent.proposal import Brief, EditMode, Member
from outpace.errors import MarkerError, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import PROGRAM, Candidate, blocks, changeable
from outpace.tasks.objectives import CASE
from outpace.tasks.spec import Goal, Task

MAX_FEEDBACK = 4000  # characters; the rest of a longer one is left out in the middle
MAX_PROFILE = 4000  # characters, as for feedback
MAX_RECALLED = 500  # characters of an answer that was cut off; the rest would only cost
DEFAULT_INSTRUCTION = "Make it better. Prefer one clear idea that you can argue for over many small ones."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a prompt tells of earlier attempts.

    ``changes`` are the last changes of the program to improve, oldest first, each with what became of it, one line
    each; ``of`` counts them all. ``failures`` are what the run's programs fail by most often.
    """

    changes: tuple[str, ...] = ()
    of: int = 0
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An instruction with its outcome: how often it was followed, how often that gave something better, its value."""

    text: str
    uses: int
    gains: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a prompt says beside the brief itself; ``facts`` None stands for those of this environment.

    ``reflection`` is what was answered to the question that the brief asks first.
    """

    facts: Facts | None = None
    tried: Tried = Tried()
    profile: str = ""
    reflection: str = ""


NOTHING = Beside()


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A program as a prompt shows it."""

    summary: str
    figures: tuple[tuple[str, str], ...]
    feedback: str
    code: str
    is_parent: bool = False


def render(task: Task, brief: Brief, *, beside: Beside = NOTHING, templates: Templates | None = None) -> list[Message]:
    """Return the conversation that asks for the change a brief wants: a system message and a user message.

    Raises ``UsageError`` where a template that replaces one of ours cannot be rendered.
    """
    spec, templates = task.spec, templates or ours()
    parent = brief.parents[0] if brief.parents else None
    candidate = parent.candidate if parent else task.start
    user = templates.render(
        "user.md.j2",
        spec=spec,
        language=spec.language,
        parent=_view(parent.evaluation if parent else None, spec.goal, code=candidate.program),
        files=[(path, text) for path, text in candidate.files.items() if path != PROGRAM],
        changeable=_changeable(candidate),
        others=_others(brief, spec.goal),
        tried=beside.tried,
        profile=shortened(beside.profile.strip(), MAX_PROFILE),
        instruction=brief.instruction.strip() or _operator(task, brief, beside.reflection, templates),
        edit_mode=brief.edit_mode,
    )
    return [_system(task, candidate, brief.edit_mode, beside.facts, templates), Message("user", user)]


def render_reflection(
    task: Task, brief: Brief, *, facts: Facts | None = None, templates: Templates | None = None
) -> list[Message]:
    """Return the conversation that asks the question of a brief (``Brief.reflect``), to be answered in words.

    Raises ``UsageError`` for a question without a template.
    """
    name, templates = REFLECT.format(brief.reflect), templates or ours()
    if name not in NAMES:
        raise UsageError(f"The strategy asks the question '{brief.reflect}', for which there is no template {name}.")
    candidate = brief.parents[0].candidate if brief.parents else task.start
    user = templates.render(name, **_programs(task, brief), given=dict(brief.given))
    return [_system(task, candidate, brief.edit_mode, facts, templates), Message("user", user)]


def render_instruction(
    task: Task,
    brief: Brief,
    *,
    beside: Beside,
    instructions: Sequence[Followed],
    most: int,
    templates: Templates | None = None,
) -> list[Message]:
    """Return the conversation that asks for a new instruction of at most ``most`` characters, given those so far."""
    spec, templates = task.spec, templates or ours()
    parent = brief.parents[0] if brief.parents else None
    candidate = parent.candidate if parent else task.start
    user = templates.render(
        "instruction.md.j2",
        spec=spec,
        language=spec.language,
        parent=_view(parent.evaluation if parent else None, spec.goal, code=candidate.program),
        failures=beside.tried.failures,
        instructions=instructions,
        most=most,
    )
    return [_system(task, candidate, brief.edit_mode, beside.facts, templates), Message("user", user)]


def rehearse(task: Task, templates: Templates) -> None:
    """Render every template in every form, so that what is wrong with one is known before a run begins.

    Raises ``UsageError`` with file and line.
    """
    score = Evaluation(status="ok", score=1.0, interval=(0.9, 1.1), metrics={"case/a": 1.0}, feedback="feedback")
    better, failed = Member(task.start.with_program("pass\n"), score), Evaluation(status="wrong", feedback="wrong")
    full = Beside(tried=Tried(changes=("a change",), of=2, failures=("2 times: wrong",)), profile="a profile")
    followed = [Followed(text="an instruction", uses=1, gains=1, value=0.5)]
    for form in get_args(EditMode):
        bare = Brief(number=1, parents=(), seed=0, edit_mode=form)
        parents = (Member(task.start, score), better)
        crossed = replace(bare, parents=parents, inspirations=(Member(task.start.with_program("0\n"), failed),))
        for brief, beside in ((bare, NOTHING), (crossed, full)):
            render(task, brief, beside=beside, templates=templates)
            shown = followed[: len(brief.parents)]
            render_instruction(task, brief, beside=beside, instructions=shown, most=1, templates=templates)
            _rehearse_operators(task, brief, beside, templates)
        for excerpt, truncated in (("1 | pass", False), ("", True)):
            given: dict[str, Any] = {"excerpt": excerpt, "edit_mode": form, "truncated": truncated}
            render_retry("an answer", "a reason", templates=templates, **given)


def _rehearse_operators(task: Task, brief: Brief, beside: Beside, templates: Templates) -> None:
    for name in NAMES:
        kind, _, rest = name.removesuffix(".md.j2").partition("_")
        asked = replace(brief, given=example(name))
        if kind == "operator":
            _operator(task, replace(asked, operator=rest), beside.reflection, templates)
            _operator(task, replace(asked, operator=rest), "a reflection", templates)
        elif kind == "reflect":
            render_reflection(task, replace(asked, reflect=rest), facts=beside.facts, templates=templates)


def _operator(task: Task, brief: Brief, reflection: str, templates: Templates) -> str:
    """Return the words for the brief's operator; those by default where it has none of its own."""
    name = OPERATOR.format(brief.operator)
    if name not in NAMES:
        return DEFAULT_INSTRUCTION
    return templates.render(name, **_programs(task, brief), given=dict(brief.given), reflection=reflection).strip()


def _programs(task: Task, brief: Brief) -> dict[str, Any]:
    """Return what templates of operators and questions are given of the programs of a brief."""
    parent, candidate = (brief.parents[0], brief.parents[0].candidate) if brief.parents else (None, task.start)
    view = _view(parent.evaluation if parent else None, task.spec.goal, code=candidate.program)
    others = _others(brief, task.spec.goal)
    return {"spec": task.spec, "language": task.spec.language, "parent": view, "others": others}


def _system(
    task: Task, candidate: Candidate, edit_mode: EditMode, facts: Facts | None, templates: Templates
) -> Message:
    """Return the part that all prompts of a run share."""
    text = templates.render("system.md.j2", **system_facts(task, candidate, facts), edit_mode=edit_mode)
    return Message("system", text)


def system_facts(task: Task, candidate: Candidate, facts: Facts | None) -> dict[str, Any]:
    """Return what ``system.md.j2`` is filled in with, all but the form of the answer."""
    spec = task.spec
    facts = facts or facts_of(spec.requires)
    return {
        "spec": spec,
        "facts": facts,
        "packages": [f"{name} {facts.packages.get(name, '')}".strip() for name in spec.requires],
        "cases": [(case.name, _params(case.params)) for case in spec.split("train")],
        "has_blocks": _insides(candidate.program) is not None,
        "several": () if _changeable(candidate) == (PROGRAM,) else _changeable(candidate),
        "signature": _signature(spec.entry, task.start.program) if spec.language == "python" else spec.entry,
    }


def shown(member: Member, goal: Goal) -> _View:
    """Return a program with what was measured as prompts show it: ``summary``, ``figures``, ``feedback``, ``code``."""
    return _view(member.evaluation, goal, code=member.candidate.program)


def render_retry(
    answer: str,
    reason: str,
    *,
    excerpt: str,
    edit_mode: EditMode,
    truncated: bool,
    templates: Templates | None = None,
) -> list[Message]:
    """Return the messages that give an answer back: what was answered, why it is of no use, and what would help.

    ``excerpt`` holds numbered lines of the program, or nothing; ``truncated`` tells that the token limit cut it off.
    """
    recalled = answer.strip() or "(no text)"  # some endpoints refuse empty messages, and two user messages in a row
    if truncated and len(recalled) > MAX_RECALLED:
        recalled = recalled[:MAX_RECALLED] + " […]"
    facts: dict[str, Any] = {"reason": reason, "excerpt": excerpt, "edit_mode": edit_mode, "truncated": truncated}
    text = (templates or ours()).render("retry_edit.md.j2", **facts)
    return [Message("assistant", recalled), Message("user", text)]


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
        figures=tuple((name.removeprefix(CASE), figure(value)) for name, value in metrics if name.startswith(CASE)),
        feedback=shortened(evaluation.feedback.strip(), MAX_FEEDBACK) if evaluation else "",
        code=code,
        is_parent=is_parent,
    )


def _summary(evaluation: Evaluation | None, goal: Goal) -> str:
    """Return the score of a program in one line."""
    if evaluation is None:
        return "It has not been measured yet."
    if evaluation.score is None:
        return f"It has no score: {'right, and not measured' if evaluation.unmeasured else evaluation.status}."
    unit = " times as fast as the starting program" if goal.kind == "speedup" else f" {goal.unit}" * bool(goal.unit)
    interval = ""
    if evaluation.interval is not None:
        low, high = evaluation.interval
        interval = f" (95 % interval {figure(low)} to {figure(high)})"
    return f"Score: {figure(evaluation.score)}{unit}{interval}."


def _changeable(candidate: Candidate) -> tuple[str, ...]:
    """Return the paths of the files that may change; the program's alone where markers do not pair up."""
    try:
        return changeable(candidate.files)
    except MarkerError:
        return (PROGRAM,)


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


def shortened(text: str, most: int) -> str:
    """Return a text with what is too much of it left out in the middle."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}\n[…]\n{text[-half:]}"

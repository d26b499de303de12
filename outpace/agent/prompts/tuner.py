"""Renders the messages of the tuner: the beginning of a line, and the answers to its commands."""

from dataclasses import dataclass

from outpace.agent.budget import Budget, Spent
from outpace.agent.models.base import Message
from outpace.agent.prompts.facts import Facts
from outpace.agent.prompts.render import DEFAULT_INSTRUCTION, shown, system_facts
from outpace.agent.prompts.templates import Templates, ours
from outpace.agent.proposal import Member
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import PROGRAM
from outpace.tasks.spec import Goal, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a line is: messages that the model has ``sent`` of the ``most`` it may, and what the run has spent."""

    sent: int
    most: int
    spent: Spent
    budget: Budget

    @property
    def text(self) -> str:
        """Return it in a sentence or two."""
        sent = f"You have sent {self.sent} {'message' if self.sent == 1 else 'messages'}"
        return f"{sent} and may send {self.most - self.sent} more. {money(self.spent, self.budget)}"

    @property
    def is_last(self) -> bool:
        """Whether one more message may be sent."""
        return self.most - self.sent == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a change came to. ``member`` is None where it could not be judged; ``valid`` is the share of right answers.

    ``best`` is the best of the line. ``new``: it was judged just now, not earlier; ``rewritten``: it was judged earlier
    written otherwise. ``where`` and ``listing`` show the changed lines, numbered.
    """

    member: Member | None
    best: Member
    new: bool = True
    rewritten: bool = False
    valid: str = ""
    where: str = ""
    listing: str = ""


def money(spent: Spent, budget: Budget) -> str:
    """Return what a run has spent and what is left of it: dollars where they are known, else tokens, else calls."""
    if spent.model_calls and not spent.unpriced_calls:
        used = f"${spent.usd:.4f}"
    elif spent.tokens:
        used = f"{spent.tokens:,} tokens"
    else:
        used = f"{spent.model_calls:,} model calls"
    bounds = budget.left(spent)
    left = [
        text.format(bounds[name])
        for name, text in (
            ("usd", "${:.4f}"),
            ("tokens", "{:,.0f} tokens"),
            ("model_calls", "{:,.0f} model calls"),
            ("evaluations", "{:,.0f} evaluations"),
        )
        if name in bounds
    ]
    return f"The run has used up {used}" + (f"; {', '.join(left)} remain." if left else ".")


def render_start(
    task: Task,
    parent: Member,
    standing: Standing,
    listing: str,
    *,
    extra: "Extra",
) -> list[Message]:
    """Return the beginning of a line: a system message, and the program that it begins with."""
    templates = extra.templates or ours()
    system = templates.render(
        "tuner_system.md.j2",
        **system_facts(task, parent.candidate, extra.facts),
        edit_mode="diff",
        most=standing.most,
        view_lines=extra.view_lines,
    )
    user = templates.render(
        "tuner_start.md.j2",
        parent=shown(parent, task.spec.goal),
        files=[(path, text) for path, text in parent.candidate.files.items() if path != PROGRAM],
        listing=listing,
        instruction=extra.instruction.strip() or DEFAULT_INSTRUCTION,
        status=standing.text,
        going_on=standing.sent > 0,
    )
    return [Message("system", system), Message("user", user)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What the beginning of a line says beside: the instruction of its brief, and how many lines are shown at a time.

    ``templates`` None stands for ours, ``facts`` None for those of this environment.
    """

    view_lines: int
    instruction: str = ""
    templates: Templates | None = None
    facts: Facts | None = None


def render_reply(standing: Standing, said: str, data: str, *, templates: Templates | None = None) -> Message:
    """Return the answer to a command: our words, and data in a fence."""
    facts = {"status": standing.text, "said": said, "shown": data.strip("\n"), "last": standing.is_last}
    return Message("user", (templates or ours()).render("tuner_reply.md.j2", **facts))


def render_judged(standing: Standing, judged: Judged, goal: Goal, *, templates: Templates | None = None) -> Message:
    """Return what the judge said of a change."""
    text = (templates or ours()).render(
        "tuner_judged.md.j2",
        status=standing.text,
        member=judged.member,
        view=shown(judged.member, goal) if judged.member else None,
        new=judged.new,
        valid=judged.valid,
        is_best=judged.member is not None and judged.member.candidate.id == judged.best.candidate.id,
        best=shown(judged.best, goal).summary,
        other_text=judged.rewritten,
        where=judged.where,
        listing=judged.listing,
        last=standing.is_last,
    )
    return Message("user", text)


def rehearse_tuner(task: Task, templates: Templates) -> None:
    """Render every template of the tuner in every form, so that what is wrong with one is known before a run begins.

    Raises ``UsageError`` with file and line.
    """
    good = Member(task.start, Evaluation(status="ok", score=1.0, metrics={"case/a": 1.0}, feedback="feedback"))
    failed = Member(task.start.with_program("pass\n"), Evaluation(status="wrong"))
    for sent in (0, 1):
        standing = Standing(sent=sent, most=2, spent=Spent(), budget=Budget(usd=1.0))
        render_start(task, good, standing, "1 | pass", extra=Extra(view_lines=1, templates=templates))
        render_reply(standing, "an answer", "data" * sent, templates=templates)
        for member in (None, good, failed):
            judged = Judged(member=member, best=good, new=sent == 0, valid="1 of 2 inputs" * sent, listing="1 | pass")
            render_judged(standing, judged, task.spec.goal, templates=templates)

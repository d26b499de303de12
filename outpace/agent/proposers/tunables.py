"""Serves the briefs of tuning without asking anybody, around any proposer."""

from dataclasses import replace

from outpace.agent.proposal import Brief, ModelUsage, Proposal
from outpace.agent.proposers.around import Around
from outpace.errors import ProposalError
from outpace.tasks.spec import Task
from outpace.tasks.tunables import TUNABLES, VALUES, declared, in_words

UNREAD = "What its comments declare tunable could not all be read, and is not tuned:"
FREE = ModelUsage(calls=0, cost_usd=0.0)


class Tunables(Around):
    """A proposer around a proposer: values that a strategy has chosen are written into the parent, the rest is asked.

    Where a declaration of the program to improve cannot be read, whoever is asked is told so with the feedback of the
    judge.
    """

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return the parent with the values of the brief, or what the proposer within returns; raises as that."""
        if brief.operator != TUNABLES:
            return await super().propose(task, _told(brief))
        parent, values = brief.parents[0].candidate, brief.given[VALUES]
        try:
            candidate = declared(parent).write(values)
        except ValueError as error:
            raise ProposalError(str(error)) from None
        return Proposal(
            candidate=candidate,
            proposer=TUNABLES,
            operator=TUNABLES,
            parents=(parent.id,),
            thought=in_words(values),
            usage=FREE,
        )


def _told(brief: Brief) -> Brief:
    """Return the brief with what could not be read of its first parent's declarations in the feedback."""
    if not brief.parents or not (unread := declared(brief.parents[0].candidate).unread):
        return brief
    first, *others = brief.parents
    feedback = "\n".join([*filter(None, [first.evaluation.feedback.rstrip()]), UNREAD, *(f"- {one}" for one in unread)])
    return replace(brief, parents=(replace(first, evaluation=replace(first.evaluation, feedback=feedback)), *others))

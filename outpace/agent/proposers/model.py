"""Asks a language model for edits."""

from collections.abc import Sequence
from dataclasses import replace

from outpace.agent.models.base import FREE, Completion, Message, Model, Sampling
from outpace.agent.models.chat import total_usage
from outpace.agent.models.open import close
from outpace.agent.prompts.render import render, render_retry
from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.proposers.answers import EditError
from outpace.agent.proposers.edits import Edit, apply
from outpace.errors import ProposalError
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Task

TURNS = 2  # an answer that cannot be used goes back once


class ModelProposer:
    """Renders a brief, asks a model, and applies its edit; an edit that does not fit goes back to the model once.

    The request of turn ``t`` (0, then 1) of brief ``n`` has the key ``n/t``. ``lookahead`` is how many answers to wait
    for beyond what the evaluator can take; ``sampling`` holds for every request, each with the seed of its brief.
    """

    def __init__(
        self,
        model: Model,
        *,
        lookahead: int = 8,
        sampling: Sampling = FREE,
    ) -> None:
        """Bind the model."""
        self.name, self.lookahead = f"model:{model.name}", lookahead
        self._model, self._sampling = model, sampling

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return the model's candidate.

        Raises:
            ProposalError: neither the first answer nor the second gave a candidate.
            ModelError: the endpoint gave no answer.
        """
        parent = brief.parents[0].candidate if brief.parents else task.start
        sampling = replace(self._sampling, seed=brief.seed)
        messages = render(task, brief)
        answers: list[Completion] = []
        failures: list[str] = []
        for turn in range(TURNS):
            answer = await self._model.complete(messages, key=f"{brief.number}/{turn}", sampling=sampling)
            answers.append(answer)
            try:
                return self._proposal(brief, parent, _edit(answer, parent, task), answers, failures)
            except EditError as error:
                failures.append(str(error))
                messages += _given_back(answer, error, brief)
        raise ProposalError(f"{failures[-1]} (Asked twice; the first time: {failures[0]})")

    def tell(self, results: Sequence[Result]) -> None:
        """Learn nothing."""

    async def aclose(self) -> None:
        """Close the model."""
        await close(self._model)

    def _proposal(
        self, brief: Brief, parent: Candidate, edit: Edit, answers: Sequence[Completion], failures: Sequence[str]
    ) -> Proposal:
        return Proposal(
            candidate=edit.candidate,
            proposer=self.name,
            operator=brief.operator or edit.mode,
            parents=(parent.id,),
            thought=edit.thought,
            detail={"model": answers[-1].model, "turns": len(answers), "refused": list(failures)},
            usage=total_usage([answer.usage for answer in answers]),
            latency_s=sum(answer.latency_s for answer in answers),
        )


def _edit(answer: Completion, parent: Candidate, task: Task) -> Edit:
    """Apply an answer; one that was cut off is not trusted, even if what is left of it fits."""
    if answer.finish == "length":
        raise EditError("The answer was cut off at the token limit before it was complete.")
    return apply(answer.text, parent, entry=task.spec.entry, language=task.spec.language)


def _given_back(answer: Completion, error: EditError, brief: Brief) -> list[Message]:
    truncated = answer.finish == "length"
    return render_retry(answer.text, str(error), excerpt=error.excerpt, edit_mode=brief.edit_mode, truncated=truncated)

"""Asks a language model for edits."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from outpace.agent.arms import Arm
from outpace.agent.models.base import FREE, Choice, Completion, Message, Model, Sampling
from outpace.agent.models.chat import total_usage
from outpace.agent.models.open import close
from outpace.agent.prompts.facts import Facts
from outpace.agent.prompts.operators import MOST as MOST_REFLECTED
from outpace.agent.prompts.render import (
    Beside,
    Tried,
    render,
    render_instruction,
    render_reflection,
    render_retry,
    shortened,
)
from outpace.agent.prompts.templates import Templates
from outpace.agent.proposal import LOGPROB, REFLECTION, Brief, Member, ModelUsage, Proposal, Result
from outpace.agent.proposers.answers import EditError, without_thinking
from outpace.agent.proposers.attempts import Attempts, again
from outpace.agent.proposers.edits import Edit, apply, schema_for
from outpace.agent.proposers.instructions import INSTRUCTION, MOST, WRITTEN, Instructions, cleaned
from outpace.errors import ProposalError
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Task

TURNS = 2  # an answer that cannot be used goes back once
IN_FLIGHT = 16
"""How many answers are waited for at a time, beyond what the evaluator can take."""
PROFILES = 64
"""How many profiles are kept."""
Known = Callable[[Candidate, int | None], Awaitable[Member | None]]
Profiler = Callable[[Candidate], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aids:
    """What helps to ask well; all of it may be left out.

    ``templates`` are those of the prompts (default: ours), ``facts`` what they say of the place where programs run
    (default: this environment). ``known`` finds a program among the first so many results of the run (None: all),
    however it is written. ``profile`` measures where a program spends its time; ``instructions`` evolve.
    """

    templates: Templates | None = None
    facts: Facts | None = None
    known: Known | None = None
    profile: Profiler | None = None
    instructions: Instructions | None = None


ALONE = Aids()


class ModelProposer:
    """Renders a brief, asks a model, and applies its edit.

    An edit that does not fit, or that gives a program that was judged before, goes back to the model once. Prompts tell
    what was tried and failed, by the results that were told when the brief was asked for.

    Which model, and with which settings, is the brief's arm (``model_hint``), or the first. The request of turn ``t``
    (0, then 1) of brief ``n`` has the key ``n/t``, that for a new instruction ``n/meta``, a question asked first
    ``n/reflect``; briefs that share a request (``Brief.sample``) share those of the first of them, and each takes a
    text of the answer. ``lookahead`` is how many answers to wait for beyond what the evaluator can take.
    """

    def __init__(
        self, models: Mapping[str, Model], arms: Sequence[Arm], *, lookahead: int = IN_FLIGHT, aids: Aids = ALONE
    ) -> None:
        """Bind the models, by the names that the arms have for them."""
        self.name, self.lookahead = f"model:{'+'.join(models)}", lookahead
        self._models = models
        self._arms = {arm.name: arm for arm in arms}
        self._first = arms[0]
        self._aids, self._attempts = aids, Attempts()
        self._profiles, self._profiling = OrderedDict[str, str](), asyncio.Lock()

    @classmethod
    def of(
        cls, model: Model, *, sampling: Sampling = FREE, lookahead: int = IN_FLIGHT, aids: Aids = ALONE
    ) -> "ModelProposer":
        """Return a proposer that asks one model."""
        return cls({model.name: model}, [Arm(model=model.name, sampling=sampling)], lookahead=lookahead, aids=aids)

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return the model's candidate.

        Raises:
            ProposalError: neither the first answer nor the second gave a candidate.
            ModelError: the endpoint gave no answer.
        """
        parent = brief.parents[0].candidate if brief.parents else task.start
        tried = self._attempts.of(parent.id, task.spec.goal)  # before anything is waited for: as of the ask
        arm = self._arms.get(brief.model_hint or "", self._first)
        brief = replace(brief, edit_mode=arm.edit_mode or brief.edit_mode)
        if brief.edit_mode == "json":
            arm = replace(arm, sampling=replace(arm.sampling, schema=schema_for(parent)))
        answers: list[Completion] = []
        brief, detail = await self._instructed(task, brief, arm, tried, answers)
        reflection = await self._reflected(task, brief, arm, answers)
        detail |= {REFLECTION: reflection} if reflection else {}
        beside = replace(await self._beside(brief, parent, tried), reflection=reflection)
        messages = render(task, brief, beside=beside, templates=self._aids.templates)
        failures: list[str] = []
        for turn in range(TURNS):
            answer, choice = await self._asked(arm, messages, brief, turn)
            answers.append(answer)
            try:
                edit = _edit(choice, parent, task)
                await self._check_new(edit, task, brief, turn)
            except EditError as error:
                failures.append(str(error))
                messages += self._given_back(choice, error, brief)
            else:
                detail |= {LOGPROB: choice.logprob} if choice.logprob is not None else {}
                return self._proposal(brief, parent, edit, answers, {"refused": failures, "turns": turn + 1, **detail})
        raise ProposalError(f"{failures[-1]} (Asked twice; the first time: {failures[0]})")

    def tell(self, results: Sequence[Result]) -> None:
        """Remember what was tried, and what came of instructions."""
        self._attempts.tell(results)
        if self._aids.instructions:
            self._aids.instructions.tell(results)

    async def aclose(self) -> None:
        """Close the models."""
        for model in self._models.values():
            await close(model)

    async def _asked(self, arm: Arm, messages: list[Message], brief: Brief, turn: int) -> tuple[Completion, Choice]:
        """Return an answer and the text of it that serves this brief; what others have paid for costs nothing here."""
        model, sample = self._models[arm.model], brief.sample
        if turn == 0 and sample is not None and sample.of > 1:
            sampling = replace(arm.sampling, seed=sample.seed, n=sample.of)
            shared = await model.complete(messages, key=f"{sample.first}/0", sampling=sampling)
            if choice := shared.choice(sample.index):
                return shared if sample.index == 0 else replace(shared, usage=FREE_OF_CHARGE), choice
        sampling = replace(arm.sampling, seed=brief.seed)
        answer = await model.complete(messages, key=f"{brief.number}/{turn}", sampling=sampling)
        return answer, Choice(answer.text, answer.finish, answer.logprob)

    async def _instructed(
        self, task: Task, brief: Brief, arm: Arm, tried: Tried, answers: list[Completion]
    ) -> tuple[Brief, dict[str, Any]]:
        """Return the brief with the instruction to follow, and what the proposal is to say of it.

        For some briefs a new one is asked for first, and that answer added to ``answers``; one that cannot be used
        leaves the brief with an instruction that is there.
        """
        pool = self._aids.instructions
        if pool is None or (chosen := pool.chosen(brief)) is None:
            return brief, {}
        text, written = chosen.text, None
        if chosen.write:
            given: dict[str, Any] = {"beside": Beside(facts=self._aids.facts, tried=tried), "most": MOST}
            given |= {"instructions": pool.best(brief), "templates": self._aids.templates}
            messages = render_instruction(task, brief, **given)
            answer = await self._in_words(messages, brief, arm, "meta", answers)
            written = cleaned(Choice(answer.text, answer.finish))
        detail = {INSTRUCTION: written or text} | ({WRITTEN: True} if written else {})
        return replace(brief, instruction=written or text), detail

    async def _reflected(self, task: Task, brief: Brief, arm: Arm, answers: list[Completion]) -> str:
        """Return the answer to the question that the brief asks first, "" where there is none that can be used."""
        if brief.reflect is None:
            return ""
        messages = render_reflection(task, brief, facts=self._aids.facts, templates=self._aids.templates)
        answer = await self._in_words(messages, brief, arm, "reflect", answers)
        words = "" if answer.finish in ("length", *REFUSED) else without_thinking(answer.text)
        return shortened(words.strip(), MOST_REFLECTED)

    async def _in_words(
        self, messages: list[Message], brief: Brief, arm: Arm, kind: str, answers: list[Completion]
    ) -> Completion:
        """Ask for words instead of a program, once for all briefs that share a request; note what it cost."""
        number = brief.sample.first if brief.sample else brief.number
        sampling = replace(arm.sampling, seed=number, schema=None, logprobs=False)
        answer = await self._models[arm.model].complete(messages, key=f"{number}/{kind}", sampling=sampling)
        answers.append(answer if number == brief.number else replace(answer, usage=FREE_OF_CHARGE))
        return answer

    async def _beside(self, brief: Brief, parent: Candidate, tried: Tried) -> Beside:
        profile = await self._profiled(parent) if brief.profile and self._aids.profile else ""
        return Beside(facts=self._aids.facts, tried=tried, profile=profile)

    async def _profiled(self, candidate: Candidate) -> str:
        """Return the profile of a program, measured once; one is measured at a time."""
        assert self._aids.profile
        async with self._profiling:
            if candidate.id not in self._profiles:
                self._profiles[candidate.id] = await self._aids.profile(candidate)
            if len(self._profiles) > PROFILES:
                self._profiles.popitem(last=False)
            return self._profiles[candidate.id]

    async def _check_new(self, edit: Edit, task: Task, brief: Brief, turn: int) -> None:
        """Refuse a program that was judged before; the last answer may be one, and is told of as such."""
        if self._aids.known is None or turn == TURNS - 1:
            return
        if known := await self._aids.known(edit.candidate, brief.told):
            raise EditError(again(known, task.spec.goal))

    def _given_back(self, answer: Choice, error: EditError, brief: Brief) -> list[Message]:
        return render_retry(
            answer.text,
            str(error),
            excerpt=error.excerpt,
            edit_mode=brief.edit_mode,
            truncated=answer.finish == "length",
            templates=self._aids.templates,
        )

    def _proposal(
        self, brief: Brief, parent: Candidate, edit: Edit, answers: Sequence[Completion], detail: Mapping[str, Any]
    ) -> Proposal:
        return Proposal(
            candidate=edit.candidate,
            proposer=self.name,
            operator=brief.operator or edit.mode,
            parents=(parent.id,),
            thought=edit.thought,
            detail={"model": answers[-1].model, **detail},
            usage=total_usage([answer.usage for answer in answers]),
            latency_s=sum(answer.latency_s for answer in answers),
        )


REFUSED = {"refusal", "content_filter"}
"""How an answer ends that the model, or who runs it, has held back."""
FREE_OF_CHARGE = ModelUsage(cost_usd=0.0)


def _edit(answer: Choice, parent: Candidate, task: Task) -> Edit:
    """Apply an answer; one that was cut off is not trusted, even if what is left of it fits."""
    if answer.finish == "length":
        raise EditError("The answer was cut off at the token limit before it was complete.")
    if answer.finish in REFUSED:
        raise EditError(
            f"The model refused to answer: {' '.join(answer.text.split())[:200].rstrip('.') or 'it gave no reason'}."
        )
    return apply(answer.text, parent, entry=task.spec.entry, language=task.spec.language)

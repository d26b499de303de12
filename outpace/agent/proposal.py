"""The records that travel around the loop: members of a population, briefs, proposals and their results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate

EditMode = Literal["diff", "whole", "json"]
"""The form of an answer: SEARCH/REPLACE blocks, the whole program in a fence, or blocks as JSON by a schema."""


REFLECTION, LOGPROB = "reflection", "logprob"
"""In the detail of a proposal, where it is known: what was answered to the question that the brief asked first, and the
mean log-probability of a token of the answer that the candidate came of."""


@dataclass(frozen=True, slots=True)
class Member:
    """A candidate with what is known of it: a member of the population."""

    candidate: Candidate
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Sample:
    """One of the ``of`` answers to one request: that of brief ``first``, with its ``seed``; ``index`` is from 0."""

    first: int
    index: int
    of: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What a strategy asks a proposer to try.

    ``number`` counts the asks of a run from 1 (the starting program is 0). ``operator`` names a way of changing
    programs, None leaves it to the proposer; models are told in the words of the template ``operator_<name>.md.j2``,
    where there is one, which is filled in with ``given`` (small JSON values). ``instruction`` is for what has no
    template. ``reflect`` names a question that a model is to answer in words first (``reflect_<name>.md.j2``, filled in
    likewise): the change is asked for with the answer at hand, and the answer comes back as ``reflection`` in the
    detail of the proposal. ``seed`` is the only source of chance for whoever serves the brief.
    ``model_hint`` names the arm (a model with its settings) to ask, None leaves it to the proposer. ``sample`` is set
    where several briefs share a request. ``profile`` wishes for a profile of the first parent in the prompt. ``told``
    is how many results had been told when the search asked. ``note`` is the strategy's own: small JSON values that come
    back with the result (the island, say).
    """

    number: int
    parents: tuple[Member, ...]
    seed: int
    operator: str | None = None
    inspirations: tuple[Member, ...] = ()
    instruction: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    reflect: str | None = None
    edit_mode: EditMode = "diff"
    model_hint: str | None = None
    sample: Sample | None = None
    profile: bool = False
    told: int | None = None
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    """Tokens of one or several model calls, in disjoint buckets; ``cost_usd`` None means unknown, never zero."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None

    @property
    def tokens(self) -> int:
        """All tokens, read and written."""
        return self.input_tokens + self.cached_tokens + self.output_tokens + self.reasoning_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One act of proposing that gave a candidate.

    ``parents`` are the ids of the programs that the change really started from, ``operator`` the change that was made,
    ``detail`` the proposer's own small JSON values, which come back to its ``tell``.
    """

    candidate: Candidate
    proposer: str
    operator: str
    parents: tuple[str, ...]
    thought: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    usage: ModelUsage = field(default_factory=ModelUsage)
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a brief: a proposal with its evaluation, or a failure (the reason, in one line).

    ``seen_before`` tells that the candidate had been evaluated earlier in this run and that the old evaluation serves.
    """

    brief: Brief
    proposal: Proposal | None = None
    evaluation: Evaluation | None = None
    failure: str | None = None
    seen_before: bool = False

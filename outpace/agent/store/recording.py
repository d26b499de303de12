"""The writing half of the store: each call is one transaction, on disk when it returns."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql

from outpace.agent.budget import Spent
from outpace.agent.models.base import Completion
from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.store.codec import decode, digest, encode, finite, pack
from outpace.agent.store.database import Database
from outpace.agent.store.records import brief_to, completion_to, evaluation_to, proposal_to
from outpace.agent.store.schema import (
    best,
    briefs,
    completions,
    confirmations,
    evaluations,
    members,
    programs,
    proposals,
    results,
    tallies,
    texts,
)
from outpace.errors import StoreError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Split

KEPT = 4096  # keys of texts that are known to be there
COUNTED = ("wall_s", "model_calls", "tokens", "usd", "unpriced_calls")
CARRIED = ("results", "evaluations", "statuses", "best_rank")

# Statements are built once: for small transactions building them costs more than running them.
MEMBERS_AMONG = select(members.c.candidate).where(
    members.c.run == bindparam("of_run"), members.c.candidate.in_(bindparam("ids", expanding=True))
)
STANDING = (
    select(tallies, programs.c.id.label("proposed"), programs.c.shape, members.c.evaluation.label("judged"))
    .select_from(
        tallies.outerjoin(proposals, and_(proposals.c.run == tallies.c.run, proposals.c.brief == bindparam("brief")))
        .outerjoin(programs, programs.c.id == proposals.c.candidate)
        # the candidate's first evaluation in this run, if it has one
        .outerjoin(members, and_(members.c.run == tallies.c.run, members.c.candidate == bindparam("told")))
    )
    .where(tallies.c.run == bindparam("of_run"))
    .with_for_update(of=tallies)
)
TALLY = update(tallies).where(tallies.c.run == bindparam("of_run"))
COUNT = TALLY.values({name: tallies.c[name] + bindparam(f"add_{name}") for name in COUNTED})
CARRY = TALLY.values({name: bindparam(f"new_{name}") for name in CARRIED})
ADD_BRIEF, ADD_COMPLETION, ADD_PROPOSAL, ADD_RESULT = map(insert, (briefs, completions, proposals, results))
ADD_MEMBER, ADD_BEST, ADD_CONFIRMATION = insert(members), insert(best), insert(confirmations)
ADD_EVALUATION = insert(evaluations)
# "ON CONFLICT DO NOTHING" reads the same for PostgreSQL and SQLite, and PostgreSQL's spelling compiles for both.
KEEP_TEXT = postgresql.insert(texts).on_conflict_do_nothing()
ADD_PROGRAM = postgresql.insert(programs)
KEEP_PROGRAM = ADD_PROGRAM.on_conflict_do_update(
    index_elements=[programs.c.id], set_={"shape": ADD_PROGRAM.excluded.shape}, where=programs.c.shape.is_(None)
)


class Recording(Database):
    """What is written while a run goes on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Open the database."""
        super().__init__(*args, **kwargs)
        self._kept: set[str] = set()

    def add_brief(self, run: str, brief: Brief, state: Mapping[str, Any]) -> None:
        """Record an ask, with the strategy's ``state`` right after it."""
        row = {"number": brief.number, "data": brief_to(brief), "state": encode(state, what="state")}
        speaks_of = {member.candidate.id for member in (*brief.parents, *brief.inspirations)}
        with self._write(f"brief {brief.number} of run {run}") as connection:
            number, _ = self._run(connection, run)
            if speaks_of:
                found = connection.execute(MEMBERS_AMONG, {"of_run": number, "ids": list(speaks_of)}).scalars()
                _all_known(brief.number, speaks_of.difference(found))
            connection.execute(ADD_BRIEF, {"run": number, **row})

    def add_completion(self, run: str, key: str, completion: Completion) -> None:
        """Record a model's answer under its request's key."""
        row, cost = completion_to(completion), Spent.on(completion.usage)
        finite(cost.usd, "usage.cost_usd")
        with self._write(f"the answer to {key} of run {run}") as connection:
            number, _ = self._run(connection, run)
            connection.execute(ADD_COMPLETION, {"run": number, "key": key, **row})
            _count(connection, number, **{name: getattr(cost, name) for name in COUNTED})

    def add_proposal(self, run: str, brief: int, proposal: Proposal) -> None:
        """Record the candidate that came of brief number ``brief``."""
        row = proposal_to(proposal)
        with self._write(f"the proposal of brief {brief} of run {run}") as connection:
            number, _ = self._run(connection, run)
            self._keep_program(connection, proposal.candidate)
            connection.execute(ADD_PROPOSAL, {"run": number, "brief": brief, **row})

    def add_result(self, run: str, result: Result) -> None:
        """Record what became of a brief (this is the order in which results are told)."""
        brief = result.brief.number
        with self._write(f"the result of brief {brief} of run {run}") as connection:
            number, goal = self._run(connection, run)
            told = result.proposal and result.proposal.candidate.id
            standing = connection.execute(STANDING, {"of_run": number, "brief": brief, "told": told}).one()
            _as_proposed(result, standing)
            row: dict[str, Any] = {"run": number, "seq": standing.results, "brief": brief, "evaluation": None}
            row |= {"candidate": told, "seen_before": result.seen_before}
            row["failure"] = None if result.failure is None else pack(result.failure)
            if result.evaluation:
                row["evaluation"] = self._judged(connection, row, result.evaluation, goal, standing.judged)
            connection.execute(ADD_RESULT, row)
            _carry(connection, standing, row, result.evaluation, goal)

    def add_wall(self, run: str, wall_s: float) -> None:
        """Add to the run's wall clock (called now and then, and at the end of a sitting)."""
        with self._write(f"the time of run {run}") as connection:
            number, _ = self._run(connection, run)
            _count(connection, number, wall_s=finite(wall_s, "wall_s"))

    def add_confirmation(self, run: str, candidate: str, split: Split, evaluation: Evaluation) -> None:
        """Record a further evaluation of a candidate: a confirmation on fresh seeds, or on held-out cases."""
        with self._write(f"a confirmation of {candidate} in run {run}") as connection:
            number, goal = self._run(connection, run)
            row: dict[str, Any] = {"run": number, "candidate": candidate, "split": split}
            row["evaluation"] = self._add_evaluation(connection, row, evaluation, goal)
            connection.execute(ADD_CONFIRMATION, row)

    def _keep_text(self, connection: Connection, text: str) -> str:
        """Return the key of a text, kept once. Only those found in place are remembered: what is new may be undone."""
        key = digest(text)
        if key not in self._kept and not connection.execute(KEEP_TEXT, {"key": key, "data": pack(text)}).rowcount:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept.add(key)
        return key

    def _keep_program(self, connection: Connection, candidate: Candidate) -> None:
        files = {path: digest(text) for path, text in candidate.files.items()}
        row = {"id": candidate.id, "files": encode(files), "shape": candidate.shape}
        if connection.execute(KEEP_PROGRAM, row).rowcount:
            for text in set(candidate.files.values()):
                self._keep_text(connection, text)

    def _add_evaluation(
        self, connection: Connection, row: Mapping[str, Any], evaluation: Evaluation, goal: Goal
    ) -> int:
        values = evaluation_to(evaluation, goal) | {"run": row["run"], "candidate": row["candidate"], "machine": None}
        if evaluation.machine:
            values["machine"] = self._keep_text(connection, encode(evaluation.machine, what="evaluation.machine"))
        key = connection.execute(ADD_EVALUATION, values).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _judged(
        self, connection: Connection, row: Mapping[str, Any], evaluation: Evaluation, goal: Goal, member: int | None
    ) -> int:
        """Return the number of the evaluation: the member's if the candidate was seen before, else a new one."""
        if member is not None and row["seen_before"] and evaluation.status != "infra":
            return member
        number = self._add_evaluation(connection, row, evaluation, goal)
        if member is None and evaluation.status != "infra":
            new = {name: row[name] for name in ("run", "candidate", "seq")}
            connection.execute(ADD_MEMBER, {**new, "evaluation": number, "rank": evaluation.rank(goal)})
        return number


def _all_known(brief: int, unknown: Collection[str]) -> None:
    if unknown:
        text = f"Cannot record brief {brief}: its parents and inspirations must be programs that the run has evaluated"
        raise StoreError(f"{text}; {', '.join(sorted(unknown))} is not.")


def _as_proposed(result: Result, standing: Row[Any]) -> None:
    """Hold a result against the proposal that is recorded for its brief.

    Where the candidate was seen before, it may be another one of the same shape.
    """
    told, recorded = result.proposal.candidate if result.proposal else None, standing.proposed
    text = f"Cannot record the result of brief {result.brief.number}: "
    if told is None:
        if result.evaluation:
            raise StoreError(f"{text}it tells of an evaluation and of no proposal.")
        return
    alike = recorded is not None and result.seen_before and standing.shape in (None, told.shape)
    if told.id != recorded and not alike:
        raise StoreError(
            f"{text}it tells of the candidate {told.id}, its proposal as recorded of {recorded or 'none'}."
        )


def _count(connection: Connection, run: int, **add: float) -> None:
    counted = {f"add_{name}": add.get(name, 0) for name in COUNTED}
    connection.execute(COUNT, {"of_run": run, **counted})


def _carry(
    connection: Connection, standing: Row[Any], row: Mapping[str, Any], evaluation: Evaluation | None, goal: Goal
) -> None:
    """Carry the counters and the best-so-far curve on by one result."""
    status = evaluation.status if evaluation else "failed"
    statuses: dict[str, int] = decode(standing.statuses)
    statuses[status] = statuses.get(status, 0) + 1
    made = evaluation is not None and evaluation.status != "infra" and not row["seen_before"]
    spent = standing.evaluations + made
    rank, best_rank = evaluation.rank(goal) if evaluation else None, standing.best_rank
    if evaluation and rank is not None and (best_rank is None or rank > best_rank):
        best_rank = rank
        point = {name: row[name] for name in ("run", "seq", "candidate")}
        connection.execute(ADD_BEST, {**point, "evaluations": spent, "score": evaluation.score, "rank": rank})
    new = {"results": standing.results + 1, "evaluations": spent, "statuses": encode(statuses), "best_rank": best_rank}
    connection.execute(CARRY, {"of_run": row["run"], **{f"new_{name}": value for name, value in new.items()}})

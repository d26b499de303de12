"""The reading half of the store that a sitting needs: what to go on with, what is known, what is spent."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import and_, bindparam, select

from outpace.agent.budget import Spent
from outpace.agent.models.base import Completion
from outpace.agent.proposal import Member, Result
from outpace.agent.store.base import Pending
from outpace.agent.store.codec import decode
from outpace.agent.store.loading import Loading, result_rows
from outpace.agent.store.records import brief_from, brief_members, completion_from, proposal_from
from outpace.agent.store.schema import (
    briefs,
    completions,
    confirmations,
    members,
    programs,
    proposals,
    results,
    tallies,
)
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Split

BATCH = 256  # results read in one short transaction
KNOWN = tuple(
    select(members.c.candidate, members.c.seq)
    .select_from(
        programs.join(members, and_(members.c.candidate == programs.c.id, members.c.run == bindparam("of_run")))
    )
    .where(column == bindparam("program"))
    for column in (programs.c.id, programs.c.shape)
)


class Reading(Loading):
    """What a sitting reads."""

    def completion(self, run: str, key: str) -> Completion | None:
        """Return the recorded answer of a request, if there is one."""
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = select(completions).where(completions.c.run == number, completions.c.key == key)
            row = connection.execute(query).mappings().one_or_none()
        return completion_from(dict(row)) if row else None

    def completions(self, run: str) -> Iterator[tuple[str, Completion]]:
        """Yield all recorded answers with the keys of their requests, in the order of these texts."""
        after = ""
        while True:
            with self._read() as connection:
                number, _ = self._run(connection, run)
                query = select(completions).where(completions.c.run == number, completions.c.key > after)
                rows = connection.execute(query.order_by(completions.c.key).limit(BATCH)).mappings().all()
            yield from ((row["key"], completion_from(dict(row))) for row in rows)
            if len(rows) < BATCH:
                return
            after = rows[-1]["key"]

    def results(self, run: str) -> Iterator[Result]:
        """Yield all results in the order in which they were recorded."""
        after = -1
        while True:
            with self._read() as connection:
                number, _ = self._run(connection, run)
                query = result_rows().where(results.c.run == number, results.c.seq > after)
                rows = connection.execute(query.order_by(results.c.seq).limit(BATCH)).all()
                batch = self._load_results(connection, number, rows)
            yield from batch
            if len(batch) < BATCH:
                return
            after = rows[-1].seq

    def pending(self, run: str) -> list[Pending]:
        """Return the briefs without a result, by number."""
        proposal = and_(proposals.c.run == briefs.c.run, proposals.c.brief == briefs.c.number)
        result = and_(results.c.run == briefs.c.run, results.c.brief == briefs.c.number)
        columns = (briefs.c.number, briefs.c.data, proposals.c.candidate, proposals.c.thought)
        query = select(*columns, proposals.c.data.label("proposal_data"))
        query = query.select_from(briefs.outerjoin(proposals, proposal).outerjoin(results, result))
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = query.where(briefs.c.run == number, results.c.seq.is_(None)).order_by(briefs.c.number)
            rows = connection.execute(query).all()
            plain = [decode(row.data) for row in rows]
            member = self._load_members(connection, number, {one for brief in plain for one in brief_members(brief)})
            candidates = self._load_candidates(connection, {row.candidate for row in rows if row.candidate})
        return [
            Pending(
                brief=brief_from(row.number, brief, member.__getitem__),
                proposal=proposal_from(row.proposal_data, row.thought, candidates[row.candidate])
                if row.candidate
                else None,
            )
            for row, brief in zip(rows, plain, strict=True)
        ]

    def state(self, run: str) -> Mapping[str, Any]:
        """Return the strategy's state as of the last brief ({} before the first)."""
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = select(briefs.c.state).where(briefs.c.run == number).order_by(briefs.c.number.desc()).limit(1)
            text = connection.execute(query).scalar()
        state: dict[str, Any] = decode(text) if text else {}
        return state

    def spent(self, run: str) -> Spent:
        """Return what the run has used.

        An evaluation counts when a result tells of it; those that were known or failed by our own fault (``infra``) do
        not, nor do confirmations.
        Model calls, tokens and dollars are those of the recorded completions.
        """
        columns = [tallies.c[name] for name in Spent.__dataclass_fields__]
        with self._read() as connection:
            number, _ = self._run(connection, run)
            row = connection.execute(select(*columns).where(tallies.c.run == number)).mappings().one()
        return Spent(**row)

    def evaluation(self, run: str, candidate: str) -> Evaluation | None:
        """Return the run's earlier evaluation of a candidate, if it has one (``infra`` does not count)."""
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = select(members.c.evaluation).where(members.c.run == number, members.c.candidate == candidate)
            key: int | None = connection.execute(query).scalar()
            return None if key is None else self._load_evaluations(connection, [key])[key]

    def known(self, run: str, candidate: Candidate, *, before: int | None = None) -> Member | None:
        """Return the run's member that is this program, if there is one: the candidate itself, or one of its shape.

        Of several the first. With ``before`` only the run's first so many results count.
        """
        with self._read() as connection:
            number, _ = self._run(connection, run)
            rows = [
                row
                for query, program in zip(KNOWN, (candidate.id, candidate.shape), strict=True)
                for row in connection.execute(query, {"of_run": number, "program": program})
                if before is None or row.seq < before
            ]
            if not rows:
                return None
            first = min(rows, key=lambda row: int(row.seq)).candidate
            return self._load_members(connection, number, [first])[first]

    def confirmations(self, run: str, candidate: str) -> dict[Split, Evaluation]:
        """Return the last confirmation of a candidate for each split."""
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = select(confirmations.c.split, confirmations.c.evaluation)
            query = query.where(confirmations.c.run == number, confirmations.c.candidate == candidate)
            last: dict[Split, int] = dict(connection.execute(query.order_by(confirmations.c.number)).all())
            judged = self._load_evaluations(connection, set(last.values()))
        return {split: judged[key] for split, key in last.items()}

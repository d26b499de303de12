"""The reading half of the store that people look at: the best, the curve, the family tree, the leaderboard."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, select

from outpace.agent.front import Front, values_of
from outpace.agent.proposal import Member, Result
from outpace.agent.store.base import Entry, Placed, Run, RunFront
from outpace.agent.store.codec import decode
from outpace.agent.store.loading import result_rows
from outpace.agent.store.reading import BATCH, Reading
from outpace.agent.store.runs import Runs, run_of
from outpace.agent.store.schema import best, evaluations, members, programs, proposals, results, tallies
from outpace.errors import UnknownName, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Objective

PREFIX_DIGITS = 4
HEX = frozenset("0123456789abcdef")


class Ranking(Runs, Reading):
    """What was found, over one run and over all."""

    def top(self, run: str, n: int) -> list[Member]:
        """Return the run's best ``n`` members by rank, best first."""
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = select(members.c.candidate).where(members.c.run == number, members.c.rank.is_not(None))
            query = query.order_by(members.c.rank.desc(), members.c.seq).limit(n)
            ids = connection.execute(query).scalars().all()
            found = self._load_members(connection, number, ids)
        return [found[candidate] for candidate in ids]

    def front(self, run: str, objectives: Sequence[Objective], *, most: int = 256) -> RunFront:
        """Return the run's Pareto front of at most ``most`` members; no program is loaded, nor all members at once."""
        found, unplaced, ranked = Front[tuple[str, int]](most=most), 0, 0
        query = select(members.c.candidate, members.c.evaluation, members.c.rank, evaluations.c.metrics)
        query = query.join(evaluations, evaluations.c.number == members.c.evaluation)
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = query.where(members.c.run == number, members.c.rank.is_not(None))
            query = query.order_by(members.c.rank.desc(), members.c.seq).execution_options(yield_per=BATCH)
            for row in connection.execute(query):
                ranked += 1
                values = values_of(row.rank, decode(row.metrics), objectives)
                if values is None:
                    unplaced += 1
                else:
                    found.add((row.candidate, row.evaluation), values)
            placed = self._placed(connection, number, dict(one.member for one in found))
        rest = {"ranked": ranked, "unplaced": unplaced, "pruned": found.pruned}
        return RunFront(objectives=tuple(objectives), members=placed, **rest)

    def history(self, run: str) -> list[tuple[int, float]]:
        """Return the best-so-far curve: (evaluations, score) at each improvement."""
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = select(best.c.evaluations, best.c.score).where(best.c.run == number).order_by(best.c.seq)
            return [(row.evaluations, row.score) for row in connection.execute(query)]

    def statuses(self, run: str) -> dict[str, int]:
        """Return how many results ended how: evaluation statuses, ``failed`` for proposals that gave no candidate."""
        with self._read() as connection:
            number, _ = self._run(connection, run)
            text = connection.execute(select(tallies.c.statuses).where(tallies.c.run == number)).scalar_one()
        counted: dict[str, int] = decode(text)
        return counted

    def candidate(self, candidate: str) -> Candidate:
        """Return a candidate by id or unambiguous prefix (at least 4 digits); raises ``UnknownName``."""
        with self._read() as connection:
            whole = self._whole_id(connection, candidate)
            return self._load_candidates(connection, [whole])[whole]

    def lineage(self, candidate: str) -> list[tuple[Run, Result]]:
        """Return the first result of a candidate and of its first parents, back to the start: newest first."""
        line: list[Result] = []
        with self._read() as connection:
            current: str | None = self._whole_id(connection, candidate)
            query = select(results.c.run).where(results.c.candidate == current)
            number = connection.execute(query.order_by(results.c.run).limit(1)).scalar()
            if number is None:
                return []
            run = run_of(connection, number)
            visited: set[str] = set()
            while current and current not in visited:
                visited.add(current)
                result = self._first_result(connection, number, current)
                if result is None:
                    break
                line.append(result)
                current = _first_parent(result)
        return [(run, result) for result in line]

    def leaderboard(self, *, task: str | None = None) -> list[Entry]:
        """Return the champions of all ended runs: by task, best rank first (held-out rank where there is one)."""
        entries = [self._entry(run) for run in self.runs(task=task) if run.status != "running" and run.champion]
        return sorted((entry for entry in entries if entry), key=_place)

    def _whole_id(self, connection: Connection, prefix: str) -> str:
        query = select(programs.c.id).where(programs.c.id >= prefix, programs.c.id < prefix + "g").limit(6)
        readable = len(prefix) >= PREFIX_DIGITS and HEX.issuperset(prefix)
        found = connection.execute(query).scalars().all() if readable else []
        if len(found) > 1:
            names = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
            raise UsageError(f"Candidate '{prefix}' is ambiguous: {names}. Give more of it.")
        if not found:
            recent = select(best.c.candidate).order_by(best.c.run.desc(), best.c.seq.desc()).limit(5)
            raise UnknownName("candidate", prefix, connection.execute(recent).scalars())
        return str(found[0])

    def _first_result(self, connection: Connection, run: int, candidate: str) -> Result | None:
        query = result_rows().where(results.c.run == run, results.c.candidate == candidate)
        rows = connection.execute(query.order_by(results.c.seq).limit(1)).all()
        return self._load_results(connection, run, rows)[0] if rows else None

    def _placed(self, connection: Connection, run: int, judged: dict[str, int]) -> tuple[Placed, ...]:
        """Return members of a front, in the order of ``judged`` (candidate to evaluation), with how they were made."""
        proposal = and_(proposals.c.run == results.c.run, proposals.c.brief == results.c.brief)
        query = select(results.c.candidate, results.c.brief, proposals.c.data).join(proposals, proposal)
        query = query.where(results.c.run == run, results.c.candidate.in_(judged)).order_by(results.c.seq.desc())
        made = {row.candidate: row for row in connection.execute(query)}  # the first result of each comes last
        known = self._load_evaluations(connection, set(judged.values()))
        return tuple(
            Placed(
                candidate=candidate,
                evaluation=known[evaluation],
                brief=made[candidate].brief,
                **{name: decode(made[candidate].data)[name] for name in ("proposer", "operator")},
            )
            for candidate, evaluation in judged.items()
        )

    def _entry(self, run: Run) -> Entry | None:
        """Return the line of a run's champion; None if the run never evaluated it."""
        if run.champion is None:
            return None
        confirmed = self.confirmations(run.id, run.champion)
        evaluation = confirmed.get("train") or self.evaluation(run.id, run.champion)
        with self._read() as connection:
            number, _ = self._run(connection, run.id)
            start = self._start(connection, run, number)
            result = self._first_result(connection, number, run.champion)
        if evaluation is None or result is None or result.proposal is None:
            return None
        return Entry(
            run=run,
            candidate=run.champion,
            evaluation=evaluation,
            heldout=confirmed.get("heldout"),
            start=start,
            proposer=result.proposal.proposer,
            evaluations=self.spent(run.id).evaluations,
        )

    def _start(self, connection: Connection, run: Run, number: int) -> Evaluation | None:
        """Return the evaluation of the starting program, brief 0: on the champion's fresh inputs if there is one."""
        query = select(results.c.evaluation, results.c.candidate).where(results.c.run == number, results.c.brief == 0)
        row = connection.execute(query).one_or_none()
        if row is None or row.evaluation is None:
            return None
        fresh = self.confirmations(run.id, row.candidate).get("train")
        return fresh or self._load_evaluations(connection, [row.evaluation])[row.evaluation]


def _first_parent(result: Result) -> str | None:
    if result.proposal and result.proposal.parents:
        return result.proposal.parents[0]
    return result.brief.parents[0].candidate.id if result.brief.parents else None


def _place(entry: Entry) -> tuple[Any, ...]:
    """Return what orders a leaderboard: results of different tasks, or states of a task, never mix."""
    config = entry.run.config
    rank = (entry.heldout or entry.evaluation).rank(config.goal)
    return (config.task_name, config.task_fingerprint, rank is None, -(rank or 0.0), entry.run.id)

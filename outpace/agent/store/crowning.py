"""Who is champion and on what evidence: noise, duels, second measurements and verifications, only ever appended."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from outpace.agent.store.base import Duel, Surprise, Verification
from outpace.agent.store.codec import decode, encode
from outpace.agent.store.loading import Loading
from outpace.agent.store.recording import Recording
from outpace.agent.store.schema import duels, noises, surprises, verifications
from outpace.evaluators.base import Evaluation, Noise
from outpace.tasks.spec import Goal


class Crowning(Recording, Loading):
    """What decides who is champion."""

    def add_noise(self, run: str, noise: Noise, machine: Mapping[str, str]) -> None:
        """Record the A/A measurement of the run's starting program on a machine."""
        data, facts = encode(asdict(noise), what="noise"), encode(machine, what="machine")
        with self._write(f"the noise of run {run}") as connection:
            number, _ = self._run(connection, run)
            row = {"run": number, "machine": self._keep_text(connection, facts), "data": data}
            connection.execute(insert(noises), row)

    def noise(self, run: str) -> tuple[Noise, Mapping[str, str]] | None:
        """Return the last A/A measurement of the run, with the machine that it was made on."""
        with self._read() as connection:
            number, _ = self._run(connection, run)
            query = select(noises.c.data, noises.c.machine).where(noises.c.run == number)
            row = connection.execute(query.order_by(noises.c.number.desc()).limit(1)).one_or_none()
            if row is None:
                return None
            machine: dict[str, str] = decode(self._load_texts(connection, [row.machine])[row.machine])
        return Noise(**decode(row.data)), machine

    def add_duel(self, run: str, duel: Duel) -> None:
        """Record a duel for the crown of the run."""
        with self._write(f"a duel of {duel.challenger} in run {run}") as connection:
            number, goal = self._run(connection, run)
            row: dict[str, Any] = {"run": number, "challenger": duel.challenger, "champion": duel.champion}
            judged = duel.champion if duel.outcome == "void" else duel.challenger
            row["evaluation"] = self._further(connection, number, judged, duel.evaluation, goal)
            connection.execute(insert(duels), row | {"outcome": duel.outcome})

    def duels(self, run: str) -> list[Duel]:
        """Return all duels of the run, in the order in which they were fought."""
        with self._read() as connection:
            rows = self._of_run(connection, duels, run)
            found = self._load_evaluations(connection, {row["evaluation"] for row in rows})
        return [
            Duel(
                challenger=row["challenger"],
                champion=row["champion"],
                evaluation=found[row["evaluation"]],
                outcome=row["outcome"],
            )
            for row in rows
        ]

    def add_surprise(self, run: str, surprise: Surprise) -> None:
        """Record that a result was measured a second time."""
        with self._write(f"a second measurement of {surprise.candidate} in run {run}") as connection:
            number, goal = self._run(connection, run)
            row: dict[str, Any] = {"run": number, "candidate": surprise.candidate, "counts": surprise.counts}
            for name in ("first", "second"):
                row[name] = self._further(connection, number, surprise.candidate, getattr(surprise, name), goal)
            connection.execute(insert(surprises), row)

    def surprises(self, run: str) -> list[Surprise]:
        """Return what was measured a second time in the run, in that order."""
        with self._read() as connection:
            rows = self._of_run(connection, surprises, run)
            found = self._load_evaluations(connection, {row[name] for row in rows for name in ("first", "second")})
        return [
            Surprise(
                candidate=row["candidate"],
                first=found[row["first"]],
                second=found[row["second"]],
                counts=row["counts"],
            )
            for row in rows
        ]

    def add_verification(self, run: str, candidate: str, verification: Verification) -> None:
        """Record that a candidate's final measurement was repeated."""
        with self._write(f"a verification of {candidate} in run {run}") as connection:
            number, goal = self._run(connection, run)
            measured = {
                split: self._further(connection, number, candidate, found, goal)
                for split, found in verification.evaluations.items()
            }
            row = {name: getattr(verification, name) for name in ("at", "holds", "verdict")}
            row |= {"run": number, "candidate": candidate, "evaluations": encode(measured)}
            connection.execute(insert(verifications), row)

    def verifications(self, run: str, candidate: str) -> list[Verification]:
        """Return the repetitions of a candidate's final measurement, oldest first."""
        with self._read() as connection:
            rows = self._of_run(connection, verifications, run, candidate=candidate)
            measured = [decode(row["evaluations"]) for row in rows]
            found = self._load_evaluations(connection, {key for one in measured for key in one.values()})
        return [
            Verification(
                at=row["at"],
                holds=row["holds"],
                verdict=row["verdict"],
                evaluations={split: found[key] for split, key in one.items()},
            )
            for row, one in zip(rows, measured, strict=True)
        ]

    def _further(self, connection: Connection, run: int, candidate: str, evaluation: Evaluation, goal: Goal) -> int:
        """Store an evaluation beside the candidate's own, and return its number."""
        return self._add_evaluation(connection, {"run": run, "candidate": candidate}, evaluation, goal)

    def _of_run(self, connection: Connection, table: Table, run: str, **equal: str) -> list[dict[str, Any]]:
        """Return the rows of a run, in the order in which they were written."""
        number, _ = self._run(connection, run)
        query = select(table).where(table.c.run == number, *(table.c[name] == value for name, value in equal.items()))
        return [dict(row) for row in connection.execute(query.order_by(table.c.number)).mappings()]

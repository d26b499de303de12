"""How rows become programs, evaluations, members and results again, in bulk and each only once for a while."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Connection, Row, Select, and_, select

from outpace.agent.proposal import Member, Result
from outpace.agent.store.codec import decode, unpack
from outpace.agent.store.database import Database
from outpace.agent.store.records import brief_from, brief_members, evaluation_from, proposal_from
from outpace.agent.store.schema import briefs, evaluations, members, programs, proposals, results, texts
from outpace.errors import StoreError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate

K = TypeVar("K")
V = TypeVar("V")
RECENT = 2048  # programs, evaluations and texts kept in memory: what a population works with


class Recent(Generic[K, V]):
    """A bounded memory of what was loaded lately; nothing in the store ever changes, so it is never wrong."""

    def __init__(self, size: int = RECENT) -> None:
        """Start empty."""
        self._size, self._items = size, OrderedDict[K, V]()
        self._lock = Lock()

    def known(self, keys: Iterable[K]) -> dict[K, V]:
        """Return what is remembered of ``keys``."""
        with self._lock:
            found = {key: self._items[key] for key in keys if key in self._items}
            for key in found:
                self._items.move_to_end(key)
        return found

    def learn(self, items: Mapping[K, V]) -> None:
        """Remember ``items``, and forget what was not asked for the longest time."""
        with self._lock:
            self._items.update(items)
            while len(self._items) > self._size:
                self._items.popitem(last=False)


class Loading(Database):
    """Turns ids into the things that they stand for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Open the database with nothing in memory."""
        super().__init__(*args, **kwargs)
        self._texts = Recent[str, str]()
        self._candidates = Recent[str, Candidate]()
        self._evaluations = Recent[int, Evaluation]()

    def _load_texts(self, connection: Connection, keys: Collection[str]) -> dict[str, str]:
        found = self._texts.known(keys)
        if missing := set(keys) - set(found):
            new = {key: unpack(data) for key, data in connection.execute(_among(texts.c.key, missing, texts.c.data))}
            self._texts.learn(new)
            found |= new
        return found

    def _load_candidates(self, connection: Connection, ids: Collection[str]) -> dict[str, Candidate]:
        found = self._candidates.known(ids)
        if missing := set(ids) - set(found):
            rows = connection.execute(_among(programs.c.id, missing, programs.c.files)).all()
            files: dict[str, dict[str, str]] = {candidate: decode(plain) for candidate, plain in rows}
            text = self._load_texts(connection, {key for paths in files.values() for key in paths.values()})
            new = {
                candidate: Candidate({path: text[key] for path, key in paths.items()})
                for candidate, paths in files.items()
            }
            if damaged := [candidate for candidate in new if new[candidate].id != candidate]:
                raise StoreError(f"The store {self.path} is damaged: the text of program {damaged[0]} is not its own.")
            self._candidates.learn(new)
            found |= new
        return found

    def _load_evaluations(self, connection: Connection, numbers: Collection[int]) -> dict[int, Evaluation]:
        found = self._evaluations.known(numbers)
        if missing := set(numbers) - set(found):
            query = select(evaluations).where(evaluations.c.number.in_(missing))
            rows = connection.execute(query).mappings().all()
            plain = self._load_texts(connection, {row["machine"] for row in rows if row["machine"]})
            machines = {key: decode(text) for key, text in plain.items()}
            new = {row["number"]: evaluation_from(dict(row), machines.get(row["machine"], {})) for row in rows}
            self._evaluations.learn(new)
            found |= new
        return found

    def _load_members(self, connection: Connection, run: int, ids: Collection[str]) -> dict[str, Member]:
        """Return members of a run by candidate id."""
        query = _among(members.c.candidate, ids, members.c.evaluation).where(members.c.run == run)
        numbers: dict[str, int] = dict(connection.execute(query).all()) if ids else {}
        judged = self._load_evaluations(connection, set(numbers.values()))
        programs_of = self._load_candidates(connection, ids)
        return {candidate: Member(programs_of[candidate], judged[number]) for candidate, number in numbers.items()}

    def _load_results(self, connection: Connection, run: int, rows: Sequence[Row[Any]]) -> list[Result]:
        """Return results of a run, of rows of ``result_rows``."""
        plain = [decode(row.brief_data) for row in rows]
        member = self._load_members(connection, run, {one for brief in plain for one in brief_members(brief)})
        candidates = self._load_candidates(connection, {row.candidate for row in rows if row.candidate})
        judged = self._load_evaluations(connection, {row.evaluation for row in rows if row.evaluation})
        return [
            Result(
                brief=brief_from(row.brief, brief, member.__getitem__),
                proposal=proposal_from(row.proposal_data, row.thought, candidates[row.candidate])
                if row.candidate
                else None,
                evaluation=judged[row.evaluation] if row.evaluation else None,
                failure=None if row.failure is None else unpack(row.failure),
                seen_before=row.seen_before,
            )
            for row, brief in zip(rows, plain, strict=True)
        ]


def result_rows() -> Select[Any]:
    """Return the query for results with their briefs and proposals, to be narrowed and ordered."""
    brief = and_(briefs.c.run == results.c.run, briefs.c.number == results.c.brief)
    proposal = and_(proposals.c.run == results.c.run, proposals.c.brief == results.c.brief)
    more = (briefs.c.data.label("brief_data"), proposals.c.data.label("proposal_data"), proposals.c.thought)
    return select(results, *more).select_from(results.join(briefs, brief).outerjoin(proposals, proposal))


def _among(key: Column[Any], keys: Collection[Any], value: Column[Any]) -> Select[Any]:
    return select(key, value).where(key.in_(keys))

"""The figures of a comparison, worked out from its store alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from outpace.agent.compare import odds
from outpace.agent.compare.carry import done
from outpace.agent.compare.curves import Band, Curve, Scale, Spread, band, scale_of, spread
from outpace.agent.compare.plan import Cell, Compared, Entrant, Key, Plan
from outpace.agent.store.base import Run, Store
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one cell.

    ``ended`` is the bound of the budget that was reached, or ``stalled``. ``curve`` is the best score so far against
    evaluations, ``by_tokens`` against the tokens of the answers that had come to something by then (None: no model was
    asked). ``failures`` counts results by status, ``failed`` those without a candidate; ``duplicates`` programs that
    the run had evaluated before. ``confirmed`` is the champion's score on held-out cases (on fresh inputs where a task
    has none); without a champion it is the start's. ``area`` lies below the curve, as a part of what was possible.
    """

    seed: int
    run: str
    ended: str
    curve: Curve
    by_tokens: Curve | None
    evaluations: int
    tokens: int
    model_calls: int
    usd: float
    wall_s: float
    failures: Mapping[str, int]
    duplicates: int
    champion: str | None
    confirmed: float
    area: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """All runs of one entrant on one task, and how their figures spread. Figures are None where no run is done."""

    entrant: Entrant
    outcomes: tuple[Outcome, ...]
    curve: Band | None
    by_tokens: Band | None
    final: Spread | None
    confirmed: Spread | None
    area: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One task: a line for each entrant.

    ``budget`` is where the curves end, in evaluations. ``start`` is the starting program's score, ``start_confirmed``
    its score where champions are confirmed (on held-out cases where ``heldout``); ``best`` the best that any run saw.
    ``explained`` is the part of the differences in the final scores that goes with the strategy (eta squared), and
    ``by_chance`` what that would be if strategies made no difference; None where all scores are the same.
    """

    task: Compared
    goal: Goal
    budget: int
    start: float
    start_confirmed: float
    heldout: bool
    best: float
    lines: tuple[Line, ...]
    explained: float | None
    by_chance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """One strategy over all tasks, its settings taken together.

    ``rank`` and ``area_rank`` are mean ranks (by confirmed scores, by areas) with the ends of their intervals.
    ``beats_random``: the chance that a run of it does better than one of the random walk, mean over the tasks, with the
    p of the exact test, adjusted for the number of pairs; None for the random walk itself.
    """

    family: str
    rank: tuple[float, float, float]
    area_rank: tuple[float, float, float]
    beats_random: float | None
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The table over all tasks, best mean rank first.

    ``odds`` is the chance that the first of a pair does better, mean over the tasks, ``p`` the adjusted p of each pair;
    ``groups`` are those that cannot be told apart; ``least_p`` is the smallest p (of one pair, not adjusted) that so
    many seeds can give on one task and on all together.
    """

    tasks: tuple[str, ...]
    seeds: int
    ranks: tuple[Rank, ...]
    odds: Mapping[tuple[str, str], float]
    p: Mapping[tuple[str, str], float]
    groups: tuple[tuple[str, ...], ...]
    least_p: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All of it.

    ``done`` of ``cells`` runs have ended; ``standing`` is None until every strategy has a run on one task at least.
    """

    plan: Plan
    sheets: tuple[Sheet, ...]
    standing: Standing | None
    done: int
    cells: int


def figures(plan: Plan, runs: Mapping[Key, Run], store: Store) -> Figures:
    """Return the figures of the runs that have ended."""
    ended = {key: run for key, run in runs.items() if done(run)}
    sheets = tuple(sheet for task in plan.tasks if (sheet := _sheet(plan, task, ended, store)))
    return Figures(
        plan=plan,
        sheets=sheets,
        standing=_standing(plan, sheets),
        done=len(ended),
        cells=sum(1 for _ in plan.cells()),
    )


def families(plan: Plan) -> list[str]:
    """Return the strategies as they were named, in that order, each once."""
    return list(dict.fromkeys(entrant.family for entrant in plan.entrants))


def _sheet(plan: Plan, task: Compared, runs: Mapping[Key, Run], store: Store) -> Sheet | None:
    cells = [cell for cell in plan.cells() if cell.task == task and cell.key in runs]
    if not cells:
        return None
    config = runs[cells[0].key].config
    start = _start(task, [runs[cell.key] for cell in cells], store, config.goal)
    found = {cell.key: _outcome(cell, runs[cell.key], store, start) for cell in cells}
    budget = config.budget.evaluations or max(one.evaluations for one in found.values())
    scale = scale_of(config.goal, [one.curve for one in found.values()])
    lines = tuple(_line(entrant, _of(entrant, cells, found), scale, budget) for entrant in plan.entrants)
    explained, by_chance = _explained(lines, scale)
    return Sheet(
        task=task,
        goal=config.goal,
        budget=budget,
        start=scale.start,
        start_confirmed=start,
        heldout=task.heldout,
        best=scale.best,
        lines=lines,
        explained=explained,
        by_chance=by_chance,
    )


def _start(task: Compared, runs: Sequence[Run], store: Store, goal: Goal) -> float:
    """Return the start's score where champions are confirmed.

    A speed-up starts at 1. Values of a metric are the same in every run, so the first that measured it will do; where
    none did, none has a champion, and its score in the search stands for it.
    """
    if goal.kind == "speedup":
        return 1.0
    for run in runs:
        score = _confirmed(store.confirmations(run.id, task.start))
        if score is not None:
            return score
    return store.history(runs[0].id)[0][1]


def _confirmed(known: Mapping[Split, Evaluation]) -> float | None:
    """Return the score that counts in the end: on held-out cases, else on fresh inputs."""
    found = known.get("heldout") or known.get("train")
    return found.score if found and found.status == "ok" else None


def _of(entrant: Entrant, cells: Sequence[Cell], found: Mapping[Key, Outcome]) -> list[Outcome]:
    own = [cell.key for cell in cells if cell.entrant == entrant]
    return sorted((found[key] for key in own), key=lambda one: one.seed)


def _outcome(cell: Cell, run: Run, store: Store, start: float) -> Outcome:
    spent, statuses = store.spent(run.id), store.statuses(run.id)
    judged = sum(count for status, count in statuses.items() if status not in ("failed", "infra"))
    confirmed = _confirmed(store.confirmations(run.id, run.champion)) if run.champion else None
    return Outcome(
        seed=cell.seed,
        run=run.id,
        ended=run.reason,
        curve=Curve(tuple((float(count), score) for count, score in store.history(run.id))),
        by_tokens=_by_tokens(store, run) if spent.tokens else None,
        evaluations=spent.evaluations,
        tokens=spent.tokens,
        model_calls=spent.model_calls,
        usd=spent.usd,
        wall_s=spent.wall_s,
        failures={status: count for status, count in sorted(statuses.items()) if status != "ok"},
        duplicates=max(0, judged - spent.evaluations),
        champion=run.champion,
        confirmed=start if confirmed is None else confirmed,
    )


def _by_tokens(store: Store, run: Run) -> Curve:
    """Return the best score so far against tokens: an answer counts as soon as something has come of its brief."""
    asked: dict[int, int] = {}
    for key, completion in store.completions(run.id):
        brief = int(key.partition("/")[0])
        asked[brief] = asked.get(brief, 0) + completion.usage.tokens
    points: list[tuple[float, float]] = []
    goal, best, spent = run.config.goal, float("-inf"), 0
    for result in store.results(run.id):
        spent += asked.pop(result.brief.number, 0)
        spent += asked.pop(result.brief.sample.first, 0) if result.brief.sample else 0
        rank = result.evaluation.rank(goal) if result.evaluation else None
        if result.evaluation and result.evaluation.score is not None and rank is not None and rank > best:
            best = rank
            points.append((float(spent), result.evaluation.score))
    return Curve(tuple(points))


def _line(entrant: Entrant, outcomes: Sequence[Outcome], scale: Scale, budget: int) -> Line:
    known = tuple(replace(one, area=scale.area(one.curve, budget=budget)) for one in outcomes)
    tokens = [one.by_tokens for one in known if one.by_tokens]
    return Line(
        entrant=entrant,
        outcomes=known,
        curve=band([one.curve for one in known], until=budget) if known else None,
        by_tokens=band(tokens, until=max(one.tokens for one in known)) if tokens else None,
        final=spread([one.curve.final for one in known]),
        confirmed=spread([one.confirmed for one in known]),
        area=spread([one.area for one in known]),
    )


def _explained(lines: Sequence[Line], scale: Scale) -> tuple[float | None, float | None]:
    """Return eta squared of the final scores over entrants, and its expectation if entrants made no difference."""
    parts = [scale.part(np.array([one.curve.final for one in line.outcomes])) for line in lines if line.outcomes]
    together = np.concatenate(parts)
    total = float(np.sum((together - together.mean()) ** 2))
    if total <= 0 or len(parts) < 2 or len(together) <= len(parts):
        return None, None
    between = sum(len(one) * float((one.mean() - together.mean()) ** 2) for one in parts)
    return between / total, (len(parts) - 1) / (len(together) - 1)


def _standing(plan: Plan, sheets: Sequence[Sheet]) -> Standing | None:
    """Return the table over the tasks on which every strategy has a run."""
    names = families(plan)
    common = [sheet for sheet in sheets if all(_values(sheet, name, area=False) for name in names)]
    if not common or len(names) < 2:
        return None
    by_score = {name: [_values(sheet, name, area=False) for sheet in common] for name in names}
    by_area = {name: [_values(sheet, name, area=True) for sheet in common] for name in names}
    pairs = [(one, other) for index, one in enumerate(names) for other in names[index + 1 :]]
    samples = {pair: [*zip(by_score[pair[0]], by_score[pair[1]], strict=True)] for pair in pairs}
    p = odds.holm({pair: odds.p_value(both) for pair, both in samples.items()})
    chances = {pair: _mean(odds.superiority(*both) for both in found) for pair, found in samples.items()}
    chances |= {(other, one): 1 - chance for (one, other), chance in chances.items()}
    p |= {(other, one): value for (one, other), value in p.items()}
    ranks, area_ranks = odds.mean_ranks(by_score), odds.mean_ranks(by_area)
    order = sorted(names, key=lambda name: (ranks[name][0], area_ranks[name][0], name))
    most = [max(len(by_score[name][task]) for name in names) for task in range(len(common))]
    sizes = [(count, count) for count in most]
    return Standing(
        tasks=tuple(sheet.task.name for sheet in common),
        seeds=max(most),
        ranks=tuple(
            Rank(
                family=name,
                rank=ranks[name],
                area_rank=area_ranks[name],
                beats_random=chances.get((name, "random")),
                p=p.get((name, "random")),
            )
            for name in order
        ),
        odds=chances,
        p=p,
        groups=tuple(odds.groups(order, {pair: value < odds.LEVEL for pair, value in p.items()})),
        least_p=(min(odds.least_p([one]) for one in sizes), odds.least_p(sizes)),
    )


def _values(sheet: Sheet, family: str, *, area: bool) -> list[float]:
    """Return a value for each seed, more is better: the median over the settings of a strategy.

    So a strategy with many settings has no more values than one without parameters, and stands for what a setting
    brings that nobody chose with knowledge of the outcome.
    """
    by_seed: dict[int, list[float]] = {}
    for line in sheet.lines:
        if line.entrant.family != family:
            continue
        for one in line.outcomes:
            by_seed.setdefault(one.seed, []).append(one.area if area else sheet.goal.rank(one.confirmed))
    return [median(by_seed[seed]) for seed in sorted(by_seed)]


def _mean(values: Iterator[float]) -> float:
    return float(np.mean([*values]))

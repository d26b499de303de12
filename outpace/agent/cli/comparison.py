"""A comparison in words: its report in Markdown, its tables for a terminal, its record for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from outpace.agent.cli import records, text
from outpace.agent.cli.progress import failures
from outpace.agent.compare.curves import Spread, spread
from outpace.agent.compare.figures import Figures, Line, Sheet, Standing, families
from outpace.agent.compare.odds import LEVEL
from outpace.agent.compare.plan import Entrant, Plan, written
from outpace.tasks.spec import Goal

Rows = list[list[str]]
STALLED = "stalled"
READING = """
- Figures are medians over the runs, with the quartiles in brackets.
- **final**: the best score that the search saw. It is the maximum of what chance had a part in, so it flatters.
- **held out** (or **confirmed**): the champion on inputs that the search never saw. A run without a champion, which
  found nothing that holds there, counts with the starting program's value.
- **area**: the mean, over the evaluations of the budget, of the part of the way from the start (0) to the best that any
  run on the task saw (1). Who is early has more of it. Speed-ups count by their logarithm.
- **champions**: in how many runs something was confirmed to be better than the start.
- **failed** and **seen before** count results of all runs of the row: those that failed, by status, and programs that
  their run had evaluated before (they cost no evaluation).
"""
READING_OVER_TASKS = """
- **mean rank**: 1 is the best. On each task strategies are ranked by the median of the held-out (confirmed) score, and
  **by area** by that of the area. Brackets: 95 % of a bootstrap over the seeds. It says nothing of tasks that were not
  compared on.
- **better than random**: how often a run of the strategy does better than one of the random walk (ties count half),
  mean over the tasks. **p**: of the exact rank test over all tasks, adjusted for the number of pairs.
"""
READING_SETTINGS = """
- Over all tasks a strategy stands with the median over its settings, seed by seed.
"""


def report(figures: Figures, pictures: Sequence[str]) -> str:
    """Return the report in Markdown; ``pictures`` are the names of files beside it."""
    parts = [*_head(figures), *_over_tasks(figures), *_pictures(pictures)]
    for sheet in figures.sheets:
        parts += _task(sheet, figures.plan)
    parts += [*_settings(figures), *_reading(figures), *_cautions(figures)]
    return text.plain("\n".join(parts)) + "\n"


def _head(figures: Figures) -> Iterator[str]:
    plan = figures.plan
    names = families(plan)
    yield f"# {text.counted(len(names), 'strategy', several='strategies')} compared"
    yield ""
    facts = {
        "tasks": ", ".join(one.name for one in plan.tasks),
        "strategies": ", ".join(names) + (f" (added as yardsticks: {', '.join(plan.added)})" if plan.added else ""),
        "settings of each": _settings_said(plan),
        "seeds": f"{plan.seeds[0]} to {plan.seeds[-1]}" if len(plan.seeds) > 1 else str(plan.seeds[0]),
        "budget of each run": _budget_said(plan, figures.sheets),
        "who proposes": plan.proposer,
        "evaluations at a time": str(plan.workers),
        "sandbox": f"{plan.sandbox}, at least level {plan.level}",
        "machine": ", ".join(f"{name} {value}" for name, value in plan.machine.items()),
        "Outpace": plan.version,
        "runs": f"{figures.done} of {figures.cells} done",
    }
    yield "| what | |"
    yield "| --- | --- |"
    yield from (f"| {name} | {_cell(value)} |" for name, value in facts.items() if value)
    yield ""
    if figures.done < figures.cells:
        yield f"**Not done: {text.counted(figures.cells - figures.done, 'run')}.** The figures are of those that are."
        yield ""


def _settings_said(plan: Plan) -> str:
    if plan.draws == 1:
        return "1, as named"
    return f"{plan.draws} where a strategy states ranges of its parameters: as named, and drawn (Latin hypercube)"


def _budget_said(plan: Plan, sheets: Sequence[Sheet]) -> str:
    if plan.budget:
        return ", ".join(f"{text.number(value)} {_unit(name)}" for name, value in plan.budget.as_dict().items())
    return "each task's own: " + ", ".join(f"{sheet.task.name} {sheet.budget} evaluations" for sheet in sheets)


def _unit(bound: str) -> str:
    return {"model_calls": "model calls", "usd": "USD"}.get(bound, bound)


def _over_tasks(figures: Figures) -> Iterator[str]:
    standing = figures.standing
    if standing is None:
        return
    yield "## Over all tasks"
    yield ""
    yield from _table(rank_rows(standing))
    yield ""
    yield from (f"- {line}" for line in verdict(standing))
    yield ""
    names = [one.family for one in standing.ranks]
    if len(names) > 2:
        yield "How often a run of the row does better than one of the column (mean over the tasks, ties count half;"
        yield f"bold: told apart, adjusted p < {LEVEL:g}):"
        yield ""
        yield from _table(_pair_rows(standing, names))
        yield ""


def rank_rows(standing: Standing) -> Rows:
    """Return the table over all tasks, best first."""
    rows = [["strategy", "mean rank", "by area", "better than random", "p"]]
    for one in standing.ranks:
        better = "-" if one.beats_random is None else f"{one.beats_random:.0%}"
        rows.append([one.family, _rank(one.rank), _rank(one.area_rank), better, "-" if one.p is None else _p(one.p)])
    return rows


def verdict(standing: Standing) -> Iterator[str]:
    """Yield what so many seeds can tell of the strategies."""
    if standing.groups:
        for group in standing.groups:
            yield f"Not told apart: {', '.join(group)}."
    else:
        yield "Every strategy is told apart from every other."
    better = [one.family for one in standing.ranks if _beats(one.beats_random, one.p)]
    worse = [one.family for one in standing.ranks if one.p is not None and one.p < LEVEL and one.family not in better]
    yield f"Better than random: {', '.join(better) or 'none that could be told'}."
    if worse:
        yield f"Worse than random: {', '.join(worse)}."
    single, together = standing.least_p
    many = f", {_p(together)} on all {len(standing.tasks)} together" if len(standing.tasks) > 1 else ""
    yield (
        f"{text.counted(standing.seeds, 'seed')} can give a p of {_p(single)} at the least on one task{many}; the p "
        f"above are adjusted for {text.counted(len(standing.p) // 2, 'pair')} (Holm)."
    )


def _beats(chance: float | None, p: float | None) -> bool:
    return chance is not None and p is not None and chance > 0.5 and p < LEVEL


def _pair_rows(standing: Standing, names: Sequence[str]) -> Rows:
    rows = [["", *names]]
    for one in names:
        cells = []
        for other in names:
            chance = standing.odds.get((one, other))
            said = "" if chance is None else f"{chance:.0%}"
            cells.append(f"**{said}**" if said and standing.p[one, other] < LEVEL else said)
        rows.append([one, *cells])
    return rows


def _pictures(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield "## Curves"
        yield ""
    for name in names:
        yield f"![{name.partition('.')[0]}]({name})"
        yield ""


def _task(sheet: Sheet, plan: Plan) -> Iterator[str]:
    goal = sheet.goal
    yield f"## {sheet.task.name}"
    yield ""
    yield (
        f"{goal.name}, {'more' if goal.direction == 'maximise' else 'less'} is better. Start "
        f"{text.amount(goal, sheet.start)}, best of all runs {text.amount(goal, sheet.best)}; where champions are "
        f"confirmed ({_where(sheet)}) the start has {text.amount(goal, sheet.start_confirmed)}."
    )
    yield ""
    yield from _table(task_rows(sheet))
    yield ""
    early = [*_early(sheet, plan)]
    yield from (f"- {line}" for line in early)
    if early:
        yield ""


def _where(sheet: Sheet) -> str:
    return "held-out cases" if sheet.heldout else "fresh inputs: the task has no held-out cases"


def task_rows(sheet: Sheet) -> Rows:
    """Return the table of one task, a row for each entrant."""
    goal = sheet.goal
    asked = any(one.model_calls for line in sheet.lines for one in line.outcomes)
    rows = [["strategy", "final", "held out" if sheet.heldout else "confirmed", "area", "champions", "evaluations"]]
    rows[0] += (["tokens"] if asked else []) + ["failed", "seen before", "time"]
    for line in sheet.lines:
        runs = line.outcomes
        if not runs:
            rows.append([line.entrant.label, *(["-"] * (len(rows[0]) - 1))])
            continue
        row = [line.entrant.label, _spread(goal, line.final), _spread(goal, line.confirmed), _part(line.area)]
        row += [f"{sum(one.champion is not None for one in runs)} of {len(runs)}"]
        row += [text.number(median(one.evaluations for one in runs))]
        row += [text.number(median(one.tokens for one in runs))] if asked else []
        row += [failures(_summed([one.failures for one in runs])), str(sum(one.duplicates for one in runs))]
        rows.append([*row, text.duration(median(one.wall_s for one in runs))])
    return rows


def _early(sheet: Sheet, plan: Plan) -> Iterator[str]:
    """Yield a line for each run that ended before its evaluations were used."""
    bounds = plan.budget.as_dict() if plan.budget else {"evaluations": sheet.budget}
    for line in sheet.lines:
        for one in line.outcomes:
            if "evaluations" in bounds and one.evaluations < sheet.budget:
                yield (
                    f"{line.entrant.label}, seed {one.seed}: ended at {one.evaluations} of {sheet.budget} evaluations, "
                    f"{_why(one.ended)}; its curve goes on flat."
                )


def _why(ended: str) -> str:
    return "stalled (nothing new came any more)" if ended == STALLED else f"at its bound of {_unit(ended)}"


def _settings(figures: Figures) -> Iterator[str]:
    """Yield what the choice of parameters makes of each strategy: the lottery."""
    plan = figures.plan
    if plan.draws == 1:
        return
    yield "## The choice of parameters"
    yield ""
    yield "Of each setting the median over its seeds; then how these spread over the settings, which is what a setting"
    yield "chosen blindly brings. The best setting is a matter of luck, and says little."
    yield ""
    for sheet in figures.sheets:
        yield f"{sheet.task.name}, final score:"
        yield ""
        yield from _table(setting_rows(sheet, families(plan)))
        yield ""
    yield "The settings:"
    yield ""
    yield from (f"- `{one.label}`: {_said(one)}" for one in plan.entrants if one.draw)
    yield ""


def setting_rows(sheet: Sheet, names: Sequence[str]) -> Rows:
    """Return how the medians of the settings of each strategy spread on a task."""
    goal = sheet.goal
    rows = [["strategy", "settings", "as named", "median of settings", "worst", "best"]]
    for name in names:
        lines = [line for line in sheet.lines if line.entrant.family == name and line.final]
        medians = [line.final.median for line in lines if line.final]
        found = spread(medians)
        if found is None:
            continue
        named = [line.final.median for line in lines if line.final and line.entrant.draw == 0]
        ends = sorted(medians, key=goal.rank)
        row = [name, str(len(lines)), text.amount(goal, named[0]) if named else "-", _spread(goal, found)]
        rows.append([*row, text.amount(goal, ends[0]), text.amount(goal, ends[-1])])
    return rows


def _said(entrant: Entrant) -> str:
    return ", ".join(f"{name} {written(value)}" for name, value in entrant.settings.items())


def _reading(figures: Figures) -> Iterator[str]:
    yield "## How to read it"
    yield ""
    parts = [READING]
    parts += [READING_OVER_TASKS] if figures.standing else []
    parts += [READING_SETTINGS] if figures.plan.draws > 1 else []
    yield from (line for part in parts for line in part.strip().split("\n"))
    yield ""


def _cautions(figures: Figures) -> Iterator[str]:
    lines = [*cautions(figures)]
    if lines:
        yield "## What to keep in mind"
        yield ""
        yield from (f"- {line}" for line in lines)
        yield ""


def cautions(figures: Figures) -> Iterator[str]:
    """Yield what the data themselves say against reading too much into them."""
    for sheet in figures.sheets:
        yield from _caution(sheet)
    if figures.plan.workers > 1:
        yield (
            f"With {figures.plan.workers} evaluations at a time, results come in the order of the clock: the same seed "
            "again gives another run. With --workers 1 it gives the same."
        )
    if any(sheet.goal.kind == "speedup" for sheet in figures.sheets):
        yield "Final speed-ups are the best of many noisy values; only the confirmed ones were measured again."
    yield from _tokens_differ(figures)


def _caution(sheet: Sheet) -> Iterator[str]:
    name, goal = sheet.task.name, sheet.goal
    runs = [one for line in sheet.lines for one in line.outcomes]
    if sheet.best == sheet.start:
        yield f"{name}: nobody found anything better than the start, so this task tells nothing of the strategies."
        return
    if sheet.explained is not None and sheet.by_chance is not None:
        little = " The proposer and chance decide most here." if sheet.explained < 2 * sheet.by_chance else ""
        yield (
            f"{name}: {sheet.explained:.0%} of the differences in the final scores go with the strategy "
            f"({sheet.by_chance:.0%} would if strategies made no difference), the rest with the seed.{little}"
        )
    without = sum(one.champion is None for one in runs)
    if without:
        yield f"{name}: {without} of {len(runs)} runs have no champion, and count with the start's value."
    worse = sum(goal.rank(one.confirmed) < goal.rank(sheet.start_confirmed) for one in runs)
    if sheet.heldout and worse:
        yield f"{name}: {worse} of {len(runs) - without} champions are worse than the start on held-out cases."


def _tokens_differ(figures: Figures) -> Iterator[str]:
    used: dict[str, list[int]] = {}
    for sheet in figures.sheets:
        for line in sheet.lines:
            used.setdefault(line.entrant.family, []).extend(one.tokens for one in line.outcomes)
    means = {name: sum(values) / len(values) for name, values in used.items() if values}
    least, most = (min(means, key=means.__getitem__), max(means, key=means.__getitem__)) if means else ("", "")
    if means and means[least] > 0 and means[most] > 1.5 * means[least]:
        yield (
            f"Runs of {most} use {means[most] / means[least]:.1f} times the tokens of {least} "
            f"({text.number(means[most])} against {text.number(means[least])}): look at the curves by tokens, or bound "
            "--tokens."
        )


def terminal(figures: Figures) -> Iterator[str]:
    """Yield the tables for a terminal."""
    for sheet in figures.sheets:
        yield f"{sheet.task.name} ({sheet.goal.name}, start {text.amount(sheet.goal, sheet.start)})"
        rows = task_rows(sheet)
        kept = [index for index, name in enumerate(rows[0]) if name not in ("failed", "seen before")]
        yield from (f"  {line}" for line in text.columns([[row[index] for index in kept] for row in rows]))
        yield ""
    if figures.standing:
        yield "Over all tasks"
        yield from (f"  {line}" for line in text.columns(rank_rows(figures.standing)))
        yield ""
        yield from verdict(figures.standing)


def record(figures: Figures) -> dict[str, Any]:
    """Return everything for programs, curves included."""
    standing = figures.standing
    return {
        "plan": figures.plan.as_dict(),
        "done": figures.done,
        "cells": figures.cells,
        "tasks": [_sheet_record(sheet) for sheet in figures.sheets],
        "over_tasks": standing and _standing_record(standing),
        "cautions": [*cautions(figures)],
    }


def _sheet_record(sheet: Sheet) -> dict[str, Any]:
    return {
        **{name: getattr(sheet, name) for name in ("budget", "start", "start_confirmed", "heldout", "best")},
        "task": sheet.task.name,
        "goal": records.goal(sheet.goal),
        "explained": sheet.explained,
        "by_chance": sheet.by_chance,
        "strategies": [_line_record(line) for line in sheet.lines],
    }


def _line_record(line: Line) -> dict[str, Any]:
    plain = asdict(line)
    entrant = {"label": line.entrant.label, "family": line.entrant.family}
    return {**plain, "entrant": {**plain["entrant"], **entrant}, "runs": plain.pop("outcomes")}


def _standing_record(standing: Standing) -> dict[str, Any]:
    pairs = [
        {"one": one, "other": other, "better": chance, "p": standing.p[one, other]}
        for (one, other), chance in standing.odds.items()
    ]
    return {**asdict(standing), "odds": None, "p": None} | {"pairs": pairs}


def _spread(goal: Goal, found: Spread | None) -> str:
    if found is None:
        return "-"
    return f"{text.amount(goal, found.median)} [{text.number(found.low)}, {text.number(found.high)}]"


def _part(found: Spread | None) -> str:
    return "-" if found is None else f"{found.median:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _rank(rank: tuple[float, float, float]) -> str:
    return f"{rank[0]:.1f} [{rank[1]:.1f}, {rank[2]:.1f}]"


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 0.001 else f"{value:.0e}"


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = sorted({name for one in counts for name in one})
    return {name: sum(one.get(name, 0) for one in counts) for name in names}


def _table(rows: Rows) -> Iterator[str]:
    """Yield a table in Markdown; the first row is its head."""
    head, *rest = rows
    yield f"| {' | '.join(map(_cell, head))} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in rest)


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")

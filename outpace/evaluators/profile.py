"""Where does a program spend its time? Profiles, in words for whoever proposes next.

A profile is taken in a run of its own, in a confined worker, on an input that the judge uses nowhere else; nothing of
it is timed for a score. What comes back are the candidate's own words: no more than text, cut to length.
"""

import asyncio
import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from outpace.errors import UsageError
from outpace.evaluators import correctness
from outpace.evaluators.correctness import Failure
from outpace.evaluators.loading import Cores, Loader
from outpace.evaluators.machine import available_cores, lane
from outpace.sandbox import _inside
from outpace.sandbox.base import Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Problem, Task

TOP = 25
"""How many lines, or functions, a profile shows."""
OBSERVED_S = 20.0
"""How long a program is observed at most, and no longer than four calls may take: observing slows Python down."""
_EXTRA_S = 30.0  # for what comes before, and for a program that does not let itself be ended
_EXTRA_MB = 512  # for the copy of the inputs and the counts
_WIDTH = 100
Kind = Literal["lines", "functions"]


async def profile(
    sandbox: Sandbox,
    task: Task,
    candidate: Candidate,
    *,
    kind: Kind = "lines",
    case: str | None = None,
    seed: int | None = None,
) -> str:
    """Return where a program spends its time while it answers one problem of ``case``, the ``TOP`` largest shares.

    ``case`` None: the first timed case of the search; ``seed`` None: one that nobody knows. One call is observed, after
    a first one that is not. A failure of the program comes back as text as well.

    ``lines``: hits and share of time of the lines of the program's own files. Each moment counts for one line, that of
    the innermost function of these files, so that the shares add up to 100 %; what a line calls elsewhere (numpy,
    compiled functions) counts for it. ``functions``: calls and times of all functions, by ``cProfile``.

    Raises:
        UsageError: there is no such case in the search.
        TaskError, SandboxUnavailable: no fault of the candidate's.
    """
    chosen = case_of(task, case)
    try:
        found = await _observed(kind, Loader(sandbox), task, candidate, await problem_of(task, chosen, seed), chosen)
    except Failure as failure:
        return failure.feedback
    return _lines_told(found, candidate, chosen) if kind == "lines" else _functions_told(found, chosen)


def case_of(task: Task, name: str | None) -> Case:
    """Return the case of the search that has this name; None: the first that is timed, or the first.

    Raises ``UsageError`` for any other name: cases that decide in the end are shown to nobody.
    """
    cases = task.spec.split("train")
    if name is None:
        timed = [case for case in cases if case.timed]
        return (timed or cases)[0]
    for case in cases:
        if case.name == name:
            return case
    raise UsageError(f"There is no case '{name:.60}'. Cases: {', '.join(case.name for case in cases)}.")


async def problem_of(task: Task, case: Case, seed: int | None) -> Problem:
    """Generate a problem, by a seed that nobody knows where none is given."""
    seed = correctness.fresh_seed() if seed is None else seed
    return await asyncio.to_thread(correctness.generated, task, case, seed)


def aside(task: Task) -> Cores:
    """Return the cores for what is not timed: those that timings leave free."""
    if task.spec.goal.kind != "speedup":
        return None
    return lane(available_cores(), task.spec.limits.threads).rest


async def _observed(
    kind: Kind, loader: Loader, task: Task, candidate: Candidate, problem: Problem, case: Case
) -> Mapping[str, Any]:
    """Return what the profiler tells of one call; raises ``Failure`` where the program failed."""
    observed = _with_profiler(task, kind)
    async with loader.loaded(observed, candidate, aside(task)) as worker:
        reply = await correctness.call(observed, worker, case, problem)
    if type(reply.output) is not dict or type(reply.output.get("rows")) is not list:
        raise Failure("refused", "The profile is no profile: the program has tampered with what observes it.")
    return reply.output


def _with_profiler(task: Task, kind: Kind) -> Task:
    """Return the task with the profiler as its driver, around its own, and with the room that this takes."""
    text = (Path(_inside.__file__).parent / "profiler.py").read_text(encoding="utf-8")
    limits = task.spec.limits
    seconds = _observed_s(task)
    room = replace(
        limits,
        wall_s=limits.wall_s + seconds + _EXTRA_S,
        cpu_s=limits.cpu_s + seconds + _EXTRA_S,
        memory_mb=limits.memory_mb + _EXTRA_MB,
    )
    observed = copy.copy(task)
    observed.driver = f"{text}\nKIND = {kind!r}\nSECONDS = {seconds!r}\nDRIVER = {task.driver!r}\n"
    observed.spec = replace(task.spec, limits=room)
    return observed


def _observed_s(task: Task) -> float:
    return min(OBSERVED_S, 4 * task.spec.limits.wall_s)


def _lines_told(found: Mapping[str, Any], candidate: Candidate, case: Case) -> str:
    files = {path: text.split("\n") for path, text in candidate.files.items()}
    rows = [
        (row[0], row[1], row[2], row[3])
        for row in found["rows"]
        if _fits(row, str, int, int, int) and row[0] in files and 0 < row[1] <= len(files[row[0]])
    ]
    total = sum(ns for *_, ns in rows)
    if not total:
        return f"Line profile on case '{case.name}': no line of the program's own files took any time."
    chosen = sorted(sorted(rows, key=lambda row: -row[3])[:TOP])
    told = [_headline("Line profile", found, case), f"{'line':>5} {'hits':>11} {'share':>7}"]
    path = ""
    for file, line, hits, ns in chosen:
        if file != path:
            told.append(f"{file}:")
            path = file
        told.append(f"{line:>5} {hits:>11,} {ns / total:>7.1%}  {_plain(files[file][line - 1].rstrip())}")
    if left := len(rows) - len(chosen):
        share = 1 - sum(ns for *_, ns in chosen) / total
        told.append(f"{left} more lines take {share:.1%} together.")
    return "\n".join(told)


def _functions_told(found: Mapping[str, Any], case: Case) -> str:
    rows = [row for row in found["rows"] if _fits(row, str, int, str, int, int, int)]
    rows.sort(key=lambda row: -row[4])
    total = max(1, sum(row[4] for row in rows))
    told = [_headline("Profile", found, case), f"{'calls':>11} {'own':>7} {'with callees':>13}"]
    for path, line, name, calls, own_ns, all_ns in rows[:TOP]:
        place = f"{path}:{line} {name}" if path else name
        told.append(f"{calls:>11,} {own_ns / total:>7.1%} {all_ns / total:>13.1%}  {_plain(place)}")
    if (left := len(rows) - TOP) > 0:
        told.append(f"{left} more functions take {sum(row[4] for row in rows[TOP:]) / total:.1%} together.")
    return "\n".join(told)


def _headline(what: str, found: Mapping[str, Any], case: Case) -> str:
    wall_ns = found.get("wall_ns")
    took = f", {wall_ns / 1e9:.3g} s under observation" if type(wall_ns) is int and 0 < wall_ns < 1 << 63 else ""
    ended = "" if found.get("whole") else " It was ended then: this is what the program did so far."
    return f"{what} of one call on case '{case.name}'{took}; compare shares, not times.{ended}"


def _fits(row: Any, *kinds: type) -> bool:
    """Tell whether a row is of the form that the profiler gives."""
    if type(row) is not list or len(row) != len(kinds):
        return False
    return all(type(one) is kind for one, kind in zip(row, kinds, strict=True)) and all(
        0 <= one < 1 << 63 for one in row if type(one) is int
    )


def _plain(text: str) -> str:
    """Return words of the candidate in one line of bounded length that no terminal obeys."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text.expandtabs(4))
    return shown if len(shown) <= _WIDTH else shown[: _WIDTH - 1] + "…"


__all__ = ["TOP", "Kind", "aside", "case_of", "problem_of", "profile"]

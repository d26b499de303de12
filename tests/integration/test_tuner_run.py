"""The tuner on a bundled task, with a scripted model: the whole way, and on the command line."""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import outpace
from outpace.agent.evolve import resume_run
from outpace.agent.models.scripted import ScriptedModel
from outpace.agent.proposal import Result
from outpace.agent.search import Progress
from outpace.agent.store import open_store

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-tuner.md"
COMPILED = '''import numpy as np
from numba import njit


@njit
def distance(a, b):
    previous = np.arange(len(b) + 1)
    current = np.empty(len(b) + 1, np.int64)
    for i in range(len(a)):
        current[0] = i + 1
        for j in range(len(b)):
            best = min(current[j], previous[j + 1]) + 1
            current[j + 1] = min(best, previous[j] + (a[i] != b[j]))
        previous, current = current, previous
    return previous[len(b)]


def edit_distance(a: bytes, b: bytes) -> int:
    """Return the least number of insertions, deletions and substitutions that turn ``a`` into ``b``."""
    return int(distance(np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8)))'''
BRANCHES = """            if a[i] == b[j]:
                current[j + 1] = previous[j]
            else:
                current[j + 1] = min(current[j], previous[j + 1], previous[j]) + 1"""


def command(text: str) -> str:
    return f"I try this.\n\n```\n{text}\n```\n"


def edit(lines: str, text: str) -> str:
    return command(f"edit\nfile: program.py\nlines: {lines}\n---\n{text}\n---")


def results(home: Path) -> list[Result]:
    store = open_store(home)
    try:
        return list(store.results(store.run("last").id))
    finally:
        store.close()


@pytest.mark.slow
def test_the_tuner_makes_edit_distance_ten_times_faster(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    script = [
        command("profile_lines"),
        edit("5-19", COMPILED),
        command("eval"),
        edit("19", "    return previous[0]"),
        command("eval_input 700"),
        command("reference 700"),
        command("revert"),
        command("profile"),
        edit("16-17", BRANCHES),
    ]
    report = outpace.evolve(
        "edit_distance",
        model=ScriptedModel(script),
        proposer="tuner",
        strategy="hill_climb",
        workers=1,
        budget=outpace.Budget(evaluations=4),
        home=tmp_path,
    )
    assert report.champion is not None
    speedup = report.champion.train.score
    assert speedup is not None and speedup >= 10
    start, compiled, wrong, branches = results(tmp_path)
    assert start.proposal and compiled.proposal and wrong.proposal and branches.proposal
    assert [one.proposal.detail["commands"] for one in (compiled, wrong, branches) if one.proposal] == [
        ["profile_lines", "edit"],
        ["eval", "edit"],
        ["eval_input", "reference", "revert", "profile", "edit"],
    ]
    statuses = [one.evaluation.status for one in (start, compiled, wrong, branches) if one.evaluation]
    assert statuses == ["ok", "ok", "wrong", "ok"]
    assert compiled.proposal.parents == (start.proposal.candidate.id,)
    assert wrong.proposal.parents == (compiled.proposal.candidate.id,)
    assert branches.proposal.parents == (compiled.proposal.candidate.id,), "after the revert"
    assert "return previous[len(b)]" in branches.proposal.candidate.program
    champions = {one.proposal.candidate.id for one in (compiled, branches) if one.proposal}
    assert report.champion.champion.candidate.id in champions


def test_a_killed_run_goes_on_with_its_line_and_asks_for_no_answer_twice(tmp_path: Path) -> None:
    def ring(radius: float) -> str:
        return edit("19", f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {radius}, 0.02)]")

    class Killed(Exception):
        pass

    def watch(progress: Progress) -> None:
        if progress.spent.evaluations == 2:
            raise Killed

    answers = [command("ls"), ring(0.41), command("eval"), ring(0.42), command("profile_lines"), command("done")]
    script = tmp_path / "script.jsonl"

    def left(texts: Sequence[str]) -> None:
        script.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")

    left(answers)
    with pytest.raises(Killed):
        outpace.evolve(
            "circle_packing",
            model=f"scripted:{script}",
            proposer="tuner",
            workers=1,
            strategy="hill_climb",
            budget=outpace.Budget(model_calls=len(answers)),
            home=tmp_path,
            watch=watch,
        )
    left(answers[2:])  # a script begins anew with each sitting: the answers on record are not asked for
    report = asyncio.run(resume_run("last", home=tmp_path))
    assert report.spent.model_calls == len(answers)
    start, first, second, ended = results(tmp_path)
    assert start.proposal and first.proposal and second.proposal
    assert first.proposal.parents == (start.proposal.candidate.id,)
    assert second.proposal.parents == (first.proposal.candidate.id,)
    assert [one.proposal.detail["sent"] for one in (first, second) if one.proposal] == [2, 4]
    assert ended.failure is not None and "brief 1 has ended after 6 messages" in ended.failure


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    """The script in the how-to improves the packing of circles, on the metric task that needs no timing."""
    (script,) = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    path = tmp_path / "script.jsonl"
    path.write_text(script, encoding="utf-8")
    assert all(json.loads(line) for line in script.splitlines())
    report = outpace.evolve(
        "circle_packing",
        model=f"scripted:{path}",
        proposer="tuner",
        workers=1,
        strategy="hill_climb",
        budget=outpace.Budget(evaluations=9, model_calls=len(script.splitlines())),
        home=tmp_path,
    )
    start, first, ended = results(tmp_path)
    assert start.evaluation and first.evaluation and first.proposal
    assert first.evaluation.status == "ok"
    assert (first.evaluation.score or 0) > (start.evaluation.score or 0)
    assert first.proposal.detail["commands"] == ["view_file", "edit"]
    assert ended.failure is not None and "has nothing left to try" in ended.failure
    assert report.run.config.proposer.startswith("tuner:scripted:")

"""The strategy ``tuner`` beside the tuner as a proposer: a conversation that has ended begins anew from the best."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import outpace
from outpace.agent.evolve import resume_run
from outpace.agent.models.scripted import ScriptedModel
from outpace.agent.proposal import Result
from outpace.agent.search import Progress
from outpace.agent.store import open_store

pytestmark = pytest.mark.slow


def command(text: str) -> str:
    return f"I try this.\n\n```\n{text}\n```\n"


def ring(radius: float) -> str:
    rings = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {radius}, 0.02)]"
    return command(f"edit\nfile: program.py\nlines: 19\n---\n{rings}\n---")


def results(home: Path) -> list[Result]:
    store = open_store(home)
    try:
        return list(store.results(store.run("last").id))
    finally:
        store.close()


def parents(found: Sequence[Result]) -> list[str | None]:
    return [one.proposal.parents[0] if one.proposal and one.proposal.parents else None for one in found]


def candidates(found: Sequence[Result]) -> list[str | None]:
    return [one.proposal.candidate.id if one.proposal else None for one in found]


def run(home: Path, script: Sequence[str], *, messages: int | None = None, **params: int) -> list[Result]:
    outpace.evolve(
        "circle_packing",
        model=ScriptedModel(script),
        proposer="tuner",
        strategy="tuner",
        strategy_params=params,
        workers=2,
        messages=messages,
        budget=outpace.Budget(evaluations=50, model_calls=len(script)),
        home=home,
    )
    return results(home)


def test_a_line_is_a_conversation_and_begins_anew_from_the_best(tmp_path: Path) -> None:
    """The worse program is gone on from as long as the model talks; when it has nothing left, the best is taken up."""
    found = run(tmp_path, [ring(0.42), ring(0.2), ring(0.3), command("done"), ring(0.41), command("done")])
    better, worse, third, ended, anew = found[1:6]
    start, best, bad, middle = candidates(found)[:4]
    assert parents([better, worse, third, anew]) == [start, best, bad, best]
    assert [one.brief.parents[0].candidate.id for one in (better, worse, third, ended, anew)] == [
        start, best, bad, middle, best,
    ]  # fmt: skip
    assert ended.failure is not None and "has nothing left to try" in ended.failure
    assert [one.proposal.detail["line"] for one in (better, worse, third, anew) if one.proposal] == [1, 1, 1, 5]


def test_a_conversation_whose_last_message_was_a_change_has_ended_too(tmp_path: Path) -> None:
    found = run(tmp_path, [ring(0.42), ring(0.2), ring(0.41)], messages=2)
    start, best = candidates(found)[:2]
    assert parents(found[1:4]) == [start, best, best]
    assert [one.proposal.detail["left"] for one in found[1:4] if one.proposal] == [1, 0, 1]


def test_two_lines_are_two_conversations_at_a_time(tmp_path: Path) -> None:
    found = run(tmp_path, [ring(0.40 + 0.002 * turn) for turn in range(6)], lines=2)
    served = {one.brief.note["line"]: set[int]() for one in found[1:]}
    for one in found[1:]:
        if one.proposal:
            served[one.brief.note["line"]].add(one.proposal.detail["line"])
    assert served == {0: {1}, 1: {2}}


def test_a_killed_run_goes_on_with_its_line(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def watch(progress: Progress) -> None:
        if progress.spent.evaluations == 3:
            raise Killed

    script = tmp_path / "script.jsonl"

    def left(texts: Sequence[str]) -> None:
        script.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")

    answers = [ring(0.42), ring(0.2), ring(0.3), command("done"), ring(0.41)]
    left(answers)
    with pytest.raises(Killed):
        outpace.evolve(
            "circle_packing",
            model=f"scripted:{script}",
            proposer="tuner",
            strategy="tuner",
            workers=1,
            budget=outpace.Budget(model_calls=len(answers)),
            home=tmp_path,
            watch=watch,
        )
    left(answers[2:])  # a script begins anew with each sitting: the answers on record are not asked for
    report = asyncio.run(resume_run("last", home=tmp_path))
    assert report.spent.model_calls == len(answers)
    found = results(tmp_path)
    start, best, bad = candidates(found)[:3]
    assert parents([found[1], found[2], found[3], found[5]]) == [start, best, bad, best]

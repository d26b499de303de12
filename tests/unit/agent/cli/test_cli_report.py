"""The last words of a run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from outpace.agent.budget import Spent
from outpace.agent.cli.dossier import Dossier, description
from outpace.agent.cli.harvest import HEAD, Harvest
from outpace.agent.cli.report import record, stored, words
from outpace.agent.cli.text import gain_text
from outpace.agent.confirm import Confirmed
from outpace.agent.evolve import Report
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.store import open_store
from outpace.agent.store.base import Duel, Run, Surprise, Verification
from outpace.agent.store.contract import config
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation, Noise
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

HOME = Path("/data/outpace")
NOISE = Noise(clock="wall", floor=0.02, wall=0.01, cpu=0.01, pairs=24)
START = Candidate({"program.py": "VALUE = 0\n"})
CHAMPION = Candidate({"program.py": "VALUE = 1\n"})


@pytest.fixture
def report(make_run: Callable[[Goal], Run], gap: Goal) -> Report:
    found = Evaluation(status="ok", score=3.0)
    heldout = Evaluation(status="ok", score=0.8, metrics={"case/1k": 2.0, "case/5k": 0.8})
    return Report(
        run=make_run(gap),
        ended="evaluations",
        start=Member(START, Evaluation(status="ok", score=4.0)),
        champion=Confirmed(
            champion=Member(CHAMPION, found), start=Member(START, found), train=found, heldout=heldout, ood=None
        ),
        start_heldout=Evaluation(status="ok", score=4.2, metrics={"case/1k": 5.0, "case/5k": 4.0}),
        start_ood=None,
        spent=Spent(evaluations=200, wall_s=65.0),
        statuses={"ok": 190, "wrong": 10},
    )


def test_words_name_champion_gain_evidence_place_and_next_command(report: Report) -> None:
    said = "\n".join(words(report, HOME, named_home=None))
    assert f"Champion {CHAMPION.id}" in said
    assert "3 %, the start 4 %: 25.0 % better" in said
    assert "0.8 % (1k 2 %, 5k 0.8 %), the start 4.2 % (1k 5 %, 5k 4 %): 81.0 % better" in said
    assert "200 evaluations in 1 min 05 s; failed: 10 wrong" in said
    assert "Stored in /data/outpace" in said
    assert f"Next: outpace show {CHAMPION.id}   or   outpace verify {CHAMPION.id}   or   outpace export" in said
    assert said.endswith(f"{CHAMPION.id} -o DIR")
    assert "sandbox       bubblewrap, level B" in said


def test_words_of_a_speedup_tell_its_pairs(report: Report, make_run: Callable[[Goal], Run], speedup: Goal) -> None:
    found = Evaluation(status="ok", score=12.0, interval=(11.0, 13.0), metrics={"pairs": 24.0})
    champion = Confirmed(
        champion=Member(CHAMPION, found), start=Member(START, found), train=found, heldout=None, ood=None
    )
    timed = replace(report, run=make_run(speedup), champion=champion)
    said = "\n".join(words(timed, HOME, named_home=None))
    assert "12x [11, 13] as fast as the start (24 pairs, 95 % interval)" in said


def test_words_of_a_speedup_tell_noise_and_duels(
    report: Report, make_run: Callable[[Goal], Run], speedup: Goal
) -> None:
    found = Evaluation(status="ok", score=12.0, interval=(11.0, 13.0), machine={"level": "A"})
    champion = Confirmed(
        champion=Member(CHAMPION, found), start=Member(START, found), train=found, heldout=None, ood=None
    )
    duel = Duel(challenger=CHAMPION.id, champion=START.id, evaluation=found, outcome="won")
    lost = replace(duel, outcome="lost")
    timed = replace(report, run=make_run(speedup), champion=champion, noise=NOISE, duels=(duel, lost))
    said = "\n".join(words(timed, HOME, named_home=None))
    assert "noise floor   2 % by wall clock (24 pairs of the start against its own copy)" in said
    assert "duels         2 for the crown, which changed hands 1 time" in said
    assert "sandbox       bubblewrap, level A" in said
    printed = record(timed, HOME)
    assert printed["noise"]["floor"] == 0.02
    assert [one["outcome"] for one in printed["duels"]] == ["won", "lost"]


def test_a_speed_up_run_that_found_nothing_above_the_noise_says_no_measurable_gain(
    report: Report, make_run: Callable[[Goal], Run], speedup: Goal
) -> None:
    timed = replace(report, run=make_run(speedup), champion=None, noise=NOISE)
    said = "\n".join(words(timed, HOME, named_home=None))
    assert (
        "No measurable gain: no candidate was confirmed to be faster than the start by more than the noise, 2 %."
        in said
    )


def test_show_tells_how_a_candidate_was_judged(make_run: Callable[[Goal], Run], speedup: Goal) -> None:
    found = Evaluation(
        status="ok", score=2.0, interval=(1.9, 2.1), machine={"level": "A", "clock": "cpu", "noise_floor": "0.0200"}
    )
    proposal = Proposal(candidate=START, proposer="task", operator="start", parents=())
    first = Result(brief=Brief(number=0, parents=(), seed=0), proposal=proposal, evaluation=found)
    duels = [
        Duel(challenger=CHAMPION.id, champion=START.id, evaluation=found, outcome="won"),
        Duel(challenger="f" * 16, champion=CHAMPION.id, evaluation=found, outcome="lost"),
        Duel(challenger="e" * 16, champion=CHAMPION.id, evaluation=found, outcome="won"),
    ]
    known = Dossier(
        candidate=CHAMPION,
        run=make_run(speedup),
        evaluation=found,
        confirmations={},
        start_confirmations={},
        lineage=(first,),
        noise=NOISE,
        duels=tuple(duels),
        surprises=(Surprise(candidate=CHAMPION.id, first=replace(found, score=9.0), second=found, counts="second"),),
        verifications=(Verification(at="2026-11-21T18:00:00+00:00", holds=True, verdict="holds: 2x", evaluations={}),),
    )
    said = "\n".join(description(known))
    for part in (
        "level A",
        "CPU clock",
        "2 % by wall clock",
        f"against {START.id}: won",
        f"challenged by {'f' * 16}: won",
        f"challenged by {'e' * 16}: lost",
        "measured again 2x [1.9, 2.1]: the lower counts",
        "2026-11-21 18:00 holds: 2x",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("low", "floor", "expected"),
    [(1.9, "0.0200", "2x as fast"), (1.01, "0.0200", "no measurable gain"), (0.9, "", "no measurable gain")],
)
def test_a_gain_inside_the_noise_is_none(low: float, floor: str, expected: str, speedup: Goal) -> None:
    facts = {"noise_floor": floor} if floor else {}
    found = Evaluation(status="ok", score=2.0, interval=(low, 2.1), machine=facts)
    assert gain_text(speedup, found, None) == expected


def test_words_show_what_came_of_each_models_answers(report: Report) -> None:
    models = [
        Harvest("openai:cheap", 268, 210, 196, 189, 187, 20, calls=268, tokens=723600, usd=0.2948),
        Harvest("local", 11, 10, 10, 10, 10, 2, calls=11, tokens=33000, unpriced_calls=11),
    ]
    said = list(words(report, HOME, named_home=None, models=models))
    first = said.index("What came of the answers:")
    assert said[first + 1].split() == list(HEAD)
    assert said[first + 2].split() == [
        "openai:cheap",
        "268",
        "210",
        "196",
        "189",
        "187",
        "20",
        "268",
        "723,600",
        "0.2948",
    ]
    assert said[first + 3].endswith("unknown")
    assert [one["usd"] for one in record(report, HOME, models=models)["models"]] == [0.2948, None]


def test_a_run_that_goes_on_has_not_ended(report: Report) -> None:
    said = list(words(replace(report, ended="running", champion=None), HOME, named_home=None))
    assert said[0] == "Run r1 has not ended."
    assert said[-1] == "Next: outpace resume r1"


def test_a_stored_run_is_reported_as_it_was_at_its_end(tmp_path: Path, gap: Goal) -> None:
    store = open_store(tmp_path)
    run = store.add_run(config(goal=gap))
    with pytest.raises(UsageError, match=f"Run {run.id} has no results yet"):
        stored(store, run)
    first, better = Evaluation(status="ok", score=4.0), Evaluation(status="ok", score=3.0)
    fresh, heldout = Evaluation(status="ok", score=3.1), Evaluation(status="ok", score=3.2)
    for number, (candidate, found) in enumerate([(START, first), (CHAMPION, better)]):
        brief = Brief(number=number, parents=(), seed=0)
        proposal = Proposal(candidate=candidate, proposer="p", operator="o", parents=())
        store.add_brief(run.id, brief, {})
        store.add_proposal(run.id, number, proposal)
        store.add_result(run.id, Result(brief=brief, proposal=proposal, evaluation=found))
    running = stored(store, run)
    assert (running.ended, running.champion, running.start) == ("running", None, Member(START, first))
    store.add_confirmation(run.id, START.id, "train", Evaluation(status="ok", score=4.1))
    store.add_confirmation(run.id, CHAMPION.id, "train", fresh)
    store.add_confirmation(run.id, CHAMPION.id, "heldout", heldout)
    store.end_run(run.id, "finished", reason="evaluations", champion=CHAMPION.id)
    ended = stored(store, store.run(run.id))
    store.close()
    assert ended.ended == "evaluations"
    assert ended.champion is not None
    assert (ended.champion.train, ended.champion.heldout, ended.champion.ood) == (fresh, heldout, None)
    assert ended.start.evaluation.score == 4.1
    assert ended.spent.evaluations == 2


def test_a_run_without_a_champion_says_so(report: Report) -> None:
    said = "\n".join(words(replace(report, champion=None), HOME, named_home=None))
    assert "No candidate was confirmed to be better than the start (4 %)." in said
    assert "Next: outpace resume r1 --evaluations 400" in said


def test_an_interrupted_run_says_how_to_go_on_in_the_same_home(report: Report) -> None:
    said = "\n".join(words(replace(report, ended="interrupted"), HOME, named_home=Path("/my data")))
    assert "outpace resume r1 --home '/my data'" in said


def test_record_is_complete(report: Report) -> None:
    found = record(report, HOME)
    assert found["event"] == "report"
    assert found["champion"]["candidate"] == CHAMPION.id
    assert found["heldout"]["metrics"] == {"case/1k": 2.0, "case/5k": 0.8}
    assert found["spent"]["evaluations"] == 200


def test_show_compares_candidate_and_start_on_the_same_inputs(make_run: Callable[[Goal], Run], gap: Goal) -> None:
    search, fresh, start, start_fresh = (Evaluation(status="ok", score=score) for score in (1.0, 2.0, 4.0, 5.0))
    proposal = Proposal(candidate=START, proposer="task", operator="start", parents=())
    first = Result(brief=Brief(number=0, parents=(), seed=0), proposal=proposal, evaluation=start)
    known = Dossier(
        candidate=CHAMPION,
        run=make_run(gap),
        evaluation=search,
        confirmations={"train": fresh},
        start_confirmations={"train": start_fresh},
        lineage=(first,),
    )
    assert known.compared == (fresh, start_fresh)
    assert replace(known, confirmations={}).compared == (search, start)

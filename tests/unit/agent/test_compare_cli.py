"""What `outpace compare` takes, and what it says while it goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from outpace.agent.budget import Budget, Spent
from outpace.agent.cli.cells import Showing
from outpace.agent.cli.main import app
from outpace.agent.compare.plan import Compared, Entrant, Plan
from outpace.agent.evolve import Report
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.search import Progress
from outpace.agent.store.base import Run, RunConfig
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")
PLAN = Plan(
    tasks=(Compared(task="packing", name="packing", fingerprint="f", start="s"),),
    entrants=(Entrant(strategy="islands"), Entrant(strategy="random")),
    seeds=(0, 1),
    budget=Budget(evaluations=9),
    proposer="operators",
    proposer_params={},
    workers=1,
    sandbox="zygote",
    level="B",
    added=("random",),
)


def asked(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def test_nothing_is_gone_on_with_where_there_is_no_comparison(tmp_path: Path) -> None:
    done = asked("-o", tmp_path / "none", "--no-plot")
    assert isinstance(done.exception, UsageError)
    assert "There is no comparison in" in str(done.exception)
    assert not (tmp_path / "none").exists(), "looking makes nothing"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--report", "--seeds", "3"], "--report only writes the reports"),
        (["--seeds", "3"], "name at least one task"),
        (["circle_packing"], "name at least one strategy"),
        (["circle_packing", "--strategy", "islands", "--evaluations", "0"], "evaluations must be above 0"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_runs(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = asked(*arguments, "--no-plot", "-o", tmp_path / "none")
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)
    assert not (tmp_path / "none").exists()


def report_of(score: float) -> tuple[Progress, Report]:
    candidate = Candidate({"program.py": "VALUE = 1\n"})
    found = Evaluation(status="ok", score=score)
    proposal = Proposal(candidate=candidate, proposer="operators", operator="tune", parents=())
    best = Result(brief=Brief(number=1, parents=(), seed=0), proposal=proposal, evaluation=found)
    settings: dict[str, Any] = {"strategy": "islands", "proposer": "operators", "seed": 0, "sandbox": "zygote"}
    config = RunConfig(
        task="packing",
        task_name="packing",
        task_fingerprint="f",
        goal=GAP,
        budget=Budget(evaluations=9),
        workers=1,
        **settings,
    )
    run = Run(id="r1", config=config, created="2026-11-22T12:00:00Z", status="finished")
    spent = Spent(evaluations=9)
    seen = Progress(run=run, spent=spent, statuses={"ok": 9}, in_flight=0, start=best, best=best, last=best)
    last = Report(
        run=run,
        ended="evaluations",
        start=Member(candidate, found),
        champion=None,
        start_heldout=None,
        start_ood=None,
        spent=spent,
        statuses={"ok": 9},
    )
    return seen, last


def show(*, as_json: bool) -> None:
    """Show a comparison of four runs, one done at 3 %, while two more come to 5 % and 4 %."""
    cells = [*PLAN.cells()]
    first, same = (cell for cell in cells if cell.entrant.strategy == "islands")
    other = next(cell for cell in cells if cell.entrant.strategy == "random")
    with Showing(PLAN, {first.key: 3.0}, as_json=as_json) as showing:
        for cell, score in ((same, 5.0), (other, 4.0)):
            seen, report = report_of(score)
            showing.begins(cell)
            showing.see(cell, seen)
            showing.ends(cell, report)


def test_each_run_that_is_done_is_a_line_with_the_median_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    show(as_json=False)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Added: random (in every comparison, as yardsticks)."
    assert lines[1] == "4 runs: 2 entrants, 1 task, 2 seeds; operators proposes; 1 is done."
    assert lines[2].startswith("[2/4] packing islands seed 1: 5 % (median of 2: 4 %); 0 s")
    assert lines[3].startswith("[3/4] packing random seed 0: 4 %; 0 s")


def test_programs_get_an_event_for_each_run(capsys: pytest.CaptureFixture[str]) -> None:
    show(as_json=True)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["event"], one["entrant"], one["seed"], one["score"], one["done"]) for one in events] == [
        ("cell", "islands", 1, 5.0, 2),
        ("cell", "random", 0, 4.0, 3),
    ]

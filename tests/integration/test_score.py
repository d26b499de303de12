"""``outpace score`` and ``outpace task inputs`` on the ladder that the how-to writes, with programs that really run."""

import asyncio
import json
import re
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from outpace.agent.cli.main import app
from outpace.errors import TaskError, UsageError
from outpace.evaluators.instructions import TASK_CLOCK, Counter, missing
from outpace.plugins import DEFAULT_SANDBOX, load
from outpace.sandbox.base import Job, Reply
from outpace.tasks.folder import read_spec

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "score-a-program.md"
RUNG = re.compile(r"^```python\n# (inversions/ladder/\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WEIGHTS = re.compile(r"^```toml\n(1_pairs .*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = ["1_pairs", "2_lists", "3_arrays", "4_sorted"]


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def inversions(tmp_path: Path) -> Path:
    """Return the task of the how-to with its ladder and weights."""
    folder = tmp_path / "inversions"
    assert invoke("task", "new", folder, "--kind", "speedup").exit_code == 0
    page = PAGE.read_text(encoding="utf-8")
    (folder / "ladder").mkdir()
    for name, text in RUNG.findall(page):
        (tmp_path / name).write_text(text)
    (weights,) = WEIGHTS.findall(page)
    (folder / "ladder" / "weights.toml").write_text(weights)
    return folder


def test_the_ladder_of_the_page_has_four_levels_and_programs_stand_on_them(inversions: Path) -> None:
    wrong = inversions.parent / "wrong.py"
    wrong.write_text("def inversions(values):\n    return len(values)\n")
    quick = inversions / "ladder" / "4_sorted.py"
    result = invoke("score", inversions, "start", quick, wrong, "--json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert [level["rungs"] for level in found["levels"]] == [[name] for name in NAMES]
    assert [level["dps"] for level in found["levels"]] == pytest.approx([100 * n / 19 for n in (12, 17, 18, 19)])
    start, best, failed = found["programs"]
    assert (start["level"], start["dps_norm"]) in ((1, 25.0), (0, 0.0))  # as fast as the first rung, or a little slower
    assert (best["level"], best["dps"], best["dps_norm"]) == (4, 100.0, 100.0)
    assert (failed["status"], failed["level"], failed["dps"]) == ("wrong", None, None)
    unit, why = found["cost"]["unit"], found["cost"]["no_instruction_counter"]
    assert (unit == "instructions") == (why is None)


def test_the_table_for_people_says_what_costs_are_and_whether_the_task_is_fit(inversions: Path) -> None:
    (inversions / "ladder" / "1_pairs.py").unlink()
    (inversions / "ladder" / "weights.toml").unlink()
    result = invoke("score", inversions)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert re.fullmatch(r"inversions, case 700 \(length=700\): 3 levels, \d+ rounds", lines[0])
    assert lines[1].startswith("cost: CPU ")
    assert any(re.match(r"start .* 0: slower than all +0\.0 +0\.0$", line) for line in lines)
    assert "Not fit by the published filter 'levels': 3 more than 20% apart, expected at least 4." in lines


def test_inputs_grow_until_the_ladder_is_told_apart_and_give_a_case_to_paste(inversions: Path) -> None:
    result = invoke("task", "inputs", inversions, "--from", "48", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    sizes = [step["params"]["length"] for step in found["steps"]]
    assert sizes == [48 * 2**doubling for doubling in range(len(sizes))]
    assert len(sizes) > 1
    assert found["separates"]
    assert found["ended"] == "Every rung has a level of its own, in the order of the files."
    pasted = tomllib.loads(found["toml"])["cases"][0]
    assert pasted["params"] == {"length": sizes[-1]}
    with (inversions / "task.toml").open("a") as file:
        file.write("\n" + found["toml"])
    assert read_spec(inversions).split("ood")[0].name == "performance"


def test_a_wrong_rung_is_refused_with_its_name(inversions: Path) -> None:
    (inversions / "ladder" / "5_hasty.py").write_text("def inversions(values):\n    return 0\n")
    for command in (["score"], ["task", "inputs"]):
        error = invoke(*command, inversions).exception
        assert isinstance(error, TaskError)
        assert "rung '5_hasty' fails (wrong)" in str(error)


def test_programs_that_are_not_there_are_refused(inversions: Path, tmp_path: Path) -> None:
    for given, said in (("none.py", "There is no file 'none.py'"), ("abcd", "There are no runs in")):
        error = invoke("score", inversions, given, "--home", tmp_path / "home").exception
        assert isinstance(error, UsageError)
        assert said in str(error)


THREADED = """
from threading import Thread

def work(steps):
    thread = Thread(target=lambda: sum(step * step for step in range(steps)))
    thread.start()
    thread.join()
    return steps
"""


@pytest.mark.skipif(bool(missing(TASK_CLOCK)), reason="perf_event_open is not permitted here")
def test_a_confined_worker_is_counted_from_outside_with_the_threads_that_it_starts() -> None:
    async def counted() -> tuple[Reply, float]:
        sandbox = load("sandbox", DEFAULT_SANDBOX)()
        worker = await sandbox.start(Job(files={"program.py": THREADED}, entry="work"))
        try:
            assert (await worker.load()).ok
            with closing(Counter(worker.pid, TASK_CLOCK)) as counter:
                before = counter.read()
                return await worker.call({"steps": 500_000}), counter.read() - before
        finally:
            await worker.close()
            sandbox.close()

    reply, counted_ns = asyncio.run(counted())
    assert reply.output == 500_000
    assert counted_ns == pytest.approx(reply.cpu_ns, rel=0.2)

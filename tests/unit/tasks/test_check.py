"""``outpace task check`` finds what is wrong, and says where."""

from collections.abc import Callable
from pathlib import Path

import pytest

from outpace.tasks import registry
from outpace.tasks.check import check
from outpace.tasks.finding import Finding
from outpace.tasks.folder import read_spec

Edit = Callable[[Path, str, str], int]

GENERATE = '        return {"values": rng.integers(-length, length + 1, size=length)}\n'


def told(path: Path) -> list[str]:
    """Return the findings as they are printed, without the folder's own path."""
    return [str(finding).replace(f"{path}/", "") for finding in check(path)]


QUICK = {"circle_packing", "flow_shop", "online_bin_packing"}
"""Tasks that are attacked in the quick tests too; all of them together take minutes."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in registry.bundled()]
)
def test_bundled_tasks_have_no_findings(name: str) -> None:
    folder = registry.place(name)
    assert folder is not None
    if "triton" in read_spec(folder).requires:
        pytest.skip("test_library_kernels.py checks it, where torch and triton are")
    assert check(folder) == []


def test_findings_are_one_line_each() -> None:
    assert str(Finding("a/task.toml", 3, "wrong")) == "a/task.toml:3: wrong"
    assert str(Finding("a/task.toml", 0, "wrong", "warning")) == "a/task.toml: warning: wrong"


def test_everything_that_the_loader_finds(metric: Path, edit: Edit) -> None:
    line = edit(metric / "task.toml", 'direction = "minimise"', 'direction = "min"')
    edit(metric / "program.py", "# EVOLVE-BLOCK-END\n", "")
    (metric / "task.py").unlink()
    found = told(metric)
    assert f"task.toml:{line}: goal.direction: got 'min', expected 'maximise' or 'minimise'" in found
    assert [text.split(":")[0] for text in found] == ["task.toml", "task.py", "program.py"]


def test_a_missing_folder(tmp_path: Path) -> None:
    assert len(check(tmp_path / "none")) == 1


def test_cases(metric: Path, edit: Edit) -> None:
    edit(metric / "task.toml", 'split = "train" ', 'split = "ood" ')
    found = told(metric)
    assert 'task.toml: no case with split = "train"; the search needs at least one' in found


def test_no_held_out_case(metric: Path, edit: Edit) -> None:
    edit(metric / "task.toml", 'split = "heldout"', 'split = "train"')
    said = 'no case with split = "heldout"; a champion that only suits the train cases would not be noticed'
    assert told(metric) == [f"task.toml: warning: {said}"]


def test_no_timed_case(speedup: Path, edit: Edit) -> None:
    edit(speedup / "task.toml", "params = { length = 700 }", "params = { length = 700 }\ntimed = false")
    assert "task.toml: all train cases have timed = false; a speed-up needs at least one timed case" in told(speedup)


def test_held_out_problems_that_are_trained_on(metric: Path, edit: Edit) -> None:
    edit(metric / "task.toml", "jobs = 80", "jobs = 40")
    assert told(metric) == []
    edit(metric / "task.toml", "seed = 500", "seed = 109")
    (found,) = told(metric)
    assert found.startswith("task.toml: cases '40_jobs' (train) and '80_jobs' (heldout) share problems")


def test_an_empty_block(metric: Path, edit: Edit) -> None:
    more = "# EVOLVE-BLOCK-END\n# EVOLVE-BLOCK-START\n\n# EVOLVE-BLOCK-END\n"
    line = edit(metric / "program.py", "# EVOLVE-BLOCK-END\n", more)
    said = "the evolve block holds no statement; there is nothing to improve in it"
    assert told(metric) == [f"program.py:{line + 1}: {said}"]


def test_an_entry_that_no_block_can_change(metric: Path, edit: Edit) -> None:
    edit(metric / "program.py", "np.argmax(priority(", "np.argmax(fixed(")
    line = edit(metric / "program.py", "def order(", "def fixed(d, u, w, t):\n    return -u\n\n\ndef order(") + 4
    said = "the entry 'order' uses nothing from an evolve block; no change of a block changes it"
    assert told(metric) == [f"program.py:{line}: {said}"]


def test_a_block_inside_the_entry_counts(metric: Path) -> None:
    (metric / "program.py").write_text("""\
import numpy as np
def order(durations, due_dates, weights):
    # EVOLVE-BLOCK-START
    late = due_dates
    # EVOLVE-BLOCK-END
    return np.argsort(late)
""")
    assert told(metric) == []


def test_a_block_in_a_text_of_another_language(metric: Path, edit: Edit) -> None:
    """A program that is built may hold its source as a text; the build command takes it out."""
    block = "# EVOLVE-BLOCK-START\ndef priority("
    text = (metric / "program.py").read_text()
    head, tail = text[: text.index(block)], text[text.index("# EVOLVE-BLOCK-END\n") + len("# EVOLVE-BLOCK-END\n") :]
    source = 'SOURCE = """\n// EVOLVE-BLOCK-START\nint f() { return 1; }\n// EVOLVE-BLOCK-END\n"""\n'
    (metric / "program.py").write_text(head + source + tail.replace("priority(", "max("))
    assert any("the evolve block holds no statement" in one for one in told(metric))
    edit(metric / "task.toml", "requires =", 'build = ["python", "program.py"]\nrequires =')
    assert told(metric) == []
    edit(metric / "program.py", "int f() { return 1; }", "")
    assert len(told(metric)) == 1


def test_modules(metric: Path, edit: Edit) -> None:
    edit(metric / "task.toml", '["numpy"]', '["nothing_of_that_name"]')
    found = told(metric)
    assert "task.toml: requires: the module 'nothing_of_that_name' is not installed here; pip install" in found[0]
    assert "program.py:3: warning: imports 'numpy', which is not in requires of task.toml" in found


def test_methods_that_are_not_there(metric: Path, edit: Edit) -> None:
    edit(metric / "task.py", "def generate(", "def make(")
    edit(metric / "task.py", "def score(", "def value(")
    assert told(metric) == [
        "task.py: class Task does not define generate(self, case, seed)",
        "task.py: class Task does not define score(self, problem, output)",
    ]


def test_no_reference_is_a_warning(metric: Path, edit: Edit) -> None:
    edit(metric / "task.py", "def reference(", "def answer(")
    (found,) = told(metric)
    assert found.startswith("task.py: warning: no reference(problem): cannot try whether check accepts a right answer")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("{'values': rng.integers(0, 9, size=case.params['size'])}", "generate raised KeyError: 'size'"),
        ("{'values': np.random.default_rng().random(3)}", "generate gave two different problems"),
        ("np.zeros(3)", "generate returned a ndarray, expected a dict of the entry's arguments"),
        ("{'the values': np.zeros(3)}", "the problem has the key 'the values'; keys are the names"),
        ("{'values': {1, 2}}", "problem['values'] is a set, which cannot be sent to the sandbox"),
        ("{'values': np.arange(9)}", "four seeds gave the same problem; a timed case needs fresh ones"),
        ("{'values': np.random.RandomState(seed).rand(9)}", "seed 281474976710597: generate raised ValueError"),
    ],
)
def test_generators(speedup: Path, edit: Edit, answer: str, said: str) -> None:
    line = edit(speedup / "task.py", GENERATE, f"        return {answer}\n")
    found = told(speedup)
    assert any(said in one for one in found), found
    lines = (speedup / "task.py").read_text().split("\n")
    beginning = 1 + next(i for i, text in enumerate(lines) if "def generate(" in text)
    assert {int(one.split(":")[1]) for one in found} <= {line, beginning}


def test_instances_that_are_all_alike(metric: Path, edit: Edit) -> None:
    edit(metric / "task.py", "default_rng(seed)", "default_rng(1)")
    found = told(metric)
    assert "warning: case '40_jobs': its 10 instances are one and the same problem" in found[0]


def test_one_fixed_problem_needs_no_held_out_case(metric: Path, edit: Edit) -> None:
    edit(metric / "task.py", "default_rng(seed)", "default_rng(1)")
    text = (metric / "task.toml").read_text().replace("instances = 10", "instances = 1")
    (metric / "task.toml").write_text(text[: text.rindex("[[cases]]")])
    assert told(metric) == []


COUNTED, CHECKED, BEGUN = (
    "        return count\n",
    "        right = self.reference(problem)\n",
    "        before: list[int] = []\n",
)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (COUNTED, "        return {count}\n", "answer is a set; no program could answer that through the sandbox"),
        (COUNTED, "        return [][count]\n", "reference raised IndexError: list index out of range"),
        (BEGUN, f"        problem['values'][:1] += 1\n{BEGUN}", "reference changed the problem; copy before you write"),
        (CHECKED, "        right = -1\n", "check refuses the reference's own answer: a sequence of "),
        (CHECKED, f"        return True\n{CHECKED}", "check returned True; it must return None, or raise WrongAnswer"),
        (CHECKED, f"        [][9]\n{CHECKED}", "check raised IndexError: list index out of range"),
        (CHECKED, f"{CHECKED}        problem['values'][:1] += 1\n", "check changed problem['values'][0] (was "),
    ],
)
def test_references_and_checkers(speedup: Path, edit: Edit, old: str, new: str, said: str) -> None:
    edit(speedup / "task.py", old, new)
    found = told(speedup)
    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("return", ["None", "the text 'garbage'", "an empty dict", "NaN as the answer", "a number off by one"]),
        ("if output is not None: return", ["the text 'garbage'", "an empty dict", "NaN as the answer"]),
        ("if not abs(output - self.reference(problem)) > 1: return", ["NaN as the answer", "a number off by one"]),
    ],
)
def test_checkers_that_accept_too_much(speedup: Path, edit: Edit, text: str, accepted: list[str]) -> None:
    edit(speedup / "task.toml", 'kind = "integer"', "finite = false")
    test = "        if type(output) is not int and"
    edit(speedup / "task.py", test, f"        {text}\n{test}")
    found = told(speedup)
    for name in accepted:
        assert any("check accepts a wrong answer" in one and f": {name}" in one for one in found), (name, found)


def test_what_the_stated_form_refuses_never_reaches_the_checker(speedup: Path, edit: Edit) -> None:
    test = "        if type(output) is not int and"
    edit(speedup / "task.py", test, f"        if isinstance(output, float | dict | str | None): return\n{test}")
    assert told(speedup) == []
    edit(speedup / "task.toml", 'kind = "integer"', "")
    found = "\n".join(told(speedup))
    assert [name in found for name in ("None", "garbage", "an empty dict")] == [True] * 3
    assert "NaN" not in found, "finite is true unless the task says otherwise"


def test_a_checker_that_forgets_items_is_told_by_the_score(metric: Path, edit: Edit) -> None:
    edit(metric / "task.toml", 'shape = ["durations"]', "")
    edit(metric / "task.py", "output.shape != (jobs,) or ", "")
    edit(metric / "task.py", "np.array_equal(np.sort(output), np.arange(jobs))", "len(set(output)) == len(output)")
    found = told(metric)
    assert any("4 of 4 problems: one item too few" in one and "scores better" in one for one in found), found


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("float('nan')", "score returned nan, expected a finite number"),
        ("None", "score returned None, expected a finite number"),
        ("1 / 0", "score raised ZeroDivisionError: division by zero"),
    ],
)
def test_scores(metric: Path, edit: Edit, expression: str, said: str) -> None:
    old = "        return float((weights * late).sum() / (weights * durations).sum())\n"
    edit(metric / "task.py", old, f"        return {expression}\n")
    assert said in told(metric)[0]

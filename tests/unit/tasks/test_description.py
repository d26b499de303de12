"""Every problem of a task.toml names the file, the line, the key, what was given and what was expected."""

from collections.abc import Callable
from pathlib import Path

import pytest

from outpace.errors import TaskError
from outpace.limits import Limits
from outpace.tasks import description, folder
from outpace.tasks.answer import KINDS
from outpace.tasks.spec import Answer, Case, Goal

Edit = Callable[[Path, str, str], int]

MINIMAL = """\
name = "least"
title = "The least that a task may say"
entry = "solve"
statement = "Say 42."
[goal]
kind = "speedup"
[[cases]]
name = "only"
"""


def errors(path: Path, text: str) -> list[str]:
    """Return the findings about a task.toml, without the folder."""
    (path / "task.toml").write_text(text)
    _, findings = description.read(path, None)
    assert all(finding.severity == "error" for finding in findings)
    return [str(finding).removeprefix(f"{path}/") for finding in findings]


def test_defaults(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(MINIMAL)
    spec = folder.read_spec(tmp_path)
    assert spec.goal == Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")
    assert spec.cases == (Case(name="only"),)
    assert spec.limits == Limits()
    assert (spec.family, spec.language, spec.requires, spec.sources) == ("own", "python", (), ())
    assert (spec.build, spec.inplace, spec.answer) == ((), False, Answer())


def test_the_form_of_answers(tmp_path: Path) -> None:
    text = MINIMAL.replace("[goal]", 'build = ["g++", "-O3", "fast.cpp"]\ninplace = true\n[goal]')
    answer = 'kind = "arrays"\ndtype = "floating"\nshape = ["n", "*", 3]\nfinite = false\ntolerance = 1e-6\n'
    (tmp_path / "task.toml").write_text(f'{text}[answer]\n{answer}accepts = ["shuffled"]\n')
    spec = folder.read_spec(tmp_path)
    assert spec.build == ("g++", "-O3", "fast.cpp")
    assert spec.inplace
    assert spec.answer == Answer(
        kind="arrays",
        dtype="floating",
        shape=("n", None, 3),
        finite=False,
        tolerance=1e-6,
        accepts=("shuffled",),
    )


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            'kind = "speedup"',
            'kind = "speedup"\ndirection = "min"',
            "7: goal.direction: got 'min', expected 'maximise' or",
        ),
        ('kind = "speedup"', 'kind = "fast"', "6: goal.kind: got 'fast', expected 'speedup' (same answer, faster) or"),
        ('kind = "speedup"', "", "5: goal.kind: missing; expected 'speedup'"),
        ('kind = "speedup"', 'kind = "metric"\nname = "gap"', "5: goal.direction: missing; expected 'maximise' or"),
        ('kind = "speedup"', 'kind = "speedup"\ndirection = "minimise"', "7: goal.direction: got 'minimise', expected"),
        ('kind = "speedup"', 'kind = "speedup"\nbest_known = nan', "7: goal.best_known: got nan, expected the best"),
        (
            'entry = "solve"',
            'entri = "solve"',
            "3: entri: unknown key. Did you mean 'entry'? Known keys",
        ),
        ('entry = "solve"', 'entry = "solve it"', "3: entry: got 'solve it', expected the name of the function"),
        ('name = "least"', 'name = "2fast"', "1: name: got '2fast', expected an identifier"),
        ('name = "least"', "name = 2", "1: name: got 2, expected an identifier"),
        ('name = "only"', 'name = "only"\nseeds = 3', "9: cases[0].seeds: unknown key. Did you mean 'seed'?"),
        ('name = "only"', 'name = "only"\nseed = "3"', "9: cases[0].seed: got '3', expected a whole number from 0"),
        ('name = "only"', 'name = "only"\nseed = -1', "9: cases[0].seed: got -1, expected a whole number from 0"),
        ('name = "only"', 'name = "only"\nsplit = "test"', "9: cases[0].split: got 'test', expected 'train'"),
        ('name = "only"', 'name = "only"\ninstances = 0', "9: cases[0].instances: got 0, expected how many problems"),
        ('name = "only"', 'name = "only"\nparams = 3', "9: cases[0].params: got 3, expected a table of your own"),
        (
            'name = "only"',
            'name = "only"\n[cases.params]\nday = 2024-01-01',
            "10: cases[0].params.day: got a date, expected numbers, texts",
        ),
        (
            'name = "only"',
            'name = "only"\n\n[[cases]]\nname = "only"',
            "11: cases[1].name: got 'only', the name of cases[0] already; expected a name of its own",
        ),
        (
            "[[cases]]",
            "[limits]\nwall_s = 0\n[[cases]]",
            "8: limits.wall_s: got 0, expected seconds for one call, above 0",
        ),
        ("[[cases]]", "[limits]\nwall = 1.0\n[[cases]]", "8: limits.wall: unknown key. Did you mean 'wall_s'?"),
        (
            "[[cases]]",
            "[limits]\nmemory_mb = 1.5\n[[cases]]",
            "8: limits.memory_mb: got 1.5, expected megabytes of memory",
        ),
        (
            "[[cases]]",
            '[answer]\nkind = "matrix"\n[[cases]]',
            "8: answer.kind: got 'matrix', expected 'array', 'arr",
        ),
        (
            "[[cases]]",
            '[answer]\ntype = "array"\n[[cases]]',
            "8: answer.type: unknown key. Did you mean 'dtype'? ",
        ),
        (
            "[[cases]]",
            '[answer]\nkind = "array"\ndtype = "double"\n[[cases]]',
            "9: answer.dtype: got 'double', expected the type of an array's numbers: 'float64'",
        ),
        (
            "[[cases]]",
            '[answer]\nkind = "text"\ndtype = "float64"\n[[cases]]',
            "9: answer.dtype: got a dtype beside kind = 'text', expected kind = 'array' or 'arrays' beside it",
        ),
        (
            "[[cases]]",
            "[answer]\nshape = [3]\n[[cases]]",
            "8: answer.shape: got a shape, expected kind = 'array', ",
        ),
        (
            "[[cases]]",
            '[answer]\nkind = "array"\nshape = [-1]\n[[cases]]',
            "9: answer.shape[0]: got -1, expected a list of lengths: a whole number, the name of an input",
        ),
        ("[[cases]]", "[answer]\nfinite = 1\n[[cases]]", "8: answer.finite: got 1, expected true or false"),
        ("[[cases]]", "[answer]\ntolerance = 0.0\n[[cases]]", "8: answer.tolerance: got 0.0, expected the relative"),
        (
            "[[cases]]",
            '[answer]\naccepts = ["none"]\n[[cases]]',
            "8: answer.accepts[0]: got 'none', expected changes of a right answer that leave it right, a list of: o",
        ),
        ("[goal]", 'build = "make"\n[goal]', "5: build: got 'make', expected the command line that compiles a program"),
        ("[goal]", 'inplace = "yes"\n[goal]', "5: inplace: got 'yes', expected true or false"),
        ('[[cases]]\nname = "only"\n', "", "cases: missing; expected at least one [[cases]] table"),
        ('[[cases]]\nname = "only"\n', 'cases = "all"', "7: goal.cases: unknown key. Known keys here: kind, name"),
        ('statement = "Say 42."', "", "no statement: write statement.md beside task.toml, or a key 'statement'"),
        ('title = "The least', 'title = "The least\n', "2: not valid TOML: Illegal character '\\n' at column"),
        ("[goal]", "[goal", "5: not valid TOML:"),
    ],
)
def test_every_mistake_is_told(tmp_path: Path, old: str, new: str, found: str) -> None:
    assert MINIMAL.count(old) == 1
    told = errors(tmp_path, MINIMAL.replace(old, new))
    beginning = f"task.toml:{found}" if found[0].isdigit() else f"task.toml: {found}"
    assert any(line.startswith(beginning) for line in told), told


def test_all_mistakes_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = MINIMAL.replace('"solve"', "5").replace('"speedup"', '"fast"').replace('"only"', "true")
    assert [line.split(":")[1] for line in errors(tmp_path, text)] == ["3", "6", "8"]


def test_lines_of_inline_and_dotted_tables(tmp_path: Path) -> None:
    text = 'name = "a"\ntitle = "t"\nentry = "f"\nstatement = """\n[goal]\nkind = "x"\n"""\ngoal.kind = "no"\n'
    text += 'cases = [\n  { name = "b", splt = "train" },\n]\n'
    told = errors(tmp_path, text)
    assert told[0].startswith("task.toml:8: goal.kind: got 'no'")
    assert told[1].startswith("task.toml:9: cases[0].splt: unknown key. Did you mean 'split'?")


def test_statement_in_two_places(metric: Path, edit: Edit) -> None:
    line = edit(metric / "task.toml", "[goal]", 'statement = "Again."\n[goal]')
    with pytest.raises(
        TaskError, match=rf"task.toml:{line}: statement: also given by statement.md; keep one of the two"
    ):
        folder.load(metric)


def test_bytes_that_are_no_text(metric: Path) -> None:
    (metric / "task.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(TaskError, match=r"task.toml: byte 8 is not UTF-8 text"):
        folder.read_spec(metric)


def test_every_key_has_an_expectation() -> None:
    assert all(text for table in description.keys().values() for text in table.values())
    assert set(description.keys()["limits"]) == set(Limits.__dataclass_fields__)
    assert set(description.keys()["cases"]) == set(Case.__dataclass_fields__)
    assert set(description.keys()["goal"]) == set(Goal.__dataclass_fields__)
    assert set(description.keys()["answer"]) == set(Answer.__dataclass_fields__)
    kinds = description.keys()["answer"]["kind"]
    assert all(f"'{kind}'" in kinds for kind in KINDS)

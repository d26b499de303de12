"""``task.toml``: its keys, what each expects, and findings that name file, line, key, what was given and expected."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from outpace.limits import Limits
from outpace.tasks import objectives
from outpace.tasks.answer import FAMILIES
from outpace.tasks.finding import Finding
from outpace.tasks.places import Location, Places
from outpace.tasks.spec import Answer, Case, Feature, Goal, Objective, TaskSpec
from outpace.tasks.tables import (
    ANY,
    AnswerTable,
    CaseTable,
    FeatureTable,
    GoalTable,
    LimitsTable,
    ObjectiveTable,
    TaskTable,
)

FILE, DRIVER = "task.toml", "driver.py"


def read(folder: Path, statement: str | None) -> tuple[TaskSpec | None, list[Finding]]:
    """Read ``task.toml`` of ``folder``; ``statement`` is the text of ``statement.md``, None where there is none.

    The spec is None where a finding is an error.
    """
    path = folder / FILE
    text, data, findings = _parsed(path)
    if data is None:
        return None, findings
    places = Places(text)
    driven = (folder / DRIVER).exists()
    problems = _problems(data, statement, driven=driven)
    findings = [Finding(str(path), places.line(at), message) for at, message in problems]
    if findings:
        return None, sorted(findings, key=lambda finding: finding.line)
    return _spec(TaskTable.model_validate(data), statement), []


def _parsed(path: Path) -> tuple[str, dict[str, Any] | None, list[Finding]]:
    try:
        text = path.read_bytes().decode()
        return text, tomllib.loads(text), []
    except FileNotFoundError:
        message = "no such file; a task folder holds task.toml, program.py, task.py and statement.md"
        return "", None, [Finding(str(path), 0, message)]
    except OSError as error:
        return "", None, [Finding(str(path), 0, f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        return "", None, [Finding(str(path), 0, f"byte {error.start} is not UTF-8 text")]
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"\s*\(at line (\d+), column (\d+)\)", str(error))
        line = int(match.group(1)) if match else text.count("\n") + 1
        message = str(error).replace(match.group(0), f" at column {match.group(2)}") if match else str(error)
        return text, None, [Finding(str(path), line, f"not valid TOML: {message}")]


def _problems(data: dict[str, Any], statement: str | None, *, driven: bool) -> Iterator[tuple[Location, str]]:
    try:
        table = TaskTable.model_validate(data)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            yield problem["loc"], _message(problem["loc"], problem["type"], problem["input"])
        return
    yield from _goal_problems(table.goal)
    if table.device == "gpu" and table.goal.kind == "metric":
        yield ("device",), "device: got 'gpu' beside goal.kind = 'metric', expected a speed-up: it is for what is timed"
    if table.entry is None and not driven:
        yield (), _message(("entry",), "missing", None)
    if table.language != "python" and table.entry is not None:
        expected = "'python', or no entry and a driver.py that takes the path of the program"
        yield ("language",), f"language: got '{table.language}' beside an entry, expected {expected}"
    if statement is None and table.statement is None:
        yield (), "no statement: write statement.md beside task.toml, or a key 'statement'"
    elif statement is not None and table.statement is not None:
        yield ("statement",), "statement: also given by statement.md; keep one of the two"
    yield from _answer_problems(table.answer)
    yield from _case_problems(table)
    spec = _spec(table, statement)
    if found := objectives.fault(spec, spec.objectives):
        yield ("objectives", found[0], "metric"), f"objectives[{found[0]}].metric: {found[1]}"


def _goal_problems(goal: GoalTable) -> Iterator[tuple[Location, str]]:
    if goal.kind == "metric":
        for key in ("name", "direction"):
            if getattr(goal, key) is None:
                yield ("goal", key), _message(("goal", key), "missing", None)
    elif goal.direction == "minimise":
        yield ("goal", "direction"), "goal.direction: got 'minimise', expected 'maximise' (a speed-up is to grow)"
    if goal.start is not None and goal.kind == "speedup":
        yield ("goal", "start"), f"goal.start: got {goal.start:g}, expected none for a speed-up: its start is 1x"
    if goal.self_reported and goal.kind == "speedup":
        yield ("goal", "self_reported"), "goal.self_reported: got true, expected a metric: times are never taken inside"


def _answer_problems(table: AnswerTable) -> Iterator[tuple[Location, str]]:
    if table.dtype is not None and not (table.dtype in FAMILIES or table.dtype in _DTYPES):
        yield ("answer", "dtype"), _message(("answer", "dtype"), "value", table.dtype)
    allowed = {"dtype": _ARRAYS, "shape": (*_ARRAYS, "list", "tuple", "text", "bytes", "dict")}
    for key, kinds in allowed.items():
        if getattr(table, key) is not None and table.kind not in kinds:
            given = f"a {key}" if table.kind is None else f"a {key} beside kind = '{table.kind}'"
            yield ("answer", key), f"answer.{key}: got {given}, expected kind = {_or(kinds)} beside it"


_ARRAYS = ("array", "arrays")
_DTYPES = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
_DTYPES += ("float16", "float32", "float64", "complex64", "complex128")


def _or(names: Sequence[str]) -> str:
    *most, last = [f"'{name}'" for name in names]
    return f"{', '.join(most)} or {last}"


def _case_problems(table: TaskTable) -> Iterator[tuple[Location, str]]:
    first: dict[str, int] = {}
    for index, case in enumerate(table.cases):
        if case.name in first:
            at = f"cases[{index}].name: got '{case.name}', the name of cases[{first[case.name]}] already"
            yield ("cases", index, "name"), f"{at}; expected a name of its own"
        first.setdefault(case.name, index)
        for key, value in case.params.items():
            if not _plain(value):
                yield (
                    ("cases", index, "params", key),
                    f"cases[{index}].params.{key}: got a {type(value).__name__}, expected numbers, texts, true or "
                    "false, lists and tables of these",
                )


def _plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_plain, value.values()))
    if isinstance(value, list):
        return all(map(_plain, value))
    return isinstance(value, bool | int | float | str)


def _message(at: Location, kind: str, given: object) -> str:
    """Word one problem: the key as it is written in the file, what was given, what was expected."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")
    if kind == "extra_forbidden":
        known = list(_model(at[:-1]).model_fields)
        near = get_close_matches(str(at[-1]), known, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return f"{name}: unknown key.{hint} Known keys here: {', '.join(known)}"
    expected = _expectation(at)
    if kind == "missing":
        return f"{name}: missing; expected {expected}"
    return f"{name}: got {_shown(given)}, expected {expected}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _model(at: Location) -> type[BaseModel]:
    """Return the table that a location leads to."""
    model: type[BaseModel] = TaskTable
    for part in at:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            inner = get_args(annotation)[0] if get_origin(annotation) is list else annotation
            assert isinstance(inner, type) and issubclass(inner, BaseModel)
            model = inner
    return model


def _expectation(at: Location) -> str:
    """Return the description of the innermost known key on the way to ``at``."""
    model: type[BaseModel] = TaskTable
    description = ""
    for part in at:
        if isinstance(part, str) and part in model.model_fields:
            description = model.model_fields[part].description or ""
            annotation = model.model_fields[part].annotation
            inner = get_args(annotation)[0] if get_origin(annotation) is list else annotation
            if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
                break
            model = inner
    return description


def _spec(table: TaskTable, statement: str | None) -> TaskSpec:
    goal = Goal(
        kind=table.goal.kind,
        name=table.goal.name or "speed-up",
        direction=table.goal.direction or "maximise",
        unit=table.goal.unit or ("x" if table.goal.kind == "speedup" else ""),
        best_known=table.goal.best_known,
        self_reported=table.goal.self_reported,
        start=table.goal.start,
    )
    return TaskSpec(
        name=table.name,
        title=table.title,
        statement=(statement or table.statement or "").strip(),
        entry=table.entry or "",
        goal=goal,
        cases=tuple(Case(**case.model_dump()) for case in table.cases),
        family=table.family,
        language=table.language,
        limits=Limits(**table.limits.model_dump()),
        requires=tuple(table.requires),
        sources=tuple(table.sources),
        evaluations=table.evaluations,
        build=tuple(table.build),
        answer=_answer(table.answer),
        inplace=table.inplace,
        device=table.device,
        features=tuple(Feature(**feature.model_dump()) for feature in table.features),
        objectives=tuple(Objective(**objective.model_dump()) for objective in table.objectives),
    )


def _answer(table: AnswerTable) -> Answer:
    shape = None if table.shape is None else tuple(None if length == ANY else length for length in table.shape)
    facts = table.model_dump(exclude={"shape", "accepts"})
    return Answer(**facts, shape=shape, accepts=tuple(table.accepts))


def keys() -> Mapping[str, Mapping[str, str]]:
    """Return every key of ``task.toml`` with what it expects, by table ("" is the top level)."""
    tables: dict[str, type[BaseModel]] = {
        "": TaskTable,
        "goal": GoalTable,
        "answer": AnswerTable,
        "limits": LimitsTable,
        "cases": CaseTable,
        "features": FeatureTable,
        "objectives": ObjectiveTable,
    }
    return {
        name: {key: field.description or "" for key, field in table.model_fields.items()}
        for name, table in tables.items()
    }

"""``task.toml``: its keys, what each expects, and findings that name file, line, key, what was given and expected."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from outpace.limits import Limits
from outpace.tasks.finding import Finding
from outpace.tasks.places import Location, Places
from outpace.tasks.spec import Case, Goal, TaskSpec

FILE = "task.toml"

_Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
_Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
_Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=64)]


class _Table(BaseModel):
    """A table of ``task.toml``; the description of each field is what an error message says was expected."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class GoalTable(_Table):
    """``[goal]``."""

    kind: Literal["speedup", "metric"] = Field(
        description="'speedup' (same answer, faster) or 'metric' (a better answer)"
    )
    name: _Text | None = Field(None, description='what the score is called, a text such as "gap"')
    direction: Literal["maximise", "minimise"] | None = Field(None, description="'maximise' or 'minimise'")
    unit: str = Field("", description='the unit of the score, a text such as "%"')
    best_known: float | None = Field(
        None, allow_inf_nan=False, description="the best published value, a number in the unit of the score"
    )


class LimitsTable(_Table):
    """``[limits]``: what the program may use in the sandbox."""

    wall_s: float = Field(Limits().wall_s, gt=0, le=3600, description="seconds for one call, above 0, at most 3600")
    cpu_s: float = Field(
        Limits().cpu_s, gt=0, le=86400, description="CPU seconds for all calls together, above 0, at most 86400"
    )
    memory_mb: int = Field(
        Limits().memory_mb, ge=64, le=1_048_576, description="megabytes of memory, a whole number from 64 to 1048576"
    )
    processes: int = Field(
        Limits().processes, ge=1, le=4096, description="processes and threads, a whole number from 1 to 4096"
    )
    output_mb: int = Field(
        Limits().output_mb, ge=1, le=1024, description="megabytes of one answer, a whole number from 1 to 1024"
    )
    disk_mb: int = Field(
        Limits().disk_mb, ge=1, le=65536, description="megabytes of files it may write, a whole number from 1 to 65536"
    )
    threads: int = Field(
        Limits().threads, ge=1, le=256, description="threads of numerical libraries, a whole number from 1 to 256"
    )


class CaseTable(_Table):
    """One ``[[cases]]``."""

    name: _Label = Field(description="a name of its own, made of letters, digits, '_', '.' and '-'")
    split: Literal["train", "heldout", "ood"] = Field(
        "train", description="'train' (the search sees its scores), 'heldout' or 'ood' (out of distribution)"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="a whole number from 0 to 4294967295")
    instances: int = Field(1, ge=1, le=10_000, description="how many problems, a whole number from 1 to 10000")
    timed: bool = Field(True, description="true or false (false: only checked, never timed; speed-up tasks)")
    params: dict[str, Any] = Field(
        default_factory=dict, description="a table of your own, such as params = { items = 2000 }"
    )


class TaskTable(_Table):
    """The whole file."""

    name: _Identifier = Field(description="an identifier: letters, digits and '_', not starting with a digit")
    title: _Text = Field(description="one line that says what the task is, a text")
    statement: _Text | None = Field(None, description="the statement as a text (or leave it to statement.md)")
    entry: _Identifier = Field(description="the name of the function in program.py that is called")
    family: _Identifier = Field("own", description='the group it is listed under, an identifier such as "heuristics"')
    language: Literal["python"] = Field("python", description="'python'")
    requires: list[_Label] = Field(
        default_factory=list, description='modules the program may import, a list such as ["numpy"]'
    )
    sources: list[_Text] = Field(
        default_factory=list, description="where the task and its figures come from, a list of texts"
    )
    evaluations: int = Field(
        200, ge=1, le=10_000_000, description="how many programs a run tries unless told otherwise, from 1 on"
    )
    goal: GoalTable = Field(description="a table [goal] that says what is to get better")
    limits: LimitsTable = Field(default_factory=lambda: LimitsTable.model_validate({}), description="a table [limits]")
    cases: list[CaseTable] = Field(min_length=1, description="at least one [[cases]] table")


def read(folder: Path, statement: str | None) -> tuple[TaskSpec | None, list[Finding]]:
    """Read ``task.toml`` of ``folder``; ``statement`` is the text of ``statement.md``, None where there is none.

    The spec is None where a finding is an error.
    """
    path = folder / FILE
    text, data, findings = _parsed(path)
    if data is None:
        return None, findings
    places = Places(text)
    findings = [Finding(str(path), places.line(at), message) for at, message in _problems(data, statement)]
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


def _problems(data: dict[str, Any], statement: str | None) -> Iterator[tuple[Location, str]]:
    try:
        table = TaskTable.model_validate(data)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            yield problem["loc"], _message(problem["loc"], problem["type"], problem["input"])
        return
    if table.goal.kind == "metric":
        for key in ("name", "direction"):
            if getattr(table.goal, key) is None:
                yield ("goal", key), _message(("goal", key), "missing", None)
    elif table.goal.direction == "minimise":
        yield ("goal", "direction"), "goal.direction: got 'minimise', expected 'maximise' (a speed-up is to grow)"
    if statement is None and table.statement is None:
        yield (), "no statement: write statement.md beside task.toml, or a key 'statement'"
    elif statement is not None and table.statement is not None:
        yield ("statement",), "statement: also given by statement.md; keep one of the two"
    yield from _case_problems(table)


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
    )
    return TaskSpec(
        name=table.name,
        title=table.title,
        statement=(statement or table.statement or "").strip(),
        entry=table.entry,
        goal=goal,
        cases=tuple(Case(**case.model_dump()) for case in table.cases),
        family=table.family,
        language=table.language,
        limits=Limits(**table.limits.model_dump()),
        requires=tuple(table.requires),
        sources=tuple(table.sources),
        evaluations=table.evaluations,
    )


def keys() -> Mapping[str, Mapping[str, str]]:
    """Return every key of ``task.toml`` with what it expects, by table ("" is the top level)."""
    tables: dict[str, type[BaseModel]] = {"": TaskTable, "goal": GoalTable, "limits": LimitsTable, "cases": CaseTable}
    return {
        name: {key: field.description or "" for key, field in table.model_fields.items()}
        for name, table in tables.items()
    }

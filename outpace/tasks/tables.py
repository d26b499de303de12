"""The tables of ``task.toml``: their keys, and what each expects."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from outpace.limits import Limits
from outpace.tasks.mutants import CHANGES

_Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
_Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
_Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=64)]


def _length(value: Any) -> int | str:
    if (type(value) is int and value >= 0) or (isinstance(value, str) and (value == ANY or value.isidentifier())):
        return value
    raise ValueError


ANY = "*"
"""A length in ``shape`` that may be anything."""
_Length = Annotated[Any, AfterValidator(_length)]


class Table(BaseModel):
    """A table of ``task.toml``; the description of each field is what an error message says was expected."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class GoalTable(Table):
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
    start: float | None = Field(
        None, allow_inf_nan=False, description="the score of the starting program on the train cases, a number"
    )
    self_reported: bool = Field(
        False, description="true or false (true: the score is worked out in the process of the program; metric tasks)"
    )


class LimitsTable(Table):
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


ACCEPTABLE = tuple(change for change, (right, _) in CHANGES.items() if right != "never")


class AnswerTable(Table):
    """``[answer]``: the form that every answer must have before ``check`` sees it."""

    kind: (
        Literal[
            "array", "arrays", "list", "tuple", "dict", "number", "integer", "float", "complex", "bool", "text", "bytes"
        ]
        | None
    ) = Field(
        None,
        description="'array', 'arrays' (a tuple or list of them), 'list', 'tuple', 'dict', 'number', 'integer', "
        "'float', 'complex', 'bool', 'text' or 'bytes'",
    )
    dtype: _Text | None = Field(
        None, description="the type of an array's numbers: 'float64', 'int64', 'bool' … or 'integer', 'floating'"
    )
    shape: list[_Length] | None = Field(
        None, description="a list of lengths: a whole number, the name of an input as long as that, or '*' for any"
    )
    finite: bool = Field(True, description="true or false (false: NaN and infinity are left to check)")
    tolerance: float | None = Field(
        None, gt=0, lt=1, description="the relative error that check allows, a number between 0 and 1 such as 1e-9"
    )
    accepts: list[Literal[ACCEPTABLE]] = Field(  # type: ignore[valid-type]
        default_factory=list,
        description=f"changes of a right answer that leave it right, a list of: {', '.join(ACCEPTABLE)}",
    )


class CaseTable(Table):
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


class FeatureTable(Table):
    """One ``[[features]]``."""

    metric: _Text = Field(description='a metric of every evaluation, a text such as "case/1k" or "length"')
    step: float = Field(gt=0, allow_inf_nan=False, description="how far apart programs differ in kind, above 0")


class ObjectiveTable(Table):
    """One ``[[objectives]]``."""

    metric: _Text = Field(
        description='a metric beside the score: "length", "memory_mb", "cpu_s", "case/NAME", or one of Task.metrics'
    )
    direction: Literal["maximise", "minimise"] = Field(description="'maximise' or 'minimise'")


class TaskTable(Table):
    """The whole file."""

    name: _Identifier = Field(description="an identifier: letters, digits and '_', not starting with a digit")
    title: _Text = Field(description="one line that says what the task is, a text")
    statement: _Text | None = Field(None, description="the statement as a text (or leave it to statement.md)")
    entry: _Identifier | None = Field(
        None, description="the name of the function in program.py that is called (none: driver.py takes the path of it)"
    )
    family: _Identifier = Field("own", description='the group it is listed under, an identifier such as "heuristics"')
    language: _Identifier = Field(
        "python",
        description="the language of program.py, an identifier such as 'python' (another one: a driver, no entry)",
    )
    requires: list[_Label] = Field(
        default_factory=list, description='modules the program may import, a list such as ["numpy"]'
    )
    sources: list[_Text] = Field(
        default_factory=list, description="where the task and its figures come from, a list of texts"
    )
    evaluations: int = Field(
        200, ge=1, le=10_000_000, description="how many programs a run tries unless told otherwise, from 1 on"
    )
    build: list[_Text] = Field(
        default_factory=list, description='the command line that compiles a program, such as ["g++", "-O3", "a.cpp"]'
    )
    inplace: bool = Field(False, description="true or false (true: a program may work in its inputs)")
    device: Literal["cpu", "gpu"] = Field("cpu", description="'cpu' or 'gpu' (where programs are timed)")
    goal: GoalTable = Field(description="a table [goal] that says what is to get better")
    answer: AnswerTable = Field(default_factory=lambda: AnswerTable.model_validate({}), description="a table [answer]")
    limits: LimitsTable = Field(default_factory=lambda: LimitsTable.model_validate({}), description="a table [limits]")
    cases: list[CaseTable] = Field(min_length=1, description="at least one [[cases]] table")
    features: list[FeatureTable] = Field(
        default_factory=list,
        max_length=4,
        description="at most 4 [[features]] tables: by what programs differ",
    )
    objectives: list[ObjectiveTable] = Field(
        default_factory=list,
        max_length=4,
        description="at most 4 [[objectives]] tables: what is to be small or large beside the score",
    )

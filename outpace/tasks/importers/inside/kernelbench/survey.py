"""Looks at a KernelBench problem before it becomes a task: shapes that fit, what its answer is, how long it takes.

It runs aside, once for each problem. Sizes are found with PyTorch's fake tensors, which hold no numbers.
"""

import ast
import math
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1]))
import tensors

WEIGHTS_SEED = 42
FLOORS = ((8, 64), (1, 8))
"""How small the numbers of a batch and other numbers may get, first and where that is not enough."""


class _Refused(Exception):
    """The problem cannot be a task; the text says why."""


@dataclass(frozen=True, slots=True)
class _Number:
    """A whole number that a constant of the module is made of; ``name`` is what the text calls it."""

    name: str
    value: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Need:
    """What one call needs."""

    bytes: int
    flop: int

    def over(self, most: "_Need") -> bool:
        """Tell whether that is too much."""
        return self.bytes > most.bytes or self.flop > most.flop


def survey(text: str, mb: int, gflop: int, original: bool) -> dict[str, Any]:
    """Return what there is to know: ``refused`` with the reason, or the ``text`` with shapes that fit and its facts."""
    try:
        most = _Need(mb << 20, gflop * 10**9)
        new, changes = (text, []) if original else _shrunk(text, most)
        return {"refused": None, "text": new, "changes": changes, **_facts(new)}
    except _Refused as refused:
        return {"refused": str(refused)}


def _shrunk(text: str, most: _Need) -> tuple[str, list[list[Any]]]:
    """Return the text with its constants halved until a call needs no more than that, and what became of which."""
    numbers = _numbers(text)
    chosen = {number: number.value for number in numbers}
    need = _need(text)
    if isinstance(need, str):
        raise _Refused(f"it does not run on a CPU: {need}")
    for batch, other in FLOORS:
        dead: set[_Number] = set()
        while need.over(most):
            found = _smaller(text, chosen, need, {n: batch if _is_batch(n) else other for n in numbers}, dead)
            if found is None:
                break
            chosen, need = found
    if need.over(most):
        at = "even with the smallest shapes that run" if numbers else "and no constant of the file sets its shapes"
        raise _Refused(
            f"a call takes {_megabytes(need)} MB and {need.flop / 1e9:.3g} GFLOP, {at}; allow more with "
            f"mb={_megabytes(need)}&gflop={math.ceil(need.flop / 1e9) or 1}"
        )
    changes = [[number.name, number.value, chosen[number]] for number in numbers if chosen[number] != number.value]
    return _with(text, chosen), changes


def _megabytes(need: _Need) -> int:
    return math.ceil(need.bytes / 2**20)


def _smaller(
    text: str, chosen: Mapping[_Number, int], need: _Need, floors: Mapping[_Number, int], dead: set[_Number]
) -> tuple[dict[_Number, int], _Need] | None:
    """Halve one more number such that the model still runs and needs less; for those in ``dead`` it does not."""
    for number in sorted(chosen, key=lambda one: (not _is_batch(one), -chosen[one], one.begin)):
        half = chosen[number] // 2
        if number in dead or half < floors[number]:
            continue
        trial = {**chosen, number: half}
        found = _need(_with(text, trial))
        if isinstance(found, _Need) and (found.bytes < need.bytes or found.flop < need.flop):
            return trial, found
        dead.add(number)
    return None


def _is_batch(number: _Number) -> bool:
    return "batch" in number.name.lower() or number.name in ("B", "bs", "n_samples")


def _numbers(text: str) -> list[_Number]:
    """Return the whole numbers above 1 in constants of the module that no other name is part of, in order."""
    found: list[_Number] = []
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
            name = " = ".join(target.id for target in node.targets if isinstance(target, ast.Name))
            for part, where in _parts(node.value):
                value = _whole(part)
                if value is not None and value > 1:
                    begin, end = (
                        starts[part.lineno - 1] + part.col_offset,
                        starts[(part.end_lineno or 1) - 1] + (part.end_col_offset or 0),
                    )
                    found.append(_Number(name + where, value, begin, end))
    return found


def _parts(node: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    if isinstance(node, ast.Tuple | ast.List):
        yield from ((part, f"[{index}]") for index, part in enumerate(node.elts))
    else:
        yield node, ""


def _whole(node: ast.expr) -> int | None:
    """Return the value of an expression of numbers alone."""
    if any(not isinstance(inner, ast.Constant | ast.BinOp | ast.operator) for inner in ast.walk(node)):
        return None
    found: dict[str, Any] = {}
    try:
        exec(f"value = {ast.unparse(node)}", {"__builtins__": {}}, found)  # noqa: S102  numbers and operators
    except (ArithmeticError, TypeError, ValueError):
        return None
    return found["value"] if type(found["value"]) is int else None


def _with(text: str, chosen: Mapping[_Number, int]) -> str:
    """Return the text with other numbers."""
    data = text.encode()
    for number, value in sorted(chosen.items(), key=lambda item: -item[0].begin):
        if value != number.value:
            data = data[: number.begin] + str(value).encode() + data[number.end :]
    return data.decode()


def _executed(text: str) -> dict[str, Any]:
    module = types.ModuleType("original")
    sys.modules["original"] = module  # dataclasses look their module up
    exec(compile(text, "original.py", "exec"), vars(module))  # noqa: S102  trusted, as the whole checkout is
    return vars(module)


def _need(text: str) -> _Need | str:
    """Return what a call needs, without making a number; or why it does not run."""
    counter = FlopCounterMode(display=False)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), counter:
            found = _executed(text)
            inputs = list(found["get_inputs"]())
            model = found["Model"](*found["get_init_inputs"]())
            answer = model(*inputs)
    except Exception as error:  # noqa: BLE001  whatever a model raises says that it does not run
        return _told(error)
    state = [*model.parameters(), *model.buffers()]
    return _Need(tensors.held([inputs, state, answer]), counter.get_total_flops())


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _facts(text: str) -> dict[str, Any]:
    """Run the original on three problems; return what it is given and answers, and how long it takes."""
    try:
        with torch.no_grad():
            found = _executed(text)
            tensors.seed(WEIGHTS_SEED)
            arguments = found["get_init_inputs"]()
            tensors.plain(arguments)
            tensors.seed(WEIGHTS_SEED)
            model = found["Model"](*arguments)
            problems = [_inputs(found, seed) for seed in (1, 2)]
            answers = [_asked(model, inputs) for inputs in problems]
            _sound(found, model, problems, answers)
            seconds = tensors.least_s(lambda: model(*problems[1]))
    except _Refused:
        raise
    except Exception as error:  # as above
        raise _Refused(f"it does not run on a CPU: {_told(error)}") from error
    [answer, _] = answers
    single = isinstance(answer, torch.Tensor) and type(tensors.plain(answer)).__name__ == "ndarray"
    return {
        "seconds": seconds,
        "inputs": [str(tensors.form(value)) for value in problems[0]],
        "answer": str(tensors.form(answer)),
        "dtype": str(answer.dtype).removeprefix("torch.") if single else None,
        "rough": any(part.dtype in tensors.ROUGH for part in tensors.parts(answer)),
        "parameters": sum(part.numel() for part in model.parameters()),
        "bytes": [tensors.held(problems[0]), tensors.held(answer)],
    }


def _inputs(found: Mapping[str, Any], seed: int) -> list[Any]:
    tensors.seed(seed)
    return list(found["get_inputs"]())


def _asked(model: Any, inputs: list[Any]) -> Any:
    """Return the answer to a copy of the inputs, as it comes back from the sandbox."""
    copy = tensors.tensors(tensors.plain([value.clone() if hasattr(value, "clone") else value for value in inputs]))
    tensors.seed(7)
    return tensors.tensors(tensors.plain(model(*copy)))


def _sound(found: Mapping[str, Any], model: Any, problems: list[list[Any]], answers: list[Any]) -> None:
    """Refuse what no candidate could be judged by; after the filters of METR and robust-kbench."""
    again = _inputs(found, 1)
    if any(not torch.equal(*pair) for pair in zip(tensors.parts(problems[0]), tensors.parts(again), strict=True)):
        raise _Refused("get_inputs gives two different inputs for one seed")
    parts = tensors.parts(answers[0])
    if not parts:
        raise _Refused(f"its answer holds no tensor: {tensors.form(answers[0])}")
    for part in parts:
        if part.is_floating_point() and not bool(torch.isfinite(part).all()):
            raise _Refused("its answer holds NaN or infinity")
    once_more = tensors.parts(_asked(model, problems[0]))
    if _alike(parts, once_more) is False:
        raise _Refused("its answer depends on what it was asked before: it keeps a state between calls")
    if all(_constant(part) for part in parts):
        raise _Refused("its answer is one number everywhere, within the tolerance: a program could return that unasked")
    if _alike(parts, tensors.parts(answers[1])):
        raise _Refused(
            "its answer is the same for other inputs, within the tolerance: a program could return it unasked"
        )


def _alike(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(tensors.difference(*pair) is None for pair in zip(one, other, strict=True))


def _constant(part: torch.Tensor) -> bool:
    """Tell whether a tensor of several numbers is one number everywhere; a single number is none of the kind."""
    if not part.numel() or not bool((part != 0).any()):
        return True
    if part.numel() == 1:
        return False
    middle = part.double().mean() if part.is_floating_point() else part.flatten()[0]
    return tensors.difference(part, torch.full_like(part, middle.item())) is None

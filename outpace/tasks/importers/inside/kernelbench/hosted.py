"""The trusted half of a KernelBench problem: inputs, the original's answer, the comparison; runs aside."""

import functools
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent / "support"))
import original
import tensors

WEIGHTS_SEED = 42
_KEPT_BYTES = 1 << 28
_answers: dict[int, Any] = {}


@functools.cache
def _init() -> Any:
    tensors.seed(WEIGHTS_SEED)
    return original.get_init_inputs()


@functools.cache
def _model() -> Any:
    arguments = _init()
    tensors.seed(WEIGHTS_SEED)
    return original.Model(*arguments)


def generate(params: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the original's inputs, drawn after this seed."""
    init = tensors.plain(_init())
    tensors.seed(seed)
    return {"init": init, "inputs": tensors.plain(list(original.get_inputs())), "seed": seed}


def reference(seed: int) -> Any:
    """Return the answer of the original module to the problem of a seed."""
    return tensors.plain(_answered(seed))


def _answered(seed: int) -> Any:
    """Return it from memory for the last problems."""
    if seed not in _answers:
        problem = generate({}, seed)
        with torch.no_grad():
            model, arguments = _model(), tensors.tensors(problem["inputs"])
            torch.default_generator.manual_seed(seed)
            answer = model(*arguments)
        while _answers and tensors.held([answer, *_answers.values()]) > _KEPT_BYTES:
            del _answers[next(iter(_answers))]
        _answers[seed] = tensors.tensors(tensors.plain(answer))
    return _answers[seed]


def check(seed: int, output: Any) -> str | None:
    """Return why an answer to the problem of a seed is wrong, or None: its form, then number by number."""
    expected = _answered(seed)
    try:
        given = tensors.tensors(output, allocate=False)
    except TypeError as error:
        return f"the answer is no tensor ({error}), expected {tensors.form(expected)}"
    if tensors.form(given) != tensors.form(expected):
        return f"the answer is {tensors.form(given)}, expected {tensors.form(expected)}"
    for number, (one, other) in enumerate(zip(tensors.parts(expected), tensors.parts(given), strict=True)):
        if reason := tensors.difference(one, other):
            return f"tensor {number} of the answer: {reason}"
    return None

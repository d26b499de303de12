"""The trusted half of a GPU MODE problem: its own generator, reference and checker; runs aside."""

import json
import sys
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE / "support"))
import judging  # noqa: E402
import tensors  # noqa: E402

tensors.without_gpu()
_original = judging.loaded(_HERE / "original")
_ALLOCATED: list[int] = json.loads((_HERE / "allocated.json").read_text())
_forms: dict[str, Any] = {}


def _data(spec: dict[str, Any], seed: int) -> Any:
    return judging.data(_original.generate_input, spec, seed)


def generate(params: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the input for one of the problem's specs, with another seed than the published one."""
    return {"data": judging.crossing(_data(params, seed), _ALLOCATED), "spec": params, "seed": seed}


def reference(spec: dict[str, Any], seed: int) -> Any:
    """Return the answer of the original's reference."""
    return tensors.plain(_original.ref_kernel(_data(spec, seed)))


def check(spec: dict[str, Any], seed: int, output: Any) -> str | None:
    """Return why an answer is wrong, or None: its form is the reference's, and the original's checker accepts it."""
    try:
        given = tensors.tensors(output, allocate=False)
    except TypeError as error:
        return f"the answer is no tensor ({error})"
    key = json.dumps(spec, sort_keys=True)
    if key not in _forms:
        _forms[key] = tensors.form(_original.ref_kernel(_data(spec, seed)))
    if tensors.form(given) != _forms[key]:
        return f"the answer is {tensors.form(given)}, expected {_forms[key]}"
    reason: str | None = judging.refusal(_original.check_implementation(_data(spec, seed), given))
    return reason

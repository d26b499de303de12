"""Looks at a GPU MODE problem before it becomes a task: which of its cases a CPU can do, and how it is called.

It runs aside, once for each problem.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

sys.path.insert(0, str(Path(__file__).parents[1]))
import judging
import tensors

MOST_S = 3.0
_GIVE_UP = 3
"""A case that takes so many times what it may is the last one that is tried: the others are larger."""
_ADDRESS_BYTES = 16 << 30
_SEED = 7


class _Refused(Exception):
    """The problem cannot be a task; the text says why."""


class _Large(Exception):
    """A case takes too much; ``far`` too much for larger ones to be tried."""

    def __init__(self, text: str, *, far: bool) -> None:
        super().__init__(text)
        self.far = far


def survey(files: dict[str, str], submission: str, specs: list[dict[str, Any]], mb: int) -> dict[str, Any]:
    """Return what there is to know: ``refused`` with the reason, or for each spec what it takes, and how to call it."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    tensors.without_gpu()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**files, "submission.py": submission}.items():
            Path(folder, name).write_text(text)
        before = set(sys.modules)
        try:
            return {"refused": None, **_found(Path(folder), specs, mb)}
        except _Refused as refused:
            return {"refused": str(refused)}
        finally:
            sys.path[:] = [path for path in sys.path if path != folder]
            sys.path_importer_cache.pop(folder, None)
            for name in {Path(name).stem for name in (*files, "submission.py")} - before:
                sys.modules.pop(name, None)


def _found(folder: Path, specs: list[dict[str, Any]], mb: int) -> dict[str, Any]:
    try:
        original = judging.loaded(folder)
    except Exception as error:  # whatever it raises says that it cannot be used
        raise _Refused(f"reference.py cannot be imported: {_told(error)}") from error
    cases: list[dict[str, Any]] = [{"left": "larger than one that is too large"} for _ in specs]
    for index in sorted(range(len(specs)), key=lambda one: _scale(specs[one])):
        try:
            cases[index] = _case(original, specs[index], mb)
        except _Large as large:
            cases[index] = {"left": str(large)}
            if large.far:
                break
    done = [index for index in range(len(specs)) if "seconds" in cases[index]]
    if not done:
        reasons = dict.fromkeys(case["left"] for case in cases)
        raise _Refused(f"none of its cases can be used: {'; '.join(reasons)}")
    smallest = min(done, key=lambda one: _scale(specs[one]))
    called = _called(original, specs[smallest])
    return {"cases": cases, "start": _start(original, specs[smallest]), **called}


def _scale(spec: dict[str, Any]) -> tuple[int, int]:
    """Return what grows with a case: its largest number, then the product of all."""
    product, largest = 1, 0
    for value in spec.values():
        if type(value) is int and value > 0:
            product, largest = product * value, max(largest, value)
    return largest, product


def _case(original: Any, spec: dict[str, Any], mb: int) -> dict[str, Any]:
    """Run one case; return what it takes."""
    _fits(_expected(original.generate_input, spec), mb)
    try:
        given = _given(original, spec)
        _fits(tensors.held(given), mb)
        begin = time.process_time()
        answer = original.ref_kernel(given)
        seconds = time.process_time() - begin
        size = tensors.held([given, answer])
        _fits(size, mb)
        if seconds > MOST_S:
            raise _Large(f"its reference takes {seconds:.1f} s a call", far=seconds > _GIVE_UP * MOST_S)
        tensors.plain([given, answer])
        returned = tensors.tensors(tensors.plain(answer))
        said = judging.refusal(original.check_implementation(_given(original, spec), returned))
    except _Large:
        raise
    except Exception as error:  # as above
        if "memory" in str(error).lower() or isinstance(error, MemoryError):
            raise _Large("it takes more memory than there is", far=True) from error
        raise _Refused(f"it does not run on a CPU: {_told(error)}") from error
    if said is not None:
        raise _Refused(f"its reference fails its own check: {said}")
    seconds = tensors.least_s(lambda: original.ref_kernel(given))
    finite = all(bool(torch.isfinite(part.float()).all()) for part in tensors.parts(answer))
    return {"seconds": seconds, "bytes": [tensors.held(given), tensors.held(answer)], "finite": finite}


def _expected(generate_input: Callable[..., Any], spec: dict[str, Any]) -> int:
    """Return how large the input will be, found without making it; 0 where that cannot be told."""
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            return int(tensors.held(judging.data(generate_input, spec, _SEED)))
    except Exception:  # noqa: BLE001  it is made then
        return 0


def _fits(size: int, mb: int) -> None:
    if size > mb << 20:
        raise _Large(f"its tensors take {size / 2**20:.0f} MB, the limit is mb={mb}", far=size > (8 * mb) << 20)


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _called(original: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """Return which items of the input are outputs that the caller allocates, and whether others are changed."""
    given, fresh = _given(original, spec), _given(original, spec)
    answer = original.ref_kernel(given)
    allocated = _allocated(original, spec, given, answer)
    return {
        "allocated": allocated,
        "inplace": not all(map(_equal, _inputs(given, allocated), _inputs(fresh, allocated))),
        "data": str(tensors.form(given)),
        "answer": str(tensors.form(answer)),
        "single": isinstance(answer, torch.Tensor),
    }


def _given(original: Any, spec: dict[str, Any]) -> Any:
    return judging.data(original.generate_input, spec, _SEED)


def _allocated(original: Any, spec: dict[str, Any], given: Any, answer: Any) -> list[int]:
    """Return the items of the input that are part of the answer, if nothing that they hold beforehand is used."""
    returned = {part.untyped_storage().data_ptr() for part in tensors.parts(answer)}
    found = [
        index
        for index, item in enumerate(given if isinstance(given, tuple) else ())
        if isinstance(item, torch.Tensor) and item.untyped_storage().data_ptr() in returned
    ]
    other = _given(original, spec)
    for index in found:
        other[index].fill_(1)
    again = original.ref_kernel(other)
    return found if all(map(_equal, tensors.parts(answer), tensors.parts(again))) else []


def _inputs(given: Any, allocated: list[int]) -> list[torch.Tensor]:
    items = [item for index, item in enumerate(given) if index not in allocated] if allocated else given
    return [*tensors.parts(items)]


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and bool(torch.isclose(one, other, rtol=0, atol=0, equal_nan=True).all())


def _start(original: Any, spec: dict[str, Any]) -> str:
    """Return why the problem's own submission cannot be the starting program; empty where it can."""
    try:
        import submission

        answer = tensors.tensors(tensors.plain(submission.custom_kernel(_given(original, spec))))
        return judging.refusal(original.check_implementation(_given(original, spec), answer)) or ""
    except Exception as error:  # noqa: BLE001  as above
        return _told(error)

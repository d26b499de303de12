"""Looking at a problem written for PyTorch before it becomes a task: in a process aside, and once for each problem.

What is found is kept below the cache of this user: it holds a measured time, and the same problem is to make the same
task folder the next time.
"""

import functools
import hashlib
import json
import os
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from outpace.errors import MissingPackage, TaskError
from outpace.tasks.importers.aside import Aside
from outpace.tasks.importers.writing import INSIDE
from outpace.tasks.packages import package_of

LEAST_S, MOST_S = 20e-6, 3.0
"""A reference that takes less or more than that per call is not timed: noise, or a day's work."""
CPU = "CPU: times are of this CPU, not of a GPU"


def needed(what: str, packages: list[str]) -> None:
    """Raise ``MissingPackage`` unless these modules can be imported here; ``what`` needs them."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        install = " ".join(map(package_of, missing))
        raise MissingPackage(f"{what} needs {names}, which cannot be imported here; pip install {install}")


def surveyed(name: str, *arguments: Any) -> dict[str, Any]:
    """Return what ``survey(*arguments)`` of the file ``name`` of ``INSIDE`` finds, all of it for JSON.

    Raises:
        TaskError: it failed.
    """
    place = user_cache_path("outpace") / "surveys" / f"{_digest(name, arguments)}.json"
    try:
        kept: dict[str, Any] = json.loads(place.read_text())
    except (OSError, ValueError):
        kept = _aside(name).ask("survey", *arguments)
        _keep(place, json.dumps(kept))
    return kept


@functools.cache
def _aside(name: str) -> Aside:
    return Aside(INSIDE / name)


def _digest(name: str, arguments: tuple[Any, ...]) -> str:
    ours = [path.read_text() for path in (INSIDE / name, INSIDE / "tensors.py")]
    said = json.dumps([version("torch"), *ours, *arguments], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _keep(place: Path, text: str) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=place.parent, prefix=".")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(made).rename(place)
    except OSError as error:
        raise TaskError(f"Cannot write below {place.parent}: {error.strerror}.") from error


def timing(seconds: float, what: str, *, smaller: str) -> dict[str, float]:
    """Return the limits on time for a reference that takes so long per call.

    Raises:
        TaskError: ``what`` is too fast or too slow to be timed; ``smaller`` says how to make it smaller.
    """
    if seconds < LEAST_S:
        raise TaskError(
            f"{what} is too fast to be timed: its reference takes {seconds * 1e6:.1f} us a call, "
            f"expected {LEAST_S * 1e6:g} us or more"
        )
    if seconds > MOST_S:
        raise TaskError(
            f"{what} is too slow to be timed: its reference takes {seconds:.1f} s a call on this CPU, "
            f"expected {MOST_S:g} s or less; {smaller}"
        )
    wall_s = 10.0 if seconds <= 0.25 else 60.0
    return {"wall_s": wall_s, "cpu_s": 60 * wall_s}

"""What the drivers of self-reported tasks share. It lies beside the program in the sandbox, as ``told``."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

MOST_CHARS = 4000


def report(score: object, metrics: dict[str, Any] | None = None, text: str = "") -> dict[str, Any]:
    """Return the report of an evaluator as plain data; a ``score`` that is no finite number is none.

    Figures among ``metrics`` that are no finite numbers are left out.
    """
    figures = {str(name): found for name, value in (metrics or {}).items() if (found := number(value)) is not None}
    return {"score": number(score), "metrics": figures, "text": str(text)[:MOST_CHARS]}


def number(value: object) -> float | None:
    """Return a finite number as a float, None for anything else; flags are no numbers."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)  # type: ignore[arg-type]  # numpy's scalars, and arrays of one number
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def prepare() -> Path:
    """Let programs be started that find what this process finds; return the folder of the task's own files."""
    here = Path(__file__).parent
    packages = [path for path in sys.path if path]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(here), *packages]))
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    return here

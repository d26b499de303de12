"""Opens a problem class of another tool where its files are laid out: in a process aside, and in the sandbox."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, ModuleType


def made(place: Path, module: str, name: str, arguments: dict[str, Any]) -> Any:
    """Return ``name(**arguments)`` of a module below ``place``, which is first on ``sys.path`` and may be a package."""
    if sys.path[0] != str(place):
        sys.path.insert(0, str(place))
    sys.path.append(str(place.parent))
    return getattr(importlib.import_module(module), name)(**arguments)


def namespace(path: str, *codes: CodeType) -> ModuleType:
    """Return a module ``program`` that stands for the file at ``path``, in which these codes were run in turn."""
    module = type(sys)("program")
    module.__file__ = path
    sys.modules["program"] = module
    sys.path.insert(1, str(Path(path).parent))
    for code in codes:
        exec(code, module.__dict__)  # noqa: S102  a candidate's program, in its sandbox
    return module


def entry_of(module: ModuleType, name: str) -> Any:
    """Return what a program defines under this name; raises ``AttributeError`` saying what is missing."""
    if not hasattr(module, name):
        raise AttributeError(f"program.py defines no '{name}', which the task's evaluator is to be given")
    return getattr(module, name)

"""Looks at a problem class of another tool: what it says of itself. Runs aside, with the files of the sandbox alone."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import opened  # type: ignore[import-not-found]  # it lies beside this file


def described(place: str, module: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return template, description and time limit of ``name(**arguments)``, and which modules it has imported.

    ``missing`` names a module that could not be imported, ``fault`` tells any other reason why there is no problem.
    """
    sys.addaudithook(_offline)
    os.environ["MPLBACKEND"] = "Agg"
    os.chdir(place)
    try:
        return _said(opened.made(Path(place), module, name, arguments))
    except ModuleNotFoundError as error:
        return {"missing": error.name or str(error)}
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a problem raises is told
        return {"fault": f"{type(error).__name__}: {error}{_at(error, place)}"}


def _said(problem: Any) -> dict[str, Any]:
    limit = getattr(problem, "timeout", getattr(problem, "timeout_seconds", None))
    return {
        "template": str(getattr(problem, "template_program", "") or ""),
        "description": _text(getattr(problem, "task_description", "")),
        "prompts": _prompts(getattr(problem, "prompts", None)),
        "limit_s": float(limit) if isinstance(limit, int | float) else None,
        "modules": sorted({loaded.partition(".")[0] for loaded in sys.modules}),
    }


def _prompts(prompts: Any) -> dict[str, Any]:
    """Return what the prompts of EoH's first layout say; empty where there are none."""
    names = ("task", "func_name", "func_inputs", "func_outputs", "inout_inf", "other_inf")
    getters = {name: getattr(prompts, f"get_{name}", None) for name in names}
    return {name: _plain(getter()) for name, getter in getters.items() if getter is not None}


def _plain(value: Any) -> Any:
    return [str(one) for one in value] if isinstance(value, list | tuple) else _text(value)


def _text(value: Any) -> str:
    return str(value or "").strip()


def _at(error: BaseException, place: str) -> str:
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(place)]
    return f" ({Path(frames[-1].filename).relative_to(place)}, line {frames[-1].lineno})" if frames else ""


def _offline(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what the sandbox will refuse; waiting for an answer from elsewhere would take for ever there."""
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        raise RuntimeError("the problem wants the network, which the sandbox does not have")

"""How a name becomes a thing: built-ins, dotted paths and installed plug-ins through one door.

Each kind of part ("strategy", "model", "sandbox", "proposer") has a lazy map of built-in names, the entry-point group
``outpace.<kind plural>`` for installed packages, and accepts ``package.module:attribute`` for one's own code.
"""

import importlib
from importlib.metadata import entry_points
from typing import Any

from outpace.errors import MissingPackage, UnknownName, UsageError

BUILT_IN: dict[str, dict[str, str]] = {
    "sandbox": {
        "bubblewrap": "outpace.sandbox.bubblewrap:BubblewrapSandbox",
        "docker": "outpace.sandbox.docker:DockerSandbox",
        "process": "outpace.sandbox.process:ProcessSandbox",
        "zygote": "outpace.sandbox.zygote:ZygoteSandbox",
    },
    "strategy": {
        "aide": "outpace.agent.strategies.aide:Aide",
        "best_of_n": "outpace.agent.strategies.best_of_n:BestOfN",
        "eoh": "outpace.agent.strategies.eoh:Eoh",
        "fsr": "outpace.agent.strategies.fsr:Fsr",
        "funsearch": "outpace.agent.strategies.funsearch:FunSearch",
        "hill_climb": "outpace.agent.strategies.hill_climb:HillClimb",
        "islands": "outpace.agent.strategies.islands:Islands",
        "mcts": "outpace.agent.strategies.mcts:Mcts",
        "portfolio": "outpace.agent.strategies.portfolio:Portfolio",
        "random": "outpace.agent.strategies.random_walk:RandomWalk",
        "reevo": "outpace.agent.strategies.reevo:Reevo",
        "tuner": "outpace.agent.strategies.tuner:Tuner",
    },
    "model": {
        "openai": "outpace.agent.models.openai:OpenAIModel",
        "scripted": "outpace.agent.models.scripted:ScriptedModel",
        "vllm": "outpace.agent.models.vllm:VllmModel",
    },
}
DEFAULT_SANDBOX = "zygote"
"""Where candidates run unless told otherwise."""
GROUPS = {"sandbox": "outpace.sandboxes", "strategy": "outpace.strategies", "model": "outpace.models"}


def available(kind: str) -> list[str]:
    """Return the names that ``load(kind, name)`` knows, built-in and installed, sorted."""
    return sorted({*BUILT_IN[kind], *(point.name for point in entry_points(group=GROUPS[kind]))})


def load(kind: str, name: str) -> Any:
    """Return the class or factory that ``name`` stands for.

    Raises:
        UnknownName: nothing of this kind has that name.
        UsageError: a dotted path that does not lead anywhere.
        MissingPackage: the part exists, but needs a package that is not installed.
    """
    if name in BUILT_IN[kind]:
        return _attribute(kind, BUILT_IN[kind][name])
    if ":" in name:
        return _attribute(kind, name)
    for point in entry_points(group=GROUPS[kind]):
        if point.name == name:
            return point.load()
    raise UnknownName(kind, name, available(kind))


def _attribute(kind: str, path: str) -> Any:
    module_name, _, attribute = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and module_name.startswith(error.name):
            raise UsageError(
                f"Cannot load {kind} '{path}': there is no module '{error.name}' on the Python path. "
                "Expected package.module:attribute; run from the folder that holds it, or install it."
            ) from error
        text = f"The {kind} '{path}' needs the package '{error.name}': pip install {error.name}"
        raise MissingPackage(text) from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        raise UsageError(f"Cannot load {kind} '{path}': module '{module_name}' has no '{attribute}'.") from error

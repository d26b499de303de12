"""What a prompt says of the place where programs run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from platform import python_version

from outpace.evaluators.machine import machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where programs run, as far as it is known.

    ``python`` is the version of the interpreter, ``packages`` the versions of packages by the names that they are
    imported by, ``processor`` and ``gpu`` are names of models; an empty text where it is not known, or not there.
    ``tunables``: whether the run tunes what programs declare tunable.
    """

    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    processor: str = ""
    gpu: str = ""
    tunables: bool = False


def facts_of(packages: Sequence[str], *, here: bool = True) -> Facts:
    """Return the facts of this machine, with the versions of ``packages`` in this environment.

    ``here`` False: programs run in an environment of their own (an image), whose versions are not known.
    """
    return _facts(tuple(packages)) if here else Facts(processor=machine()["cpu"])


@lru_cache(maxsize=8)  # packages do not change under a run
def _facts(packages: tuple[str, ...]) -> Facts:
    versions = {name: found for name in packages if (found := _version(name))}
    return Facts(python=python_version(), packages=versions, processor=machine()["cpu"])


def _version(module: str) -> str:
    """Return the version of what is imported by that name; its distribution may have another one (``sklearn``)."""
    for name in (module, *packages_distributions().get(module, ())):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""

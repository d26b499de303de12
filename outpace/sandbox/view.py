"""What a worker sees of the host, and what of that it may reach: the interpreter and its packages, without Outpace."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from outpace.errors import SandboxUnavailable
from outpace.sandbox import interpreter, toolchain
from outpace.sandbox.base import Job

SCRATCH = (Path("/tmp/work"), Path("/dev/shm"))  # noqa: S108
"""The folders in memory that each worker has for itself; mounts may lie elsewhere below /tmp."""
OWN = (*SCRATCH, Path("/proc"))
FOLDER = "/tmp/work/job"  # noqa: S108
DEVICES = ("null", "zero", "full", "random", "urandom")
Kind = Literal["link", "bind", "device", "folder", "mask", "proc"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is put into an empty root: what, where, and from where (for a link: where it leads).

    A ``bind`` is read-only, a ``mask`` an empty folder that hides what is there, ``proc`` the host's, to be covered.
    """

    kind: Kind
    path: Path
    source: str


@cache
def steps(mounts: tuple[Path, ...]) -> tuple[Step, ...]:
    """Return what builds the view of a worker that has these ``mounts``, parents before what lies in them."""
    found: dict[Path, Step] = {}
    for path in map(Path, interpreter.SYSTEM):
        if path.is_symlink():
            found[path] = Step("link", path, str(path.readlink()))
        elif path.exists():
            found[path] = Step("bind", path, str(path.resolve()))
    hidden = interpreter.hidden_paths()
    for path in sorted({*interpreter.readable_paths(), *mounts}):
        if not _covered(path, found, _masks(found, hidden)):
            found[path] = Step("bind", path, str(path.resolve()))
    for name in DEVICES:
        found[Path("/dev", name)] = Step("device", Path("/dev", name), f"/dev/{name}")
    found |= {path: Step("mask", path, "") for path in _masks(found, hidden)}
    found |= {path: Step("folder", path, "") for path in SCRATCH}
    found[Path("/proc")] = Step("proc", Path("/proc"), "/proc")
    return tuple(sorted(found.values(), key=lambda step: step.path.parts))


@cache
def _system(mounts: tuple[Path, ...]) -> tuple[str, ...]:
    return (*interpreter.SYSTEM, *map(str, (*interpreter.readable_paths(), *mounts)))


def mounts_of(job: Job) -> tuple[Path, ...]:
    """Return what a worker sees of the host beside the interpreter and the system."""
    return (*job.mounts, *toolchain.readable_paths()) if job.may_start_programs else job.mounts


def reachable(job: Job) -> dict[str, list[str]]:
    """Return what a worker may still reach of what it sees, for Landlock; the artefacts of its job only to read."""
    system = _system(mounts_of(job))
    devices = [f"/dev/{name}" for name in DEVICES]
    own = [FOLDER, f"{FOLDER}.driver", "/dev/shm", "/dev/null"]  # noqa: S108  (all but the artefacts)
    rules = {"read": [*system, *devices, "/proc", f"{FOLDER}.build"], "write": own}
    return {**rules, "run": [*system, FOLDER]} if job.may_start_programs else rules


def must_be_there(mounts: Iterable[Path]) -> None:
    """Refuse mounts that do not exist, and those that would cover what a worker has of its own."""
    for path in mounts:
        if not path.exists():
            raise SandboxUnavailable(f"{path} cannot be mounted: there is no such file or folder")
        for own in OWN:
            if own.is_relative_to(path) or path.is_relative_to(own):
                remedy = "Remedy: mount other folders, or those below it"
                raise SandboxUnavailable(f"{path} cannot be mounted: a worker has its own {own}. {remedy}")


def must_be_open(paths: Iterable[Path]) -> None:
    """Refuse paths that the user id of a worker could not read."""
    for path in paths:
        if path.exists() and path.stat().st_mode & 0o004 == 0:
            raise SandboxUnavailable(
                f"{path} can be read by its owner only, and a worker has a user id of its own. "
                f"Remedy: chmod -R o+rX {path}"
            )


def _masks(seen: Iterable[Path], hidden: Sequence[Path]) -> list[Path]:
    """Return where ``hidden`` would show up in a sandbox that has the host's paths ``seen``."""
    found = []
    for path in seen:
        target = path.resolve()
        found += [path / secret.relative_to(target) for secret in hidden if secret.is_relative_to(target)]
    return sorted(set(found))


def _covered(path: Path, seen: Iterable[Path], masks: Sequence[Path]) -> bool:
    """Tell whether ``path`` is visible by one of ``seen`` already, with no mask in between."""
    parents = [parent for parent in seen if path.is_relative_to(parent)]
    return bool(parents) and not any(path.is_relative_to(mask) for mask in masks)
